package import CallreelCore
package import Foundation

/// The live ledger of one call, from its first frame until its manifest is published.
///
/// It is the recorder's own: the call's directory has it as `<name>.json`, so that the next program can finish the call
/// after a crash. ``manifest(as:named:)`` makes the published form of an ended call, and ``init(reopening:)`` takes it
/// back, where a published call gets further files.
package struct CallLedger: CallAccount {
    /// Progress of a sink.
    package enum Progress: Hashable, Sendable {
        /// The call is running.
        case recording
        /// The sink has ended.
        case ended(Recording.SinkState)
    }

    /// A file of a sink.
    package struct File: FileEntry, Hashable {
        package var name: String
        package var directory: String?
        package var bytes: Int
        package var frames: Int?
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

    /// The account of one sink so far.
    package struct Sink: SinkEntry {
        package var type: String
        package var name: String
        /// Progress of the sink.
        package var state: Progress
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
        /// Directories, besides the recordings directory, where files of this sink may be.
        package var directories: [String]?
        /// Details from the sink itself.
        package var details: [String: JSONValue]?
        /// Reason why the sink failed, or continued in its fallback or another part.
        package var error: String?
        /// Cause of the error: the options, the destination or a bug.
        package var blame: SinkError.Blame?

        /// Makes the entry of a sink without files.
        package init(type: String, name: String, state: Progress = .recording, directories: [String]? = nil) {
            self.type = type
            self.name = name
            self.state = state
            self.directories = directories
        }
    }

    package var version = CallLedger.currentVersion
    package let id: RecordingID
    /// The program that records the call, with its version; nil in a ledger of an older program.
    package var program: String?
    /// The wanted name of the recording.
    package var name: String
    /// Name of the files, with `{part}` in place of the part number; nil if they use ``name``.
    package var partName: String?
    /// Lease of the recording server.
    package var owner: String?
    /// The boot of the kernel under which the call ran; nil where the system does not tell.
    package var boot: String?
    /// Name of the published recording. Set when the publication leaves some files in the call's directory.
    package var publishedAs: String?
    package var call: CallFacts
    package var format: AudioFormat
    package var startedAt: Date
    /// Time of the end; nil while the call runs.
    package var endedAt: Date?
    /// Reason why the call ended, in words; nil while the call runs.
    package var endReason: String?
    package var framesReceived: Int = 0
    package var leftoverBytes: Int = 0
    package var malformedMessages: Int = 0
    package var droppedEvents: Int = 0
    /// Events not kept, because they may tell what was typed or said while the recording was paused; nil for none.
    package var maskedEvents: Int?
    package var events: [CallEvent] = []
    package var sinks: [Sink]
    package var deliveries: [DeliveryEntry]?
    /// Entries of the configuration whose condition the call did not meet; nil for none.
    package var skippedEntries: [SkippedEntry]?

    /// Starts the ledger of a call.
    package init(id: RecordingID, name: String, call: CallFacts, format: AudioFormat, startedAt: Date, sinks: [Sink]) {
        self.id = id
        self.name = name
        self.call = call
        self.format = format
        self.startedAt = startedAt
        self.sinks = sinks
    }

    /// Directories, besides the recordings directory, where files of this call may be.
    var roots: Set<String> { Set(sinks.flatMap { $0.directories ?? [] }) }

    /// Returns the published name of a file of this call, given the call's published name.
    func publishedName(_ file: String, as name: String) -> String {
        Self.publishedName(file, of: self.name, partName: partName, as: name)
    }

    /// Returns the published name of a file, given the call's published name.
    ///
    /// If the chosen name was taken, the call's name has a number. Its files get the same number.
    static func publishedName(_ file: String, of wanted: String, partName: String?, as name: String) -> String {
        let ending = file.dropFirst(wanted.lastPathComponent.count)
        guard let partName else { return name + ending }
        let (part, rest) = PartName.split(ending)
        return partName.replacing(PartName.placeholder, with: "\(part)") + name.dropFirst(wanted.count) + rest
    }

    package func checkOwn() throws(ManifestError) {
        if let publishedAs { try ManifestError.demand(path: publishedAs, "publishedAs") }
        if let partName { try ManifestError.demand(path: partName, "partName") }
        for sink in sinks {
            for directory in sink.directories ?? [] {
                try ManifestError.demand(directory: directory, "sink \(sink.name): directories")
            }
        }
    }
}

extension CallLedger.Progress: Codable {
    private static let running = "recording"

    package init(from decoder: any Decoder) throws {
        let word = try decoder.singleValueContainer().decode(String.self)
        self = try word == Self.running ? .recording : .ended(Recording.SinkState(from: decoder))
    }

    package func encode(to encoder: any Encoder) throws {
        switch self {
        case .recording:
            var container = encoder.singleValueContainer()
            try container.encode(Self.running)
        case .ended(let state): try state.encode(to: encoder)
        }
    }
}
