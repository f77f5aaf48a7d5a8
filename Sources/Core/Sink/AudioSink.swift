/// A destination for a call's audio: a file format, a meter, a transcriber, anything that takes frames.
///
/// Callreel uses an instance in five steps: **open** (`init`), **write**, **event**, **checkpoint**, **finish**. One
/// instance serves a call, or a stretch of it. Its methods are called one after the other, so it needs no lock. They
/// may block: they run on threads kept for that, never on an event loop. They may also suspend.
///
/// An error ends the instance, and Callreel calls nothing more on it: release resources in `deinit`. The other sinks
/// go on, and so does the call, unless the entry says `"onError": "stopCall"`. The recording's manifest lists
/// the losses.
///
/// Structs, `~Copyable` structs and final classes conform alike. Register a type with ``SinkRegistry``; operators
/// then ask for it in their configuration by its ``type``.
///
/// `Docs/Internals/SinkContract.md` numbers the duties of a sink and the promises to it. The library CallreelTesting
/// checks them.
public protocol AudioSink: ~Copyable, SendableMetatype {
    /// Options that the operator may set for this sink in the configuration file. Default: ``NoOptions``.
    associatedtype Options: Configurable = NoOptions

    /// The name by which configuration asks for this sink, such as `"wav"`: a letter, then letters and digits.
    static var type: String { get }

    /// The sink's product, described in one line for lists of sinks.
    static var summary: String { get }

    /// Returns the reason why these options cannot work for audio of this shape; nil, the default, if none is known.
    ///
    /// Callreel calls this when it reads the configuration, and refuses to start with an entry that could succeed in
    /// no call. Open nothing here.
    static func refusal(of format: AudioFormat, options: Options) -> String?

    /// Returns the most frames that one instance can take. Default: nil, no limit.
    ///
    /// After so many frames, the framework goes on with another instance in a next part. No frame is lost between them.
    static func frameLimit(options: Options, format: AudioFormat) -> Int?

    /// Returns the files that the sink makes with these options. Default: not known beforehand.
    ///
    /// Callreel calls this when it reads the configuration, and refuses two entries that would make the same file.
    static func files(options: Options) -> SinkFiles

    /// Returns the reason why a sink with these options cannot work on this machine now, such as a missing program.
    /// Default: nil, no known reason.
    ///
    /// `callreel config check` calls this. You may block and read the disk here, but must create nothing.
    static func obstacle(options: Options) -> String?

    /// Finds out whether the destination works now, without a call. Throws the reason why not.
    ///
    /// Callreel calls this at its start, and every few seconds while the entry is `required` or its last opening has
    /// failed. Leave nothing behind at the destination. Default: ``ProbeAnswer/unknown``, so that Callreel opens an
    /// instance and releases it.
    static func probe(options: Options, context: SinkContext) async throws(SinkError) -> ProbeAnswer

    /// Opens the destination. Refuse here everything that can be refused.
    init(options: Options, context: SinkContext) async throws(SinkError)

    /// Adds frames. Chunks arrive in order and without gaps: silence of the same length replaces lost audio.
    /// ``PCMChunk/origin-swift.property`` tells such silence from the call's audio.
    mutating func write(_ chunk: borrowing PCMChunk) async throws(SinkError)

    /// Takes an event of the call: a digit, a pause, or what else the carrier reports. Default: does nothing.
    ///
    /// Events come in order with the audio: when the sink has got all frames before ``CallEvent/frame``, and none
    /// behind it. An event that the carrier reports while no part of this sink is open comes at the beginning of the
    /// next part.
    mutating func event(_ event: CallEvent) async throws(SinkError)

    /// Makes the audio written so far readable by other programs, even after a crash.
    ///
    /// The worker calls this between chunks, at the interval chosen by the operator. It may be slow; it must not
    /// lose frames. Sinks whose output is always readable keep the default, which does nothing.
    mutating func checkpoint() async throws(SinkError)

    /// Closes the destination and returns a receipt. Errors of closing can be reported only here.
    ///
    /// When this returns, all files of the sink must be on stable storage (``OutputFile/synchronize()``).
    /// - Parameter end: why the call or the part ended, how long it was, and what this sink did not get.
    consuming func finish(_ end: CallEnd) async throws(SinkError) -> SinkReceipt

    /// Repairs a file that this sink could not finish, and reports what the file holds.
    ///
    /// Callreel calls this after the sink has failed, or at the next start after a crash, before it publishes the file.
    /// The call comes on threads that may block. A repair must never remove a whole frame of audio. It must leave an
    /// intact file unchanged, to the byte. It may be interrupted at any point and called again.
    ///
    /// Default: nil, for files of which nothing is known. Callreel then publishes the file unchanged.
    /// - Parameters:
    ///   - path: the file, made through ``SinkContext/createFile(_:)``.
    ///   - format: the shape of the call's audio.
    ///   - dryRun: true only inspects the file and reports the change to be made.
    static func repair(_ path: String, format: AudioFormat, dryRun: Bool) throws(SinkError) -> FileRepair?

    /// Decodes a file of this sink from its first frame to its last, with every check that the format allows.
    ///
    /// `callreel verify` calls this, on threads that may block. If the file is damaged, throw an error that says how.
    /// Default: nil, for files that cannot be decoded into the call's samples. Callreel then checks only their length
    /// and hash.
    /// - Parameters:
    ///   - path: the file, made through ``SinkContext/createFile(_:)``.
    ///   - format: the shape of the call's audio.
    ///   - body: receives the samples in order, interleaved by channel, in pieces of any whole number of frames.
    /// - Returns: the number of decoded frames, and whether they are the call's own samples to the bit.
    static func decode(
        _ path: String, format: AudioFormat, into body: (Span<Int16>) -> Void
    ) throws(SinkError) -> DecodedFile?
}

extension AudioSink where Self: ~Copyable {
    public static func refusal(of format: AudioFormat, options: Options) -> String? { nil }

    public static func frameLimit(options: Options, format: AudioFormat) -> Int? { nil }

    public static func files(options: Options) -> SinkFiles { .unknown }

    public static func obstacle(options: Options) -> String? { nil }

    // Synchronous: where code has the choice, Swift takes an asynchronous default before a type's synchronous method.

    public static func probe(options: Options, context: SinkContext) throws(SinkError) -> ProbeAnswer { .unknown }

    public mutating func event(_ event: CallEvent) throws(SinkError) {}

    public mutating func checkpoint() throws(SinkError) {}

    public static func repair(_ path: String, format: AudioFormat, dryRun: Bool) throws(SinkError) -> FileRepair? {
        nil
    }

    public static func decode(
        _ path: String, format: AudioFormat, into body: (Span<Int16>) -> Void
    ) throws(SinkError) -> DecodedFile? { nil }
}
