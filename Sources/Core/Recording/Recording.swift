package import Foundation

/// The manifest of one call: what was received, what became of it in each sink, and where it is.
///
/// It stands beside the audio as `<name>.json` and is published last: where it stands, everything it names stands too.
package struct Recording: Sendable, Codable, Identifiable {
    /// The version of this layout. Readers refuse a number that they do not know.
    package static let currentVersion = 1

    /// How far a sink came.
    package enum SinkState: String, Sendable, Codable {
        /// The call is running.
        case recording
        /// Every frame of the call is in it, and it was closed without an error; in its fallback, where `error` says why.
        case complete
        /// An error ended it early.
        case failed
        /// It did not come to an end in the time that it was given.
        case stalled
        /// It was finished after an interruption of the whole program.
        case recovered
        /// It was closed without an error, and the call brought no audio: there is no file.
        case empty
    }

    /// A file that a sink left.
    package struct File: Hashable, Sendable, Codable {
        /// The path under its directory.
        package var name: String
        /// The directory, as an absolute path; nil is the recordings directory.
        package var directory: String?
        package var bytes: Int
        /// Frames in it, where the sink said so.
        package var frames: Int?
        /// The frame of the call at which it begins; nil where that is not known.
        package var start: FramePosition?
        /// SHA-256 of its bytes, in hexadecimal; nil while the file grows.
        package var sha256: String?

        /// Makes a file's entry.
        package init(
            name: String, directory: String? = nil, bytes: Int, frames: Int? = nil, start: FramePosition? = nil, sha256: String? = nil
        ) {
            self.name = name
            self.directory = directory
            self.bytes = bytes
            self.frames = frames
            self.start = start
            self.sha256 = sha256
        }
    }

    /// The frames of the call that a sink does not hold as audio, as stretches of the call's timeline.
    ///
    /// The totals of the sink are the lengths of these lists.
    package struct Ranges: Hashable, Sendable, Codable {
        /// Silence in place of dropped audio.
        package var silence: FrameRanges?
        /// Silence in place of audio that came while the recording was paused.
        package var masked: FrameRanges?
        /// Left out because the recording was paused.
        package var skipped: FrameRanges?
        /// Not in any file, because the sink failed or stalled.
        package var lost: FrameRanges?

        /// Makes the ranges of a sink that holds the whole call.
        package init() {}
    }

    /// What became of one sink.
    package struct Sink: Sendable, Codable {
        package var type: String
        package var name: String
        package var state: SinkState
        /// Frames of the call's audio in it.
        package var written: Int = 0
        /// Frames that were dropped because it was too slow, and that are silence in it.
        package var silence: Int = 0
        /// Frames that came while the recording was paused, and that are silence in it; nil is none.
        package var masked: Int?
        /// Frames that came while the recording was paused, and that are not in it at all; nil is none.
        package var skipped: Int?
        /// Frames of the call that are not in it at all, because it failed or stalled.
        package var lost: Int = 0
        /// Where on the call's timeline the frames are that it does not hold as audio; nil in a manifest of an older program.
        package var ranges: Ranges?
        /// Seconds in which the call waited for it; nil is none.
        package var heldSeconds: Double?
        /// How often it did not keep up and was left behind; nil is never.
        package var stalls: Int?
        /// The shape of its audio, by which its files' frames are counted; nil is the call's.
        package var format: AudioFormat?
        /// What it gets while the recording is paused; nil is silence.
        package var onPause: SinkEnvelope.PausePolicy?
        package var files: [File] = []
        /// While the call runs: the directories, besides the recordings directory, where files of this sink may stand.
        package var directories: [String]?
        /// What the sink itself reported.
        package var details: [String: JSONValue]?
        /// Why it failed, or went on in its fallback or another part.
        package var error: String?
        /// Who can mend that: options, destination or bug.
        package var blame: SinkError.Blame?

        /// Frames of the call's timeline that stand in its files: its audio, and the silence in place of it.
        package var held: Int { written + silence + (masked ?? 0) }

        /// Everything that was counted: the frames that the call received.
        package var accounted: Int { held + (skipped ?? 0) + lost }
    }

    /// Something that happened during the call, with its place on the timeline.
    package struct Event: Hashable, Sendable, Codable {
        /// Frames of audio received before it.
        package var frame: FramePosition
        /// When it was seen (UTC).
        package var at: Date
        /// Such as `dtmf` or `answered`.
        package var type: String
        /// What the carrier said about it.
        package var data: [String: JSONValue]

        /// Makes an event.
        package init(frame: FramePosition, at: Date, type: String, data: [String: JSONValue]) {
            self.frame = frame
            self.at = at
            self.type = type
            self.data = data
        }
    }

    package var version = Recording.currentVersion
    package let id: RecordingID
    /// The published name without an ending: the path under the recordings directory. While the call runs, the name wanted.
    package var name: String
    /// While the call runs: what its files shall be called instead, where the number of their part stands for `{part}`.
    package var partName: String?
    /// While the call runs: the lease of the server that records it.
    package var owner: String?
    /// The boot of the kernel under which an unfinished call ran; nil where the system does not tell.
    package var boot: String?
    /// Where the recording was published from which something was left behind in the call's directory.
    package var publishedAs: String?
    package var call: CallFacts
    package var format: AudioFormat
    package var startedAt: Date
    package var endedAt: Date?
    /// Why the call ended, in words; nil while it runs.
    package var endReason: String?
    /// Frames that arrived and were decoded: the length of the call's audio.
    package var framesReceived: Int = 0
    /// Bytes at the very end that never became a whole frame.
    package var leftoverBytes: Int = 0
    /// Messages of the carrier that could not be understood; audio around them was kept.
    package var malformedMessages: Int = 0
    /// Events that were not kept because there were too many, or because they were too large.
    package var droppedEvents: Int = 0
    /// Events that tell what was typed or said while the recording was paused, and were not kept; nil is none.
    package var maskedEvents: Int?
    package var events: [Event] = []
    package var sinks: [Sink]

    /// Starts the manifest of a call.
    package init(id: RecordingID, name: String, call: CallFacts, format: AudioFormat, startedAt: Date, sinks: [Sink]) {
        self.id = id
        self.name = name
        self.call = call
        self.format = format
        self.startedAt = startedAt
        self.sinks = sinks
    }

    /// Length of the audio in seconds.
    package var seconds: Double { format.seconds(frames: framesReceived) }
}

