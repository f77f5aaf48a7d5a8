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
/// empty: the program overwrites or replaces it (FFmpeg wants `-y` for that).
///
/// The sink has failed when the program ends before its input does, ends with another status than 0, takes nothing of its input for
/// `deadline` seconds, or goes on for that long after its end; the last two end it, by SIGTERM and five seconds later by SIGKILL. The same
/// happens to it when the sink is let go without an end, which waits for it: nobody writes to a file any more that is being published.
/// When the server dies, the program sees the end of its input, and is on its own.
public struct ExecSink: ~Copyable, AudioSink {
    public static let type = "exec"
    public static let summary = "the audio on the standard input of a program, which may write a file"

    /// Bytes of the program's last errors that the sink's own error repeats.
    private static let quotedBytes = 400

    private let options: ExecOptions
    private let format: AudioFormat
    private let name: String
    private let launch: ProgramLaunch
    private let output: OutputFile?
    private var program: RunningProgram?
    private var frames = 0

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

    /// Finds the program and creates the file that it will write.
    public init(options: ExecOptions, context: SinkContext) async throws(SinkError) {
        if let reason = Self.refusal(of: context.format, options: options) { throw SinkError(.open, reason, blame: .options) }
        let template: CommandTemplate
        do throws(CommandError) { template = try CommandTemplate(options.command) } catch { throw SinkError(.open, error.reason, blame: .options) }
        let environment = ProgramEnvironment(adding: options.environment)
        let path = try await environment.find(template.program)
        let output: OutputFile?, outputPath: String?
        if let ending = options.extension {
            let file = try context.createFile(ending)
            outputPath = file.path
            output = consume file
        } else {
            outputPath = nil
            output = nil
        }
        launch = ProgramLaunch(
            path: path, name: template.program, arguments: template.arguments(context, output: outputPath), environment: environment,
            deadline: options.deadline)
        self.output = output
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
        if let output { try Self.keep(output) }
        var details: [String: JSONValue] = ["program": .string(name), "status": 0]
        if !outcome.output.isEmpty { details["stdout"] = .string(outcome.output) }
        if !outcome.errors.isEmpty { details["stderr"] = .string(outcome.errors) }
        return SinkReceipt(frames: frames, details: details)
    }

    /// Starts the program, the first time.
    private mutating func begin() throws(SinkError) {
        guard program == nil else { return }
        do throws(ProgramFailure) {
            program = try RunningProgram(launch)
            if options.input == .wav { unsafe try program?.write(StreamedWAVHeader.bytes(format).span.bytes) }
        } catch {
            throw self.error(.write, error)
        }
    }

    /// Makes the file that stands at the output's path durable, which may be another than was created: with the mode that was asked for.
    private static func keep(_ output: borrowing OutputFile) throws(SinkError) {
        let written = try StoredFile(output.path)
        var asked = stat(), found = stat()
        let isKnown = unsafe (fstat(output.descriptor, &asked) == 0 && fstat(written.descriptor, &found) == 0)
        guard isKnown, found.st_mode == asked.st_mode || fchmod(written.descriptor, asked.st_mode & 0o7777) == 0
        else { throw SinkError(.finish, "cannot set the mode of \(output.path)", underlying: errno) }
        try written.synchronize()
    }

    /// The sink's error for a program that did not do what it should.
    private func error(_ code: SinkError.Code, _ failure: ProgramFailure) -> SinkError {
        let lines = failure.errors.suffix(Self.quotedBytes).split(whereSeparator: \.isNewline).map { CallTags.clean(String($0)) }
        let said = lines.filter { !$0.isEmpty }.joined(separator: " / ")
        return SinkError(code, "\"\(name)\" \(failure.reason)" + (said.isEmpty ? "" : "; it said: \(said)"), underlying: failure.systemError)
    }
}
