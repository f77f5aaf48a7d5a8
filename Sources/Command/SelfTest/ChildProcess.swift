import Foundation
import Synchronization

/// A program that the self-test started: only such programs are ever signalled.
// Unchecked: `process` is configured before it is shared, and afterwards only asked and signalled.
final class ChildProcess: @unchecked Sendable {
    /// How a program ended: its exit status, or 128 and the number of the signal.
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
    /// - Parameter log: where its output goes: this path with `.out` and `.err`.
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
            continuation.yield(process.terminationReason == .exit ? process.terminationStatus : 128 + process.terminationStatus)
            continuation.finish()
        }
        // Under the lock, so that the end of a short life does not come before its beginning.
        try Self.running.withLock { running in
            try process.run()
            running.insert(process.processIdentifier)
        }
    }

    deinit { if process.isRunning { signal(SIGKILL) } }

    /// Ends every program that is still running, without a word.
    static func killAll() { for identifier in running.withLock({ $0 }) { kill(identifier, SIGKILL) } }

    /// The process's number.
    var identifier: Int32 { process.processIdentifier }

    /// Whether it has not ended.
    var isRunning: Bool { process.isRunning }

    /// What it has printed so far.
    var text: String { (try? String(contentsOfFile: outputFile, encoding: .utf8)) ?? "" }

    /// What it has said on standard error so far.
    var errors: String { (try? String(decoding: Data(contentsOf: URL(fileURLWithPath: errorFile)), as: UTF8.self)) ?? "" }

    /// Sends a signal, if it still runs.
    func signal(_ number: Int32) { if process.isRunning { kill(process.processIdentifier, number) } }

    /// Waits for the end. Called once.
    func result() async throws -> Result {
        var status: Int32 = -1
        for await ending in ended { status = ending }
        return Result(status: status, output: try Data(contentsOf: URL(fileURLWithPath: outputFile)), errors: errors)
    }
}