extension Recording.Event {
    /// The recording was paused: what each sink holds from here on, its `onPause` says.
    package static let paused = "paused"
    /// The recording went on.
    package static let resumed = "resumed"
}

extension Recording {
    /// The stretches of the call during which its recording was paused, in order.
    var pauses: [Range<Int>] {
        var pauses: [Range<Int>] = []
        var begin: Int?
        for event in events {
            if event.type == Event.paused { begin = event.frame.frames }
            if event.type == Event.resumed, let start = begin, start <= event.frame.frames {
                pauses.append(start..<event.frame.frames)
                begin = nil
            }
        }
        if let begin, begin < framesReceived { pauses.append(begin..<framesReceived) }
        return pauses
    }
}

extension Recording {
    /// The manifest's JSON text.
    package func encoded() throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        encoder.dateEncodingStrategy = .custom { date, encoder in
            var container = encoder.singleValueContainer()
            try container.encode(date.manifestText)
        }
        return try encoder.encode(self) + Data("\n".utf8)
    }

    /// Reads a manifest.
    package init(manifest: Data) throws {
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .custom { decoder in
            let container = try decoder.singleValueContainer()
            let text = try container.decode(String.self)
            guard let date = Date(manifestText: text) else {
                throw DecodingError.dataCorruptedError(in: container, debugDescription: "\"\(text)\" is not a date")
            }
            return date
        }
        let recording = Result { try decoder.decode(Recording.self, from: manifest) }
        // Another version may have another layout: its number says more than what is missing from ours.
        let version = try (try? recording.get().version) ?? decoder.decode(Version.self, from: manifest).version
        guard version == Self.currentVersion else {
            throw RecordingError("manifest version \(version) is not \(Self.currentVersion)")
        }
        self = try recording.get()
        try check()
    }

    /// What every version has.
    private struct Version: Decodable { let version: Int }
}

extension Date {
    private static let manifestStyle = Date.ISO8601FormatStyle(includingFractionalSeconds: true)

    /// UTC with milliseconds, such as `2026-11-22T10:15:00.250Z` (ISO 8601).
    package var manifestText: String {
        // The style cuts off what follows the milliseconds, and a binary fraction is often a little less than they are: without
        // rounding, a date would be a millisecond earlier each time that it is read and written.
        (self + 0.0005).formatted(Self.manifestStyle)
    }

    /// Reads what ``manifestText`` writes.
    package init?(manifestText: String) {
        guard let date = try? Self.manifestStyle.parse(manifestText) else { return nil }
        self = date
    }
}

/// Why a recording could not be made, kept or read.
package struct RecordingError: Error, Sendable, CustomStringConvertible {
    /// What happened, with the path or the value that it happened to.
    package let reason: String
    /// The system's error number, when the system refused.
    package let underlying: Int32?

    /// Makes an error.
    package init(_ reason: String, underlying: Int32? = nil) {
        self.reason = reason
        self.underlying = underlying
    }

    /// The reason, and the system's own words after it.
    package var description: String {
        guard let underlying else { return reason }
        return "\(reason): \(systemMessage(underlying))"
    }
}
