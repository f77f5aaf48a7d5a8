import Foundation
import Synchronization

/// A program started by the self-test. The self-test signals only such programs.
// Unchecked: `process` is configured before it is shared. Afterwards it is only queried and signalled.
package final class ChildProcess: @unchecked Sendable {
    /// A program's exit status, or 128 plus the number of the signal that ended it, with its output.
    struct Result: Sendable {
        let status: Int32
        let output: Data
        let errors: String

        var text: String { String(decoding: output, as: UTF8.self) }
    }

    private static let running = Mutex<Set<Int32>>([])

    private let process = Process()
    private let outputFile: String
    private let errorFile: String
    private let ended: AsyncStream<Int32>

    /// Starts a program.
    /// - Parameter log: the path for its output, with `.out` and `.err` added.
    init(_ path: String, _ arguments: [String], in directory: String, log: String) throws {
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        process.currentDirectoryURL = URL(fileURLWithPath: directory)
        outputFile = log + ".out"
        errorFile = log + ".err"
        for file in [outputFile, errorFile] { try Data().write(to: URL(fileURLWithPath: file)) }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = try FileHandle(forWritingTo: URL(fileURLWithPath: outputFile))
        process.standardError = try FileHandle(forWritingTo: URL(fileURLWithPath: errorFile))
        let (stream, continuation) = AsyncStream<Int32>.makeStream()
        ended = stream
        process.terminationHandler = { process in
            Self.running.withLock { _ = $0.remove(process.processIdentifier) }
            continuation.yield(
                process.terminationReason == .exit ? process.terminationStatus : 128 + process.terminationStatus)
            continuation.finish()
        }
        // Under the lock, so that a short-lived process is not removed before it is inserted.
        try Self.running.withLock { running in
            try process.run()
            running.insert(process.processIdentifier)
        }
    }

    deinit { if process.isRunning { signal(SIGKILL) } }

    /// Kills every program still running, without a message.
    package static func killAll() { for identifier in running.withLock({ $0 }) { kill(identifier, SIGKILL) } }

    /// The process ID.
    var identifier: Int32 { process.processIdentifier }

    /// The process has not ended.
    var isRunning: Bool { process.isRunning }

    /// Its standard output so far.
    var text: String { (try? String(contentsOfFile: outputFile, encoding: .utf8)) ?? "" }

    /// Its standard error so far.
    var errors: String {
        (try? String(decoding: Data(contentsOf: URL(fileURLWithPath: errorFile)), as: UTF8.self)) ?? ""
    }

    /// Sends a signal if the process still runs.
    func signal(_ number: Int32) { if process.isRunning { kill(process.processIdentifier, number) } }

    /// Waits for the end. Call it once.
    func result() async throws -> Result {
        var status: Int32 = -1
        for await ending in ended { status = ending }
        return Result(status: status, output: try Data(contentsOf: URL(fileURLWithPath: outputFile)), errors: errors)
    }
}
