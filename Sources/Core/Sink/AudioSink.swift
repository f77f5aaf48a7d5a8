/// A destination for a call's audio: a file format, a meter, a transcriber, anything that takes frames.
///
/// Four verbs, one life: **open** (`init`), **write**, **checkpoint**, **finish**. One instance serves one call.
/// It is called by one task only and needs no lock. Its verbs may block: they run on threads that are kept for
/// that, never on an event loop. They may as well be really asynchronous.
///
/// An error ends this sink for this call; the other sinks and the call go on, and the recording's manifest says
/// what was lost. After an error nothing more is called, and `deinit` is where resources go back.
///
/// Structs, `~Copyable` structs and final classes conform alike. Register a type with ``SinkRegistry``; operators
/// then ask for it in their configuration by its ``type``.
public protocol AudioSink: ~Copyable, SendableMetatype {
    /// What the operator may say about this sink in the configuration file.
    associatedtype Options: Configurable

    /// The name by which configuration asks for this sink, such as `"wav"`: a letter, then letters and digits.
    static var type: String { get }

    /// What the sink makes, in one line, for lists of sinks.
    static var summary: String { get }

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
}

extension AudioSink where Self: ~Copyable {
    public mutating func checkpoint() async throws(SinkError) {}
}
