import CallreelCore
import Foundation
import Subprocess
import Synchronization

#if canImport(System)
    import System
#else
    import SystemPackage
#endif

/// A program to run, with its arguments, environment and deadline.
struct ProgramLaunch: Sendable {
    /// The program's path.
    let path: FilePath
    /// The program's own name, its `argv[0]`.
    let name: String
    let arguments: [String]
    let environment: ProgramEnvironment
    /// Seconds that the program may take to end after its input.
    let deadline: Double
    /// The file that the program writes. Nil if it writes none.
    let file: LentFile?

    /// The configuration to run the program with. If this process has raised its limit on open files,
    /// a shell lowers it again before starting the program.
    fileprivate var configuration: Configuration {
        var options = PlatformOptions()
        // A group of its own: the program's children are ended with it. Ctrl-C at a terminal reaches only the server,
        // which then ends the program in order.
        options.processGroupID = 0
        options.teardownSequence = [
            .gracefulShutDown(toProcessGroup: true, allowedDurationToNextStep: ProgramTask.grace)
        ]
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

/// The way a program ended.
enum ProgramStatus: Equatable, Sendable, CustomStringConvertible {
    case exited(Int32)
    case signaled(Int32)
    /// The program took too long after its input and was ended.
    case overdue(Double)
    /// The program was never started, or its status is unknown.
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

/// A program from its start until it is reaped. Shared by the sink and the task that waits for the program.
///
/// The task is not a child task, since a program may outlive its sink. The task still ends: from ``inputHasEnded()``
/// on, the program gets its deadline, then SIGTERM, and SIGKILL five seconds later.
/// The sink's `deinit` calls ``inputHasEnded()`` too.
final class ProgramTask: Sendable {
    /// Time between SIGTERM and SIGKILL.
    static let grace = Duration.seconds(5)
    /// Threads for programs only: waiting for a program may block a thread, and must not block the shared ones.
    private static let executor = BlockingExecutor(name: "programs")

    /// Programs of this process that have not been reaped yet.
    private static let waitedFor = Mutex<Set<pid_t>>([])

    private let outcome = Mutex<ProgramStatus?>(nil)
    private let process = Mutex<pid_t?>(nil)
    private let inputEnd: AsyncStream<Void>.Continuation
    private let task: Mutex<Task<Void, Never>?>

    /// The way the program ended. Nil while it runs.
    var status: ProgramStatus? { outcome.withLock { $0 } }
    /// The program's own process group. Nil if the program was not started.
    var group: ProgramGroup? { process.withLock { $0 }.map(ProgramGroup.init) }

    /// Returns true if a process is one of this server's programs and has not been reaped.
    static func isWaited(for id: pid_t) -> Bool { waitedFor.withLock { $0.contains(id) } }

    /// Starts a program. Closes the descriptors for input, output and errors once the program has them.
    /// - Parameter end: the writing end of a pipe. It is closed when the program has ended and was reaped.
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

    /// Starts the program's deadline.
    func inputHasEnded() { inputEnd.finish() }

    /// Ends the program, with SIGTERM and, after ``grace``, SIGKILL.
    func end() { task.withLock { $0 }?.cancel() }

    /// True when ``end()`` was called before the program ended.
    var isEnding: Bool { task.withLock { $0?.isCancelled ?? false } }

    /// Runs the program, and ends it if it takes too long after its input.
    private func run(_ launch: ProgramLaunch, input: Int32, output: Int32, errors: Int32, inputEnd: AsyncStream<Void>)
        async -> ProgramStatus
    {
        let configuration = launch.configuration
        return await withTaskGroup(of: ProgramStatus?.self) { group in
            group.addTask {
                do {
                    let result = try await Subprocess.run(
                        configuration,
                        input: .fileDescriptor(FileDescriptor(rawValue: input), closeAfterSpawningProcess: true),
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
            // The program had its time, even if it reacts to the signal by exiting normally.
            _ = await group.next()
            return .overdue(launch.deadline)
        }
    }
}

/// A descriptor that is closed only once. Any owner may close it.
final class ClosingDescriptor: Sendable {
    private let descriptor: Mutex<Int32>

    /// Takes over a descriptor.
    init(_ descriptor: Int32) { self.descriptor = Mutex(descriptor) }

    /// Closes the descriptor, if it is still open.
    func close() {
        descriptor.withLock { descriptor in
            if descriptor >= 0 { try? FileDescriptor(rawValue: descriptor).close() }
            descriptor = -1
        }
    }

    deinit { close() }
}
