package import Foundation

/// The account of a call, in frames: audio received, and its whereabouts in the files of each sink.
///
/// The live ledger of a call and the published manifest both give it. A key that both have is the same in both.
package protocol CallAccount: Codable, Sendable, Identifiable where ID == RecordingID {
    associatedtype Sink: SinkEntry

    /// Version of the layout.
    var version: Int { get }
    /// The recording's name, without an ending: a path under the recordings directory.
    var name: String { get }
    var call: CallFacts { get }
    var format: AudioFormat { get }
    var startedAt: Date { get }
    /// Frames received and decoded: the length of the call's audio.
    var framesReceived: Int { get }
    /// Bytes of an incomplete frame at the very end.
    var leftoverBytes: Int { get }
    /// Messages of the carrier that Callreel could not understand. Audio around them was kept.
    var malformedMessages: Int { get }
    /// Events dropped because they were too many or too large.
    var droppedEvents: Int { get }
    var events: [CallEvent] { get }
    var sinks: [Sink] { get }

    /// The deliveries of the recording, in the order of the configuration; nil for none.
    var deliveries: [DeliveryEntry]? { get }

    /// Refuses impossible values that only this kind of account has.
    func checkOwn() throws(ManifestError)
}

extension CallAccount {
    /// Version of the layout. Callreel refuses other versions.
    package static var currentVersion: Int { 1 }

    /// Ranges of the call during which the recording was paused, in order.
    package var pauses: [Range<Int>] {
        var pauses: [Range<Int>] = []
        var begin: Int?
        for event in events {
            if event.type == CallEvent.paused { begin = event.frame.frames }
            if event.type == CallEvent.resumed, let start = begin, start <= event.frame.frames {
                pauses.append(start..<event.frame.frames)
                begin = nil
            }
        }
        if let begin, begin < framesReceived { pauses.append(begin..<framesReceived) }
        return pauses
    }

    /// The first frame of a pause whose end is not among the events; nil if there is none.
    package var openPause: Int? {
        guard let last = events.last(where: { $0.type == CallEvent.paused || $0.type == CallEvent.resumed }) else {
            return nil
        }
        return last.type == CallEvent.paused ? last.frame.frames : nil
    }
}

/// A sink's part in the account of a call.
package protocol SinkEntry: Codable, Sendable {
    associatedtype File: FileEntry

    var name: String { get }
    /// Frames of the call's audio in the sink's files.
    var written: Int { get }
    /// Frames dropped because the sink was too slow. Its files hold silence in their place.
    var silence: Int { get }
    /// Frames received while the recording was paused, with silence in their place; nil for none.
    var masked: Int? { get }
    /// Frames received while the recording was paused, and left out of the files; nil for none.
    var skipped: Int? { get }
    /// Frames of the call that a filter cut out of the files; nil for none.
    var cut: Int? { get }
    /// Frames of the call in no file, because the sink failed or stalled.
    var lost: Int { get }
    /// Places of the frames not held as audio; nil in the account of an older program.
    var ranges: SinkRanges? { get }
    /// Format of the sink's audio, in which its files' frames are counted; nil for the call's format.
    var format: AudioFormat? { get }
    /// Treatment of audio received while the recording is paused; nil for silence.
    var onPause: PausePolicy? { get }
    var files: [File] { get }
}

extension SinkEntry {
    /// Frames of the call's timeline in the sink's files: its audio, and the silence in place of audio.
    package var held: Int { written + silence + (masked ?? 0) }

    /// The sum of all counts. In a sound account, it equals the frames that the call received.
    package var accounted: Int { held + (skipped ?? 0) + (cut ?? 0) + lost }
}

/// A file in the account of a call.
package protocol FileEntry: Codable, Sendable {
    /// The path under its directory. While the call runs, the name in the call's own directory there.
    var name: String { get }
    /// The directory as an absolute path; nil for the recordings directory.
    var directory: String? { get }
    /// Length of the file.
    var bytes: Int { get }
    /// Frames in the file; nil if the sink did not state them.
    var frames: Int? { get }
    /// The frame of the call at which the file begins; nil if unknown.
    var start: FramePosition? { get }
}

/// Frames of the call not held as audio by a sink, as ranges of the call's timeline.
///
/// The totals of the sink are the lengths of these lists.
package struct SinkRanges: Hashable, Sendable, Codable {
    /// Silence in place of dropped audio.
    package var silence: FrameRanges?
    /// Silence in place of audio received while the recording was paused.
    package var masked: FrameRanges?
    /// Audio left out because the recording was paused.
    package var skipped: FrameRanges?
    /// Audio that a filter cut out, within the files' stretches of the timeline or between them.
    package var cut: FrameRanges?
    /// Audio in no file, because the sink failed or stalled.
    package var lost: FrameRanges?

    /// Makes the ranges of a sink that holds the whole call.
    package init() {}
}
