package import Foundation

/// The published manifest of one call: the received audio, the outcome of each sink, and the files.
///
/// The manifest is stored beside the audio as `<name>.json`. It is published last: once it exists, every file named in
/// it exists too. Its JSON form is a promise to other programs: `Docs/Reference/Manifest.md`.
package struct Recording: CallAccount {
    /// Outcome of a sink.
    package enum SinkState: String, Sendable, Codable {
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
    package struct File: FileEntry, Hashable {
        package var name: String
        package var directory: String?
        package var bytes: Int
        package var frames: Int?
        package var start: FramePosition?
        /// SHA-256 of the file's bytes, in hexadecimal.
        package var sha256: String

        /// Makes a file's entry.
        package init(
            name: String, directory: String? = nil, bytes: Int, frames: Int? = nil, start: FramePosition? = nil,
            sha256: String
        ) {
            self.name = name
            self.directory = directory
            self.bytes = bytes
            self.frames = frames
            self.start = start
            self.sha256 = sha256
        }
    }

    /// The outcome of one sink.
    package struct Sink: SinkEntry {
        package var type: String
        package var name: String
        package var state: SinkState
        package var written: Int = 0
        package var silence: Int = 0
        package var masked: Int?
        package var skipped: Int?
        package var cut: Int?
        package var lost: Int = 0
        package var ranges: SinkRanges?
        /// The call's total wait for the sink, in seconds; nil for none.
        package var heldSeconds: Double?
        /// Number of times the sink did not keep up and stalled; nil for none.
        package var stalls: Int?
        package var format: AudioFormat?
        package var onPause: PausePolicy?
        /// The filters that the audio went through, each with its type and options; nil for none.
        package var filters: [JSONValue]?
        package var files: [File] = []
        /// Details from the sink itself.
        package var details: [String: JSONValue]?
        /// Reason why the sink failed, or continued in its fallback or another part.
        package var error: String?
        /// Cause of the error: the options, the destination or a bug.
        package var blame: SinkError.Blame?

        /// Makes the entry of a sink without files.
        package init(type: String, name: String, state: SinkState) {
            self.type = type
            self.name = name
            self.state = state
        }
    }

    package var version = Recording.currentVersion
    package let id: RecordingID
    /// The program that recorded the call, with its version; nil in a manifest of an older program.
    package var program: String?
    package var name: String
    package var call: CallFacts
    package var format: AudioFormat
    package var startedAt: Date
    package var endedAt: Date
    /// Reason why the call ended, in words.
    package var endReason: String
    package var framesReceived: Int = 0
    package var leftoverBytes: Int = 0
    package var malformedMessages: Int = 0
    package var droppedEvents: Int = 0
    /// Events not kept, because they may tell what was typed or said while the recording was paused; nil for none.
    package var maskedEvents: Int?
    package var events: [CallEvent] = []
    package var sinks: [Sink] = []
    package var deliveries: [DeliveryEntry]?
    /// Entries of the configuration whose condition the call did not meet; nil for none.
    package var skippedEntries: [SkippedEntry]?

    /// Makes the manifest of a call without sinks.
    package init(
        id: RecordingID, name: String, call: CallFacts, format: AudioFormat, startedAt: Date,
        ended: (at: Date, reason: String)
    ) {
        self.id = id
        self.name = name
        self.call = call
        self.format = format
        self.startedAt = startedAt
        endedAt = ended.at
        endReason = ended.reason
    }

    /// Length of the audio in seconds.
    package var seconds: Double { format.seconds(frames: framesReceived) }

    package func checkOwn() throws(ManifestError) {}
}
