package import Foundation

/// An event of a call, with its place on the timeline.
package struct CallEvent: Hashable, Sendable, Codable {
    /// Type of the event at which the recording was paused. From here on, the `onPause` of each sink applies.
    package static let paused = "paused"
    /// Type of the event at which the recording resumed.
    package static let resumed = "resumed"

    /// Frames of audio received before the event.
    package var frame: FramePosition
    /// Time of receipt (UTC).
    package var at: Date
    /// Kind of event, such as `dtmf` or `answered`.
    package var type: String
    /// The carrier's data about the event.
    package var data: [String: JSONValue]

    /// Makes an event.
    package init(frame: FramePosition, at: Date, type: String, data: [String: JSONValue]) {
        self.frame = frame
        self.at = at
        self.type = type
        self.data = data
    }
}
