import ArgumentParser
import CallreelCore
import CallreelSelfTest
import CallreelServer
import Foundation

/// `callreel selftest-server`: `callreel serve` with the self-test's sinks as well. It ends with the self-test.
struct SelfTestServer: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "selftest-server", abstract: "Serves for callreel selftest.", shouldDisplay: false)

    @OptionGroup var serve: Serve

    @Option(help: "The largest size of a file in bytes, to simulate a full disk.")
    var fileLimit: Int?

    @Option(help: "The parent process. The server ends with it.")
    var parent: Int32?

    func run() async throws {
        let known = CommandLineTool.plugins
        let plugins = Plugins(
            sinks: known.sinks.withSelfTestSinks, carriers: known.carriers, filters: known.filters,
            deliveries: known.deliveries)
        if let fileLimit { Self.limitFiles(to: fileLimit) }
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask {
                // Ends the server if the self-test was killed.
                while !Task.isCancelled {
                    if let parent, getppid() != parent { _exit(1) }
                    try? await Task.sleep(for: .seconds(1))
                }
            }
            tasks.addTask {
                try await CommandLineTool.$plugins.withValue(plugins) {
                    try await serve.run()
                }
            }
            defer { tasks.cancelAll() }
            try await tasks.next()
        }
    }

    /// Limits the size of every file of this process. A larger write then fails with EFBIG.
    private static func limitFiles(to bytes: Int) {
        var limit = rlimit()
        #if canImport(Darwin)
            let resource = RLIMIT_FSIZE
        #else
            let resource = __rlimit_resource_t(RLIMIT_FSIZE.rawValue)
        #endif
        guard unsafe getrlimit(resource, &limit) == 0 else { return }
        limit.rlim_cur = rlim_t(bytes)
        unsafe setrlimit(resource, &limit)
    }
}
