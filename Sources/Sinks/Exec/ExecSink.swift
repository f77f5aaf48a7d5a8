public import CallreelCore
import Foundation

/// Gives a call's audio to the standard input of a program: an encoder, a meter, a transcriber.
///
/// The sink finds the program when it opens, and starts it with the first audio, or at the end of a call without audio.
/// Testing the sink by opening it therefore starts nothing. The program runs in the server's directory and in its own
/// process group. It inherits none of the server's descriptors, and only a few usual variables.
/// Its output is read all the time. Only the last few thousand bytes are kept; the manifest has them,
/// with the exit status.
///
/// In an argument, `{output}` stands for the path of a new file of the recording.
/// The file exists already and is empty; the program overwrites or replaces it (FFmpeg needs `-y` for that).
/// The file is in the program's own directory, which is removed with everything else in it after the program.
///
/// The sink fails in these cases:
/// - The program ends before its input does, or with a status other than 0.
/// - The program takes none of its input for `deadline` seconds, or runs for that long after the end of its input.
///
/// In the second case, the sink sends SIGTERM, and SIGKILL five seconds later.
/// A sink released without `finish` closes the input, waits up to the deadline, and ends the program in the same way.
///
/// Processes that the program leaves running are ended with it. If one still has `{output}` open for writing,
/// it may keep the file open until the deadline. Then it is ended, and the sink has failed too.
/// A process that has left the program's process group cannot be ended; the recording then gets a copy of the file.
/// So no process can write to a published file. If the server dies, the program sees the end of its input and is on its
/// own. ``repair(_:format:dryRun:)`` then takes the file back in the same way.
public struct ExecSink: ~Copyable, AudioSink {
    public static let type = "exec"
    public static let summary = "the audio on the standard input of a program, which may write a file"

    private let options: ExecOptions
    private let format: AudioFormat
    private let name: String
    private let launch: ProgramLaunch
    // Before `output`, because fields are destroyed in this order: the program must have ended
    // before its file is taken back.
    private var program: RunningProgram?
    private var output: Loan?
    /// The permission bits of the output file.
    private let mode: Int
    private var frames = 0

    public static func files(options: ExecOptions) -> SinkFiles { .suffixes(options.extension.map { [$0] } ?? []) }

    /// Returns an error in the command or its options, as far as it shows without searching for the
    /// program. Otherwise returns nil.
    public static func refusal(of format: AudioFormat, options: ExecOptions) -> String? {
        do throws(CommandError) {
            let hasOutput = try CommandTemplate(options.command).hasOutput
            switch (hasOutput, options.extension != nil) {
            case (true, false):
                return "\"command\" has {output}, which needs an \"extension\", such as \"mp3\""
            case (false, true): return "\"extension\" has no effect without {output} in \"command\""
            default: return nil
            }
        } catch {
            return "\"command\" \(error.reason)"
        }
    }

    /// Returns the reason why the program cannot be started, or nil.
    public static func obstacle(options: ExecOptions) -> String? {
        guard let template = try? CommandTemplate(options.command) else { return nil }
        do throws(SinkError) {
            _ = try ProgramEnvironment(adding: options.environment).find(template.program)
            return nil
        } catch {
            return error.reason
        }
    }

    /// Finds the program and creates its output file.
    public init(options: ExecOptions, context: SinkContext) async throws(SinkError) {
        if let reason = Self.refusal(of: context.format, options: options) {
            throw SinkError(.open, reason, blame: .options)
        }
        let template: CommandTemplate
        do throws(CommandError) { template = try CommandTemplate(options.command) } catch {
            throw SinkError(.open, error.reason, blame: .options)
        }
        let environment = ProgramEnvironment(adding: options.environment)
        let path = try environment.find(template.program)
        var file: LentFile?
        if let ending = options.extension {
            // Closed at once: while it were open here, the sink could not see whether other processes have it open.
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
            path: path, name: template.program, arguments: template.arguments(context, output: file?.lentPath),
            environment: environment,
            deadline: options.deadline, file: file)
        self.options = options
        format = context.format
        name = template.program
    }

    /// Writes the frames to the program's input. Blocks while the program takes none.
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

    /// Checks that the program still runs, and reads its output. There is no file to make readable.
    public mutating func checkpoint() throws(SinkError) {
        do throws(ProgramFailure) { try program?.look() } catch { throw self.error(.checkpoint, error) }
    }

    /// Closes the program's input, waits for its end, and brings its file to stable storage.
    public consuming func finish(_ end: CallEnd) throws(SinkError) -> SinkReceipt {
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
                let reason =
                    "left a process running that had \(file.path) open \(options.deadline) seconds after its input"
                throw self.error(.finish, ProgramFailure(reason, errors: outcome.errors))
            }
        }
        var details: [String: JSONValue] = ["program": .string(name), "status": 0]
        if !outcome.output.isEmpty { details["stdout"] = .string(outcome.output) }
        if !outcome.errors.isEmpty { details["stderr"] = .string(outcome.errors) }
        return SinkReceipt(frames: frames, details: details)
    }

    /// Starts the program at the first call.
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

    /// Returns the sink's error for a program's failure.
    private func error(_ code: SinkError.Code, _ failure: ProgramFailure) -> SinkError {
        SinkError(
            code, "\"\(name)\" \(failure.reason)\(ProgramRun.lastWords(of: failure.errors))",
            underlying: failure.systemError)
    }
}

/// A file lent to a program. Taken back at the latest when this value is destroyed.
struct Loan: ~Copyable {
    let file: LentFile
    private let mode: Int
    private var isOpen = true

    /// Notes that the file was lent.
    init(_ file: LentFile, mode: Int) {
        self.file = file
        self.mode = mode
    }

    /// Takes the file back. Returns true if a process still had it open for writing.
    consuming func takeBack() throws(SinkError) -> Bool {
        isOpen = false
        return try file.takeBack(mode: mode)
    }

    // A file that cannot be taken back now is recovered at the next start.
    deinit { if isOpen { _ = try? file.takeBack(mode: mode) } }
}

extension ExecSink {
    /// Takes the file back from a program that outlived the server. The program cannot change the file any more.
    /// Returns nil, because the file's frames are unknown.
    public static func repair(_ path: String, format: AudioFormat, dryRun: Bool) throws(SinkError) -> FileRepair? {
        if !dryRun { try LentFile(path).recover() }
        return nil
    }
}
