/// The keys that every sink entry of the configuration has, whatever its type.
package struct SinkEnvelope: Configurable {
    /// How files and messages call this entry; by default its type, with a number from the second of a type on.
    package var name: String?
    /// Whether the entry is used at all.
    package var enabled = true
    /// Where this sink's files go; nil is the recordings directory.
    package var directory: String?
    /// Where this sink goes on when its directory fails; nil is nowhere.
    package var fallback: String?
    /// Whether `directory` and `fallback` are never made, because their disk is not mounted where they are missing.
    package var mustExist = false
    /// Whether a call is refused when this sink cannot open.
    package var required = false
    /// What becomes of the call when this sink fails later.
    package var onError = ErrorPolicy.continue
    /// Seconds of audio that may wait for this sink before the call's socket is no longer read.
    package var buffer = 30.0
    /// Seconds without progress after which a full sink is left behind, so that the call goes on without it.
    package var stallLimit = 10.0
    /// Seconds for which the sink may hold the call back by being slower than it; then it is left behind. 0 is never.
    package var holdLimit = 10.0
    /// Seconds between two checkpoints.
    package var checkpoint = 1.0
    /// Seconds between two syncs of the files to stable storage while the call runs; 0 is only at its end.
    package var sync = 0.0
    /// Seconds that closing may take after the call's end.
    package var finishLimit = 60.0
    /// Seconds of audio in one part; nil is no limit of time.
    package var partLength: Int?
    /// Megabytes (10^6 bytes) after which the next part begins; nil is no limit of size.
    package var partSize: Int?
    /// Seconds after which a sink that failed everywhere is tried again; 0 is never.
    package var retry = 0.0
    /// Frames a second in this sink; nil is what the call has.
    package var sampleRate: Int?
    /// Channels in this sink; nil is what the call has.
    package var channels: Int?
    /// What this sink gets while the recording of a call is paused.
    package var onPause = PausePolicy.silence

    /// What becomes of a call when one of its sinks fails.
    package enum ErrorPolicy: String, CaseIterable, Sendable {
        /// The call and its other sinks go on.
        case `continue`
        /// The call is ended, so that nobody goes on speaking to a recorder that does not record as it should.
        case stopCall
    }

    /// What a sink gets while the recording of its call is paused.
    package enum PausePolicy: String, CaseIterable, Codable, Sendable {
        /// Silence of the same length.
        case silence
        /// Nothing: its part ends, and the next one begins where the recording goes on.
        case skip
        /// The audio all the same.
        case record
    }

    /// Every key at its default.
    package init() {}

    /// The shape of what this sink gets of a call's audio.
    func format(of call: AudioFormat) -> AudioFormat {
        AudioFormat(sampleRate: sampleRate ?? call.sampleRate, channels: channels ?? call.channels)
    }

    package static let fields: [Field<Self>] = [
        .string("name", \.name, type: "letters, digits, - and _", "How files and messages call this entry; null uses its type.") {
            // These words stand in names of files: of a sink's fallback, of the manifest, and of the parts of a recording.
            let word = $0.lowercased()
            if word == "fallback" || word == "json" || PartName.isMark(word) { return "is taken by the program itself" }
            return isPlainName($0) ? nil : "is not made of letters, digits, - and _ alone"
        },
        .boolean("enabled", \.enabled, "Whether this entry is used."),
        .string(
            "directory", \.directory, type: "path",
            "Where this sink's files go; null is the recordings directory. The manifest is always there.", check: { $0.mistakeAsPath }),
        .string(
            "fallback", \.fallback, type: "path",
            "Where this sink goes on when its directory fails, without losing a frame; null is nowhere.", check: { $0.mistakeAsPath }),
        .boolean(
            "mustExist", \.mustExist,
            "Whether `directory` and `fallback` are left alone where they are missing, as on a disk that is not mounted, instead of being made."),
        .boolean("required", \.required, "Whether calls are refused while this sink cannot open."),
        .choice("onError", \.onError, "What becomes of the call when this sink fails later: it goes on, or it is ended."),
        .number("buffer", \.buffer, in: 0.5...600, "Seconds of audio that may wait for this sink; when it is full, the call's socket is not read."),
        .number(
            "stallLimit", \.stallLimit, in: 0.1...600,
            "Seconds without progress after which a full sink is left behind; what it misses becomes silence."),
        .number(
            "holdLimit", \.holdLimit, in: 0...86400,
            "Seconds for which a full sink that moves, but slower than the call, may hold the call back; then it is left behind. 0 never holds it."
        ),
        .number("checkpoint", \.checkpoint, in: 0.1...3600, "Seconds between two checkpoints, each of which makes the file readable as it stands."),
        .number(
            "sync", \.sync, in: 0...3600,
            "Seconds between two syncs of a running call's files to the disk: the most that a power cut takes. 0 syncs at the call's end only."),
        .number("finishLimit", \.finishLimit, in: 1...3600, "Seconds that closing the file may take before the recording is published without it."),
        .integer("partLength", \.partLength, in: 1...86400, "Seconds of audio after which the next part begins, exact to the frame; null is never."),
        .integer(
            "partSize", \.partSize, in: 1...1_000_000,
            "Megabytes (10^6 bytes) after which the next part begins: a part has at most one write more; null is never."),
        .number(
            "retry", \.retry, in: 0...3600,
            "Seconds after which a sink that failed, in its fallback too, is opened again and goes on in a next part; 0 never does."),
        .integer("sampleRate", \.sampleRate, in: 8000...48000, "Frames a second in this sink; null is what the call has."),
        .integer("channels", \.channels, in: 1...2, "Channels in this sink, mixed or doubled; null is what the call has."),
        .choice(
            "onPause", \.onPause,
            "What this sink gets while a call's recording is paused: silence of the same length, nothing, or the audio all the same."),
    ]
}

/// Whether a name can stand in file names and messages as it is.
private func isPlainName(_ name: String) -> Bool {
    !name.isEmpty && name.utf8.count <= 32
        && name.utf8.allSatisfy {
            UInt8(ascii: "a")...UInt8(ascii: "z") ~= $0 | 0x20 || UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 || $0 == UInt8(ascii: "-")
                || $0 == UInt8(ascii: "_")
        }
}
