public import Foundation

/// An event of a call, with its place on the timeline.
public struct CallEvent: Hashable, Sendable, Codable {
    /// Type of the event at which the recording was paused. From here on, the `onPause` of each sink applies.
    public static let paused = "paused"
    /// Type of the event at which the recording resumed.
    public static let resumed = "resumed"
    /// Type of the event by which an operator put a file of the call aside, or gave up a missing one.
    package static let settled = "settled"

    /// Frames of audio received before the event. In ``AudioSink/event(_:)``, frames in the shape of the sink.
    public var frame: FramePosition
    /// Time of receipt (UTC).
    public var at: Date
    /// Kind of event, such as `dtmf` or `answered`.
    public var type: String
    /// Data of the event, as its source sent it.
    public var data: [String: JSONValue]
    /// Name of the sink that reported the event; nil for the carrier's and Callreel's own events.
    public var sink: String?

    /// Makes an event.
    public init(
        frame: FramePosition, at: Date, type: String, data: [String: JSONValue] = [:], sink: String? = nil
    ) {
        self.frame = frame
        self.at = at
        self.type = type
        self.data = data
        self.sink = sink
    }

    /// Makes an event that the carrier reports. A type that means something to Callreel itself gets the carrier's name
    /// before it, so that no message can say that the recording was paused: `pcm:paused`.
    package init(of carrier: String, at: Date, type: String, data: [String: JSONValue]) {
        let isOwn = [Self.paused, Self.resumed, Self.settled].contains(type)
        self.init(frame: .start, at: at, type: isOwn ? "\(carrier):\(type)" : type, data: data)
    }

    /// Returns true if the carrier has reported the same before. What a sink reports is another source's.
    package func isRepeat(of other: CallEvent) -> Bool { other.sink == nil && other.type == type && other.data == data }
}
