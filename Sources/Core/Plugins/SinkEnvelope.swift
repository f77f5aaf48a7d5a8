/// The keys common to all sink entries of the configuration.
package struct SinkEnvelope: Configurable {
    /// The entry's name in file names and messages. By default its type, with a number from the second of a type on.
    package var name: String?
    /// The entry is used.
    package var enabled = true
    /// The calls that this sink records; nil is all.
    package var when: CallCondition?
    /// The directory for this sink's files; nil is the recordings directory.
    package var directory: String?
    /// The directory in which this sink goes on if its first one fails; nil is none.
    package var fallback: String?
    /// Callreel never makes `directory` and `fallback`: if they are missing, their disk is not mounted.
    package var mustExist = false
    /// Callreel refuses calls while this sink cannot be opened.
    package var required = false
    /// The effect on the call if this sink fails later.
    package var onError = ErrorPolicy.continue
    /// Seconds of audio that may be queued for this sink before the call's socket is no longer read.
    package var buffer = 30.0
    /// Seconds without progress after which a full sink stalls, so that the call goes on without it.
    package var stallLimit = 10.0
    /// Seconds for which a slow sink may hold the call back before it stalls. With 0 it never holds the call back.
    package var holdLimit = 10.0
    /// Seconds between two checkpoints.
    package var checkpoint = 1.0
    /// Seconds between two syncs of the files to stable storage while the call runs; 0 syncs only at its end.
    package var sync = 0.0
    /// Seconds that closing may take after the call's end.
    package var finishLimit = 60.0
    /// Seconds of audio in one part; nil is no limit of time.
    package var partLength: Int?
    /// Megabytes (10^6 bytes) after which the next part begins; nil is no limit of size.
    package var partSize: Int?
    /// Seconds after which a sink that failed everywhere is tried again; 0 is never.
    package var retry = 0.0
    /// Frames a second in this sink; nil takes the call's rate.
    package var sampleRate: Int?
    /// Channels in this sink; nil takes the call's number.
    package var channels: Int?
    /// The audio for this sink while the recording of a call is paused.
    package var onPause = PausePolicy.silence

    /// The effect on a call if one of its sinks fails.
    package enum ErrorPolicy: String, CaseIterable, Sendable {
        /// The call and its other sinks go on.
        case `continue`
        /// The call is ended, so that the parties do not go on speaking without a proper recording.
        case stopCall
    }

    /// Makes an envelope with every key at its default.
    package init() {}

    /// Returns the shape of a call's audio in this sink.
    package func format(of call: AudioFormat) -> AudioFormat {
        AudioFormat(sampleRate: sampleRate ?? call.sampleRate, channels: channels ?? call.channels)
    }

    package static let fields: [Field<Self>] = [
        .string(
            "name", \.name, type: "letters, digits, - and _",
            "The entry's name in files and messages; null uses its type."
        ) {
            // File names use these words: for a sink's fallback, for the manifest, and for the parts of a recording.
            let word = $0.lowercased()
            if word == "fallback" || word == "json" || PartName.isMark(word) { return "is a reserved name" }
            return isPlainName($0) ? nil : "has characters other than letters, digits, - and _"
        },
        .boolean("enabled", \.enabled, "Uses this entry; false skips it."),
        .condition(
            "when", \.when,
            "The calls that this sink records, by patterns for carrier, from, to, uuid, conversation or header.NAME; "
                + "null is all."),
        .string(
            "directory", \.directory, type: "path",
            "The directory of this sink's files; null uses the recordings directory, which always gets the manifest.",
            check: { $0.mistakeAsPath }),
        .string(
            "fallback", \.fallback, type: "path",
            "A second directory. If the first fails, the sink continues there without losing a frame; null has none.",
            check: { $0.mistakeAsPath }),
        .boolean(
            "mustExist", \.mustExist,
            "If true, Callreel never creates `directory` and `fallback`, which may be on a disk that is not mounted."
        ),
        .boolean("required", \.required, "If true, Callreel refuses calls while this sink cannot open."),
        .choice(
            "onError", \.onError, "Continues or ends the call if this sink fails later."),
        .number(
            "buffer", \.buffer, in: 0.5...600,
            "Seconds of audio that may wait for this sink. While it is full, the call's socket is not read."),
        .number(
            "stallLimit", \.stallLimit, in: 0.1...600,
            "Seconds without progress after which a full sink is stalled. Its audio is then replaced by silence."
        ),
        .number(
            "holdLimit", \.holdLimit, in: 0...86400,
            "Seconds for which a full sink, slower than the call, may hold the call back. Then it is stalled. "
                + "0 never holds the call back."
        ),
        .number(
            "checkpoint", \.checkpoint, in: 0.1...3600,
            "Seconds between two checkpoints. Each makes the file readable as it is."),
        .number(
            "sync", \.sync, in: 0...3600,
            "Seconds between two syncs of a running call's files to the disk. A power cut loses at most this much. "
                + "0 syncs only at the call's end."
        ),
        .number(
            "finishLimit", \.finishLimit, in: 1...3600,
            "Seconds for closing the file. After that, the recording is published without it."),
        .integer(
            "partLength", \.partLength, in: 1...86400,
            "Seconds of audio after which the next part begins, exact to the frame; null is never."),
        .integer(
            "partSize", \.partSize, in: 1...1_000_000,
            "Megabytes (10^6 bytes) after which the next part begins, exceeded by at most one write; null is never."
        ),
        .number(
            "retry", \.retry, in: 0...3600,
            "Seconds after which a failed sink (its fallback too) is opened again for a next part; 0 never does."
        ),
        .integer(
            "sampleRate", \.sampleRate, in: 8000...48000, "Frames per second in this sink; null keeps the call's."),
        .integer(
            "channels", \.channels, in: 1...2, "Channels in this sink, mixed or doubled; null keeps the call's."),
        .choice(
            "onPause", \.onPause,
            "This sink's audio while a recording is paused: silence of the same length, nothing, or the call's audio."
        ),
    ]

    /// Returns true if a name can stand in file names and messages unchanged.
    static func isPlainName(_ name: String) -> Bool {
        !name.isEmpty && name.utf8.count <= 32
            && name.utf8.allSatisfy {
                UInt8(ascii: "a")...UInt8(ascii: "z") ~= $0 | 0x20 || UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0
                    || $0 == UInt8(ascii: "-")
                    || $0 == UInt8(ascii: "_")
            }
    }
}
