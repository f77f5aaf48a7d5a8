/// A way on for finished recordings: an upload, a notification, a transcript, anything that comes after the call.
///
/// Callreel calls ``deliver(_:)`` once a recording stands under its final name with its hashes; again after an error,
/// later each time; again after a restart; and never again after it has returned. A delivery holds up no call, no sink
/// and no end of the program.
///
/// If the program dies between the end of a delivery and the note of it in the manifest, the delivery is made again:
/// at least once, never at most once. Use ``PublishedRecording/id`` at the destination to recognise it.
///
/// One instance serves all recordings of its entry, several of them at once. Register a type with
/// ``DeliveryRegistry``; operators then ask for it in their configuration by its ``type``.
public protocol Delivery: Sendable, SendableMetatype {
    /// Options that the operator may set for this delivery in the configuration file. Default: ``NoOptions``.
    associatedtype Options: Configurable = NoOptions

    /// The name by which configuration asks for this delivery, such as `"exec"`: a letter, then letters and digits.
    static var type: String { get }

    /// What the delivery does, in one line for lists.
    static var summary: String { get }

    /// Returns the reason why these options cannot work at all; nil, the default, if none is known.
    ///
    /// Callreel calls this when it reads the configuration, and refuses to start. Open nothing here.
    static func refusal(options: Options) -> String?

    /// Returns the reason why a delivery with these options cannot work on this machine now, such as a missing program.
    /// Default: nil, no known reason. `callreel config check` calls this. It may block, but must create nothing.
    static func obstacle(options: Options) -> String?

    /// Makes the delivery of one entry. Reads its secrets, and may block for that.
    init(options: Options, context: DeliveryContext) throws(ConfigurationProblem)

    /// Delivers a recording. May block its thread, and may suspend. When the entry's `deadline` has passed, and at the
    /// end of the program, the task is cancelled.
    /// - Returns: facts for the manifest.
    func deliver(_ recording: PublishedRecording) async throws(DeliveryError) -> DeliveryReceipt
}

extension Delivery {
    public static func refusal(options: Options) -> String? { nil }

    public static func obstacle(options: Options) -> String? { nil }
}
