public import Foundation

/// An independent program that examines Callreel's files, or `callreel` itself, run as a user would.
public struct Program: Sendable {
    /// The results of a run.
    public struct Result: Sendable {
        public let status: Int32
        public let output: Data
        public let errors: String

        /// Standard output as text.
        public var text: String { String(decoding: output, as: UTF8.self) }
    }

    /// A failure of a program that a test needs.
    public struct Failure: Error, CustomStringConvertible {
        public let description: String
    }

    /// The program's path.
    public let path: String

    /// Names a program by its path.
    public init(path: String) { self.path = path }

    /// Finds an installed program, or throws: a missing judge must not count as one that agrees.
    public init(_ name: String) throws {
        let folders = ["/usr/bin", "/usr/local/bin", "/opt/homebrew/bin", "/bin", "/usr/sbin"]
        guard let path = folders.map({ "\($0)/\(name)" }).first(where: FileManager.default.isExecutableFile) else {
            throw Failure(description: "\(name) is not installed; scripts/setup --tests installs it")
        }
        self.path = path
    }

    /// The `callreel` command built with the tests.
    public static let callreel = Program(
        path: URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath().deletingLastPathComponent()
            .appendingPathComponent("callreel")
            .path)

    /// Runs the program to its end, without blocking a thread shared by tests.
    @discardableResult
    public func run(_ arguments: [String], in directory: String? = nil, environment: [String: String] = [:])
        async throws -> Result
    {
        let running = try start(arguments, in: directory, environment: environment)
        return try await running.result()
    }

    /// Runs the program to its end, and returns its output. Throws with its last messages if the status is not 0.
    @discardableResult
    public func output(_ arguments: [String], in directory: String? = nil) async throws -> Data {
        let result = try await run(arguments, in: directory)
        guard result.status == 0 else {
            throw Failure(
                description: "\(path) \(arguments.joined(separator: " ")) ended with \(result.status): \(result.errors)"
            )
        }
        return result.output
    }

    /// Starts the program and leaves it running.
    public func start(_ arguments: [String], in directory: String? = nil, environment: [String: String] = [:]) throws
        -> RunningProgram
    {
        try RunningProgram(path: path, arguments: arguments, directory: directory, environment: environment)
    }
}

/// A running program.
public final class RunningProgram: @unchecked Sendable {
    // Unchecked: `process` is configured before it is shared. Afterwards it is only queried and signalled.

    private let process = Process()
    private let folder = TemporaryDirectory()
    private let outputFile: String
    private let errorFile: String
    private let ended: AsyncStream<Int32>

    fileprivate init(path: String, arguments: [String], directory: String?, environment: [String: String]) throws {
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        if let directory { process.currentDirectoryURL = URL(fileURLWithPath: directory) }
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { _, new in new }
        outputFile = folder.path + "/out"
        errorFile = folder.path + "/err"
        for file in [outputFile, errorFile] { try Data().write(to: URL(fileURLWithPath: file)) }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = try FileHandle(forWritingTo: URL(fileURLWithPath: outputFile))
        process.standardError = try FileHandle(forWritingTo: URL(fileURLWithPath: errorFile))
        let (stream, continuation) = AsyncStream<Int32>.makeStream()
        ended = stream
        process.terminationHandler = { process in
            continuation.yield(
                process.terminationReason == .exit ? process.terminationStatus : 128 + process.terminationStatus)
            continuation.finish()
        }
        try process.run()
    }

    deinit {
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    }

    /// The process ID.
    public var identifier: Int32 { process.processIdentifier }

    /// Its standard output so far.
    public var text: String { (try? String(contentsOfFile: outputFile, encoding: .utf8)) ?? "" }

    /// Its standard error so far.
    public var errors: String { (try? String(contentsOfFile: errorFile, encoding: .utf8)) ?? "" }

    /// Sends a signal. Test runners block some signals, and children inherit the block. Unless a program unblocks
    /// signals itself, only SIGKILL is sure to end it.
    public func signal(_ number: Int32) { kill(process.processIdentifier, number) }

    /// Waits for the end.
    public func result() async throws -> Program.Result {
        var status: Int32 = -1
        for await ending in ended { status = ending }
        return Program.Result(
            status: status, output: try Data(contentsOf: URL(fileURLWithPath: outputFile)), errors: errors)
    }
}
