/// A destination for a call's audio: a file format, a meter, a transcriber, anything that takes frames.
///
/// Four verbs, one life: **open** (`init`), **write**, **checkpoint**, **finish**. One instance serves a call, or a stretch of it.
/// Its verbs are called one after the other, and it needs no lock. They may block: they run on threads that are kept for
/// that, never on an event loop. They may as well be really asynchronous.
///
/// An error ends this sink for this call; the other sinks and the call go on, and the recording's manifest says
/// what was lost. After an error nothing more is called, and `deinit` is where resources go back.
///
/// Structs, `~Copyable` structs and final classes conform alike. Register a type with ``SinkRegistry``; operators
/// then ask for it in their configuration by its ``type``.
///
/// `Docs/SinkContract.md` numbers what a sink must do and what it is promised; the library CallreelTesting checks it.
public protocol AudioSink: ~Copyable, SendableMetatype {
    /// What the operator may say about this sink in the configuration file.
    associatedtype Options: Configurable

    /// The name by which configuration asks for this sink, such as `"wav"`: a letter, then letters and digits.
    static var type: String { get }

    /// What the sink makes, in one line, for lists of sinks.
    static var summary: String { get }

    /// What is wrong with these options for audio of this shape, as far as that is known without opening anything; nil when
    /// nothing is, which is the default.
    ///
    /// Called when the configuration is read, so that what no call could succeed with stops the program before the first call.
    static func refusal(of format: AudioFormat, options: Options) -> String?

    /// Frames that one instance can take, where its format has a limit. Default: nil, which is no limit.
    ///
    /// The framework goes on with another instance after so many frames, in a next part, without a frame between them.
    static func frameLimit(options: Options, format: AudioFormat) -> Int?

    /// The suffixes that the sink gives to ``SinkContext/createFile(_:)`` with these options, such as `["wav"]`. Default: none, which
    /// says that nothing is known.
    ///
    /// Called when the configuration is read: two entries that would make the same file are refused. A sink that names any makes no other.
    static func fileSuffixes(options: Options) -> [String]

    /// What keeps a sink with these options from working on this machine as it is now, such as a missing program, in words. Default: nil,
    /// which says that nothing is known to.
    ///
    /// `callreel config check` calls this. It may block and look at the disk; it makes nothing.
    static func obstacle(options: Options) -> String?

    /// Opens the destination. Everything that can be refused is refused here.
    init(options: Options, context: SinkContext) async throws(SinkError)

    /// Adds frames. Chunks arrive in order and without gaps: where audio was lost, silence of the same length comes.
    mutating func write(_ chunk: borrowing PCMChunk) async throws(SinkError)

    /// Makes what has been written so far readable by other programs, also after a crash.
    ///
    /// The worker calls this between chunks, at the interval that the operator chose. It may be slow; it must not
    /// lose frames. Sinks whose output is always readable keep the default, which does nothing.
    ///
    /// Write `async` on your own version even when it never waits: where a call has the choice, in your own tests say,
    /// Swift prefers an asynchronous default to a synchronous method of the same name.
    mutating func checkpoint() async throws(SinkError)

    /// Closes the destination, and says what it left. The only place where closing errors can be seen.
    ///
    /// A sink that made files has them on stable storage when this returns (``OutputFile/synchronize()``).
    consuming func finish() async throws(SinkError) -> SinkReceipt

    /// Makes a file whole that this sink was still writing when the program died, and says what it holds.
    ///
    /// Called at the next start, on threads that may block, before the file is published. It must never remove a whole
    /// frame of audio, must leave a file that is whole as it is, to the byte, and may be ended at any point and called
    /// again. Default: nil, which says that nothing is known about such a file; it is then published as it stands.
    /// - Parameters:
    ///   - path: the file, which was made through ``SinkContext/createFile(_:)``.
    ///   - format: the shape of the call's audio.
    ///   - dryRun: only look, and say what would be done.
    static func repair(_ path: String, format: AudioFormat, dryRun: Bool) throws(SinkError) -> FileRepair?

    /// Decodes a file of this sink from its first frame to its last, checking whatever its format lets be checked.
    ///
    /// Called by `callreel verify`, on threads that may block. An error says what is wrong with the file. Default: nil,
    /// which says that the file cannot be decoded into the call's samples; only its length and hash are then checked.
    /// - Parameters:
    ///   - path: the file, which was made through ``SinkContext/createFile(_:)``.
    ///   - format: the shape of the call's audio.
    ///   - body: given the samples in order, interleaved by channel, in pieces of any whole number of frames.
    /// - Returns: how many frames were decoded, and whether they are the call's own samples to the bit.
    static func decode(
        _ path: String, format: AudioFormat, into body: (Span<Int16>) -> Void
    ) throws(SinkError) -> DecodedFile?
}

extension AudioSink where Self: ~Copyable {
    public static func refusal(of format: AudioFormat, options: Options) -> String? { nil }

    public static func frameLimit(options: Options, format: AudioFormat) -> Int? { nil }

    public static func fileSuffixes(options: Options) -> [String] { [] }

    public static func obstacle(options: Options) -> String? { nil }

    public mutating func checkpoint() async throws(SinkError) {}

    public static func repair(_ path: String, format: AudioFormat, dryRun: Bool) throws(SinkError) -> FileRepair? { nil }

    public static func decode(
        _ path: String, format: AudioFormat, into body: (Span<Int16>) -> Void
    ) throws(SinkError) -> DecodedFile? { nil }
}
