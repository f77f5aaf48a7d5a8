import CallreelCore
import Foundation
import Subprocess
import Synchronization

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

#if canImport(System)
    import System
#else
    import SystemPackage
#endif

/// What is to be run.
struct ProgramLaunch: Sendable {
    /// Where the program is.
    let path: FilePath
    /// How the program is called, which it sees as its own name.
    let name: String
    let arguments: [String]
    let environment: ProgramEnvironment
    /// Seconds that it may take to end after its input.
    let deadline: Double
    /// The file that it writes; nil where it writes none.
    let file: LentFile?

    /// How it is run: by itself, or, where this process has raised its limit on open files, by a shell that lowers it again first.
    fileprivate var configuration: Configuration {
        var options = PlatformOptions()
        // A group of its own: whatever it starts is ended with it, and Ctrl-C at a terminal is for the server, which then ends it in order.
        options.processGroupID = 0
        options.teardownSequence = [.gracefulShutDown(toProcessGroup: true, allowedDurationToNextStep: ProgramTask.grace)]
        let shell = "/bin/sh"
        guard let limit = DescriptorLimit.forPrograms, FileManager.default.isExecutableFile(atPath: shell) else {
            return Configuration(
                executable: .path(path), arguments: Arguments(executablePathOverride: name, remainingValues: arguments),
                environment: environment.subprocess, platformOptions: options)
        }
        // The shell becomes the program, and leaves nothing of its own in the environment.
        let script = #"ulimit -S -n "$1"; shift; unset PWD OLDPWD SHLVL; exec "$@""#
        let program = name.hasPrefix("-") ? path.string : name
        return Configuration(
            executable: .path(FilePath(shell)), arguments: Arguments(["-c", script, "sh", limit, program] + arguments),
            environment: environment.subprocess, platformOptions: options)
    }
}

/// How a program ended.
enum ProgramStatus: Equatable, Sendable, CustomStringConvertible {
    case exited(Int32)
    case signaled(Int32)
    /// It was ended because it took too long after its input.
    case overdue(Double)
    /// It was never started, or nobody knows.
    case unknown(String)

    var description: String {
        switch self {
        case .exited(let code): "ended with status \(code)"
        case .signaled(let number): "was ended by signal \(number)"
        case .overdue(let seconds): "did not end within \(seconds) seconds after its input, and was ended"
        case .unknown(let reason): "could not be run: \(reason)"
        }
    }
}

/// A program's life, from its start to its being reaped: shared by the sink and by the task that waits for the program.
///
/// The task is nobody's child, since a program may well outlive its sink, but it has an end: from ``inputHasEnded()`` on, which also the
/// sink's `deinit` says, the program has its deadline, then SIGTERM, and five seconds later SIGKILL.
final class ProgramTask: Sendable {
    /// Between SIGTERM and SIGKILL.
    static let grace = Duration.seconds(5)
    /// Threads for this alone: whoever waits for a program may block a thread of those that all else runs on.
    private static let executor = BlockingExecutor(name: "programs")

    /// Programs of this process whose status somebody waits for.
    private static let waitedFor = Mutex<Set<pid_t>>([])

    private let outcome = Mutex<ProgramStatus?>(nil)
    private let process = Mutex<pid_t?>(nil)
    private let inputEnd: AsyncStream<Void>.Continuation
    private let task: Mutex<Task<Void, Never>?>

    /// How the program ended; nil while it runs.
    var status: ProgramStatus? { outcome.withLock { $0 } }
    /// The group that the program has for itself; nil when it was not started.
    var group: ProgramGroup? { process.withLock { $0 }.map(ProgramGroup.init) }

    /// Whether a process is a program of ours that has not been reaped.
    static func isWaited(for id: pid_t) -> Bool { waitedFor.withLock { $0.contains(id) } }

    /// Starts a program. Descriptors but that of the end are closed once it has them.
    /// - Parameter end: the writing end of a pipe, which is closed when the program has ended and was reaped.
    init(_ launch: ProgramLaunch, input: Int32, output: Int32, errors: Int32, end: ClosingDescriptor) {
        let (stream, continuation) = AsyncStream<Void>.makeStream()
        inputEnd = continuation
        task = Mutex(nil)
        let started = Task(executorPreference: Self.executor) { [self] in
            let status = await run(launch, input: input, output: output, errors: errors, inputEnd: stream)
            if let id = process.withLock({ $0 }) { Self.waitedFor.withLock { _ = $0.remove(id) } }
            outcome.withLock { $0 = status }
            task.withLock { $0 = nil }
            end.close()
        }
        task.withLock { $0 = outcome.withLock { $0 } == nil ? started : nil }
    }

    /// The deadline begins.
    func inputHasEnded() { inputEnd.finish() }

    /// The program has had its time.
    func end() { task.withLock { $0 }?.cancel() }

    /// Whether ``end()`` was called before the program ended.
    var isEnding: Bool { task.withLock { $0?.isCancelled ?? false } }

    /// Runs the program, and ends it when it takes too long after its input.
    private func run(_ launch: ProgramLaunch, input: Int32, output: Int32, errors: Int32, inputEnd: AsyncStream<Void>) async -> ProgramStatus {
        let configuration = launch.configuration
        return await withTaskGroup(of: ProgramStatus?.self) { group in
            group.addTask {
                do {
                    let result = try await Subprocess.run(
                        configuration, input: .fileDescriptor(FileDescriptor(rawValue: input), closeAfterSpawningProcess: true),
                        output: .fileDescriptor(FileDescriptor(rawValue: output), closeAfterSpawningProcess: true),
                        error: .fileDescriptor(FileDescriptor(rawValue: errors), closeAfterSpawningProcess: true)
                    ) { [self] execution in
                        let id = execution.processIdentifier.value
                        process.withLock { $0 = id }
                        Self.waitedFor.withLock { _ = $0.insert(id) }
                    }
                    return switch result.terminationStatus {
                    case .exited(let code): .exited(code)
                    case .signaled(let number): .signaled(number)
                    }
                } catch {
                    return .unknown("\(error)")
                }
            }
            group.addTask {
                for await _ in inputEnd {}
                try? await Task.sleep(for: .seconds(launch.deadline))
                return nil
            }
            let first = await group.next() ?? nil
            group.cancelAll()
            if let first { return first }
            // However it took the signal, it had its time.
            _ = await group.next()
            return .overdue(launch.deadline)
        }
    }
}

/// A descriptor that is closed once, by whoever comes first to its end.
final class ClosingDescriptor: Sendable {
    private let descriptor: Mutex<Int32>

    /// Takes a descriptor over.
    init(_ descriptor: Int32) { self.descriptor = Mutex(descriptor) }

    /// Closes it.
    func close() {
        descriptor.withLock { descriptor in
            if descriptor >= 0 { closeDescriptor(descriptor) }
            descriptor = -1
        }
    }

    deinit { close() }
}
