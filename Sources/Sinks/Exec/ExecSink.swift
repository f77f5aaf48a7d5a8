public import CallreelCore
import Foundation

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// Gives a call's audio to the standard input of a program: an encoder, a meter, a transcriber.
///
/// The program is looked for when the sink opens, and started with the first audio, or at the end of a call without any: opening the sink
/// to see whether that can be done starts nothing. It runs in the server's directory, in a process group of its own, with none of the
/// server's descriptors and, of its environment, with a few usual variables only. What it prints is read all the time and forgotten but
/// for the last few thousand bytes, which are in the manifest with its exit status.
///
/// Where an argument says `{output}`, the path of a new file stands there, which becomes part of the recording. It exists already and is
/// empty: the program overwrites or replaces it (FFmpeg wants `-y` for that). It stands in a directory of the program's own, which is removed
/// with all that is left in it when the program is over.
///
/// The sink has failed when the program ends before its input does, ends with another status than 0, takes nothing of its input for
/// `deadline` seconds, or goes on for that long after its end; the last two end it, by SIGTERM and five seconds later by SIGKILL. The same
/// happens to it when the sink is let go without an end, which waits for it.
///
/// What the program leaves running is ended with it: at once, or, where it still has `{output}` open for writing, at the deadline, and then
/// the sink has failed too. Where that cannot be ended, since it has left the program's process group, the recording gets a copy. So nobody
/// writes to a file that is published. When the server dies, the program sees the end of its input, and is on its own; what it has written is
/// taken back in the same way by ``repair(_:format:dryRun:)``.
public struct ExecSink: ~Copyable, AudioSink {
    public static let type = "exec"
    public static let summary = "the audio on the standard input of a program, which may write a file"

    /// Bytes of the program's last errors that the sink's own error repeats.
    private static let quotedBytes = 400

    private let options: ExecOptions
    private let format: AudioFormat
    private let name: String
    private let launch: ProgramLaunch
    // Before `output`, because fields are destroyed in this order: the program is over when its file is taken back.
    private var program: RunningProgram?
    private var output: Loan?
    /// The permission bits of its file.
    private let mode: Int
    private var frames = 0

    public static func fileSuffixes(options: ExecOptions) -> [String] { options.extension.map { [$0] } ?? [] }

    /// What is wrong with the command, as far as nobody has to look for the program to see it.
    public static func refusal(of format: AudioFormat, options: ExecOptions) -> String? {
        do throws(CommandError) {
            let hasOutput = try CommandTemplate(options.command).hasOutput
            switch (hasOutput, options.extension != nil) {
            case (true, false): return "\"command\" says {output}, but there is no \"extension\", such as \"mp3\", for that file"
            case (false, true): return "\"extension\" is for a file that nothing in \"command\" calls {output}"
            default: return nil
            }
        } catch {
            return "\"command\" \(error.reason)"
        }
    }

    /// Why the program cannot be started, if it cannot.
    public static func obstacle(options: ExecOptions) -> String? {
        guard let template = try? CommandTemplate(options.command) else { return nil }
        do throws(SinkError) {
            _ = try ProgramEnvironment(adding: options.environment).find(template.program)
            return nil
        } catch {
            return error.reason
        }
    }

    /// Finds the program and creates the file that it will write.
    public init(options: ExecOptions, context: SinkContext) async throws(SinkError) {
        if let reason = Self.refusal(of: context.format, options: options) { throw SinkError(.open, reason, blame: .options) }
        let template: CommandTemplate
        do throws(CommandError) { template = try CommandTemplate(options.command) } catch { throw SinkError(.open, error.reason, blame: .options) }
        let environment = ProgramEnvironment(adding: options.environment)
        let path = try environment.find(template.program)
        var file: LentFile?
        if let ending = options.extension {
            // Closed at once: as long as it were open here, it could not be seen whether others have it open.
            let created = try context.createFile(ending)
            var status = stat()
            guard unsafe fstat(created.descriptor, &status) == 0 else {
                throw SinkError(.open, "cannot examine \(created.path)", underlying: errno)
            }
            file = LentFile(created.path)
            mode = Int(status.st_mode & 0o7777)
        } else {
            mode = 0
        }
        launch = ProgramLaunch(
            path: path, name: template.program, arguments: template.arguments(context, output: file?.lentPath), environment: environment,
            deadline: options.deadline, file: file)
        self.options = options
        format = context.format
        name = template.program
    }

