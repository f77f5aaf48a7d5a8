package import Foundation

/// The manifest of one call: the received audio, the outcome of each sink, and the files.
///
/// The manifest is stored beside the audio as `<name>.json`. It is published last: once it exists, every file named in
/// it exists too.
package struct Recording: Sendable, Codable, Identifiable {
    /// Version of this layout. Callreel refuses manifests of other versions.
    package static let currentVersion = 1

    /// Progress or outcome of a sink.
    package enum SinkState: String, Sendable, Codable {
        /// The call is running.
        case recording
        /// The sink closed without an error and lost no frame. Silence may stand in place of dropped frames.
        /// If `error` is set, it says why the sink used its fallback.
        case complete
        /// An error ended the sink early.
        case failed
        /// The sink did not end within its time limit.
        case stalled
        /// The sink's files were finished after an interruption of the whole program.
        case recovered
        /// The sink closed without an error, but the call brought no audio. There is no file.
        case empty
    }

    /// A file of a sink.
    package struct File: Hashable, Sendable, Codable {
        /// The path under its directory.
        package var name: String
        /// The directory as an absolute path; nil for the recordings directory.
        package var directory: String?
        package var bytes: Int
        /// Frames in the file; nil if the sink did not state them.
        package var frames: Int?
        /// The frame of the call at which the file begins; nil if unknown.
        package var start: FramePosition?
        /// SHA-256 of the file's bytes, in hexadecimal; nil while the file grows.
        package var sha256: String?

        /// Makes a file's entry.
        package init(
            name: String, directory: String? = nil, bytes: Int, frames: Int? = nil, start: FramePosition? = nil,
            sha256: String? = nil
        ) {
            self.name = name
            self.directory = directory
            self.bytes = bytes
            self.frames = frames
            self.start = start
            self.sha256 = sha256
        }
    }

    /// Frames of the call not held as audio by a sink, as ranges of the call's timeline.
    ///
    /// The totals of the sink are the lengths of these lists.
    package struct Ranges: Hashable, Sendable, Codable {
        /// Silence in place of dropped audio.
        package var silence: FrameRanges?
        /// Silence in place of audio received while the recording was paused.
        package var masked: FrameRanges?
        /// Audio left out because the recording was paused.
        package var skipped: FrameRanges?
        /// Audio in no file, because the sink failed or stalled.
        package var lost: FrameRanges?

        /// Makes the ranges of a sink that holds the whole call.
        package init() {}
    }

    /// The outcome of one sink.
    package struct Sink: Sendable, Codable {
        package var type: String
        package var name: String
        package var state: SinkState
        /// Frames of the call's audio in the sink's files.
        package var written: Int = 0
        /// Frames dropped because the sink was too slow. Its files hold silence in their place.
        package var silence: Int = 0
        /// Frames received while the recording was paused, with silence in their place; nil for none.
        package var masked: Int?
        /// Frames received while the recording was paused, and left out of the files; nil for none.
        package var skipped: Int?
        /// Frames of the call in no file, because the sink failed or stalled.
        package var lost: Int = 0
        /// Places of the frames not held as audio; nil in a manifest of an older program.
        package var ranges: Ranges?
        /// The call's total wait for the sink, in seconds; nil for none.
        package var heldSeconds: Double?
        /// Number of times the sink did not keep up and stalled; nil for none.
        package var stalls: Int?
        /// Format of the sink's audio, in which its files' frames are counted; nil for the call's format.
        package var format: AudioFormat?
        /// Treatment of audio received while the recording is paused; nil for silence.
        package var onPause: PausePolicy?
        package var files: [File] = []
        /// Directories, besides the recordings directory, where files of this sink may be.
        /// Set only while the call runs.
        package var directories: [String]?
        /// Details from the sink itself.
        package var details: [String: JSONValue]?
        /// Reason why the sink failed, or continued in its fallback or another part.
        package var error: String?
        /// Cause of the error: the options, the destination or a bug.
        package var blame: SinkError.Blame?

        /// Makes the entry of a sink without files.
        package init(type: String, name: String, state: SinkState, directories: [String]? = nil) {
            self.type = type
            self.name = name
            self.state = state
            self.directories = directories
        }

        /// Frames of the call's timeline in the sink's files: its audio, and the silence in place of audio.
        package var held: Int { written + silence + (masked ?? 0) }

        /// The sum of all counts. In a sound manifest, it equals the frames that the call received.
        package var accounted: Int { held + (skipped ?? 0) + lost }
    }

    /// An event of the call, with its place on the timeline.
    package struct Event: Hashable, Sendable, Codable {
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

    package var version = Recording.currentVersion
    package let id: RecordingID
    /// The program that recorded the call, with its version; nil in a manifest of an older program.
    package var program: String?
    /// The published name without an ending: a path under the recordings directory.
    /// While the call runs, the wanted name.
    package var name: String
    /// Name of the files, with `{part}` in place of the part number; nil if they use ``name``.
    /// Set only while the call runs.
    package var partName: String?
    /// Lease of the recording server. Set only while the call runs.
    package var owner: String?
    /// The boot of the kernel under which an unfinished call ran; nil where the system does not tell.
    package var boot: String?
    /// Name of the published recording. Set only in the call's directory, when the publication leaves some files there.
    package var publishedAs: String?
    package var call: CallFacts
    package var format: AudioFormat
    package var startedAt: Date
    package var endedAt: Date?
    /// Reason why the call ended, in words; nil while the call runs.
    package var endReason: String?
    /// Frames received and decoded: the length of the call's audio.
    package var framesReceived: Int = 0
    /// Bytes of an incomplete frame at the very end.
    package var leftoverBytes: Int = 0
    /// Messages of the carrier that Callreel could not understand. Audio around them was kept.
    package var malformedMessages: Int = 0
    /// Events dropped because they were too many or too large.
    package var droppedEvents: Int = 0
    /// Events not kept, because they may tell what was typed or said while the recording was paused; nil for none.
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

    /// Directories, besides the recordings directory, where files of this running call may be.
    package var roots: Set<String> { Set(sinks.flatMap { $0.directories ?? [] }) }

    /// Length of the audio in seconds.
    package var seconds: Double { format.seconds(frames: framesReceived) }
}

extension Recording.Event {
    /// Type of the event at which the recording was paused. From here on, the `onPause` of each sink applies.
    package static let paused = "paused"
    /// Type of the event at which the recording resumed.
    package static let resumed = "resumed"
}

extension Recording {
    /// Ranges of the call during which the recording was paused, in order.
    package var pauses: [Range<Int>] {
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
    /// Returns the manifest's JSON text.
    package func encoded() throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        encoder.dateEncodingStrategy = .custom { date, encoder in
            var container = encoder.singleValueContainer()
            try container.encode(date.manifestText)
        }
        return try encoder.encode(self) + Data("\n".utf8)
    }

    /// Reads a manifest and checks its values.
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
        // Another version may have another layout. Its number explains more than the first missing key.
        let version = try (try? recording.get().version) ?? decoder.decode(Version.self, from: manifest).version
        guard version == Self.currentVersion else {
            throw ManifestError("manifest version \(version) is not \(Self.currentVersion)")
        }
        self = try recording.get()
        try check()
    }

    /// The one key common to all versions.
    private struct Version: Decodable { let version: Int }
}

extension Date {
    private static let manifestStyle = Date.ISO8601FormatStyle(includingFractionalSeconds: true)

    /// The date in UTC with milliseconds, such as `2026-11-22T10:15:00.250Z` (ISO 8601).
    package var manifestText: String {
        // The style cuts off all digits after the milliseconds, and a binary fraction is often slightly too small.
        // Without rounding, a date would lose a millisecond each time that it is read and written.
        (self + 0.0005).formatted(Self.manifestStyle)
    }

    /// Reads a date in the form of ``manifestText``; nil for other texts.
    package init?(manifestText: String) {
        guard let date = try? Self.manifestStyle.parse(manifestText) else { return nil }
        self = date
    }
}