    /// Hands the frames over, and waits while the program takes none.
    public mutating func write(_ chunk: borrowing PCMChunk) throws(SinkError) {
        try begin()
        do {
            try chunk.withSamples { samples throws(ProgramFailure) in
                #if _endian(big)
                    let swapped = samples.indices.map { samples[$0].littleEndian }
                    try unsafe program?.write(swapped.span.bytes)
                #else
                    try unsafe program?.write(samples.bytes)
                #endif
            }
        } catch {
            throw self.error(.write, error)
        }
        frames += chunk.frameCount
    }

    /// Sees whether the program still runs, and takes what it has printed. There is nothing to make readable.
    // Asynchronous, though it waits for nothing: beside a synchronous one, `await sink.checkpoint()` means the protocol's default.
    public mutating func checkpoint() async throws(SinkError) {
        do throws(ProgramFailure) { try program?.look() } catch { throw self.error(.checkpoint, error) }
    }

    /// Ends the program's input, waits for its end, and brings its file to stable storage.
    public consuming func finish() throws(SinkError) -> SinkReceipt {
        try begin()
        let outcome: ProgramOutcome
        do throws(ProgramFailure) {
            guard let ended = try program?.finish() else { throw ProgramFailure("was not started") }
            outcome = ended
        } catch {
            throw self.error(.finish, error)
        }
        guard outcome.status == .exited(0) else {
            throw self.error(.finish, ProgramFailure(outcome.status.description, errors: outcome.errors))
        }
        if let output = output.take() {
            let file = output.file
            if try output.takeBack() || outcome.leftWriter {
                let reason = "left something running that still had \(file.path) open \(options.deadline) seconds after its input"
                throw self.error(.finish, ProgramFailure(reason, errors: outcome.errors))
            }
        }
        var details: [String: JSONValue] = ["program": .string(name), "status": 0]
        if !outcome.output.isEmpty { details["stdout"] = .string(outcome.output) }
        if !outcome.errors.isEmpty { details["stderr"] = .string(outcome.errors) }
        return SinkReceipt(frames: frames, details: details)
    }

    /// Starts the program, the first time.
    private mutating func begin() throws(SinkError) {
        guard program == nil else { return }
        if let file = launch.file {
            try file.lend()
            output = Loan(file, mode: mode)
        }
        do throws(ProgramFailure) {
            program = try RunningProgram(launch)
            if options.input == .wav { unsafe try program?.write(StreamedWAVHeader.bytes(format).span.bytes) }
        } catch {
            throw self.error(.write, error)
        }
    }

    /// The sink's error for a program that did not do what it should.
    private func error(_ code: SinkError.Code, _ failure: ProgramFailure) -> SinkError {
        let lines = failure.errors.suffix(Self.quotedBytes).split(whereSeparator: \.isNewline).map { CallTags.clean(String($0)) }
        let said = lines.filter { !$0.isEmpty }.joined(separator: " / ")
        return SinkError(code, "\"\(name)\" \(failure.reason)" + (said.isEmpty ? "" : "; it said: \(said)"), underlying: failure.systemError)
    }
}

/// A file that a program has, taken back at the latest when the sink is let go.
struct Loan: ~Copyable {
    let file: LentFile
    private let mode: Int
    private var isOpen = true

    /// Notes that a file was lent.
    init(_ file: LentFile, mode: Int) {
        self.file = file
        self.mode = mode
    }

    /// Takes it back. Returns whether some process still had it open for writing.
    consuming func takeBack() throws(SinkError) -> Bool {
        isOpen = false
        return try file.takeBack(mode: mode)
    }

    // What cannot be taken back is seen to at the next start.
    deinit { if isOpen { _ = try? file.takeBack(mode: mode) } }
}

extension ExecSink {
    /// Takes the file back from a program that was left behind when the server died, so that nothing changes it any more. What the file
    /// holds, nobody knows.
    public static func repair(_ path: String, format: AudioFormat, dryRun: Bool) throws(SinkError) -> FileRepair? {
        if !dryRun { try LentFile(path).recover() }
        return nil
    }
}
