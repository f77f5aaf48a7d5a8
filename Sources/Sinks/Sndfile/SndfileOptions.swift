public import CallreelCore

/// A kind of file written by the `sndfile` sink.
public enum SndfileFormat: String, CaseIterable, Sendable {
    /// Opus in Ogg: speech at a tenth of its size.
    case opus
    /// Vorbis in Ogg.
    case vorbis
    /// MPEG layer III at a constant bit rate.
    case mp3
    /// Apple's Core Audio Format.
    case caf
    /// AIFF, or AIFF-C if the encoding needs it.
    case aiff
    /// Sony's Wave64.
    case w64
    /// RIFF WAV with sizes of 64 bits.
    case rf64
    /// The format of Sun and NeXT.
    case au

    /// The file name extension.
    var fileExtension: String { self == .vorbis ? "ogg" : rawValue }

    /// Returns the container and encoding. The requested encoding applies only to kinds with a choice.
    func kind(_ encoding: WAVEncoding?) -> SoundKind {
        let samples = (encoding ?? .pcm16).soundEncoding
        return switch self {
        case .opus: SoundKind(.ogg, .opus)
        case .vorbis: SoundKind(.ogg, .vorbis)
        case .mp3: SoundKind(.mpeg, .mp3)
        case .caf: SoundKind(.caf, samples)
        case .aiff: SoundKind(.aiff, samples)
        case .w64: SoundKind(.w64, samples)
        case .rf64: SoundKind(.rf64, samples)
        case .au: SoundKind(.au, samples)
        }
    }

    /// The sample rates that the encoder takes. Nil if it takes every rate of a call.
    var sampleRates: [Int]? {
        switch self {
        // RFC 6716, section 2, table 1.
        case .opus: [8000, 12000, 16000, 24000, 48000]
        // ISO/IEC 11172-3 and 13818-3; the lowest three are a usual extension.
        case .mp3: [8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000]
        default: nil
        }
    }

    /// Bytes of audio that the 32-bit sizes in a header can count. Nil if the sizes have 64 bits, or if there are none.
    var maximumDataBytes: Int? {
        switch self {
        // The last 64 KiB before the limit are far more than the header and its texts take.
        case .aiff, .au: 1 << 32 - 1 << 16
        default: nil
        }
    }
}

/// The options of an `sndfile` sink.
public struct SndfileOptions: Configurable {
    /// The kind of file.
    public var format = SndfileFormat.opus
    /// The sample encoding, for formats with a choice. Nil means 16-bit integers.
    public var encoding: WAVEncoding?
    /// The quality of a lossy format, 0 to 1. Nil means the encoder's own choice.
    public var quality: Double?

    /// Every option at its default.
    public init() {}

    /// The keys of a `{"type": "sndfile"}` entry.
    public static let fields: [Field<Self>] = [
        .choice(
            "format", \.format,
            "The file format. opus, vorbis and mp3 are small and lose some quality; the others keep samples."),
        .choice(
            "encoding", \.encoding,
            "The encoding of samples in caf, aiff, w64, rf64 and au; null takes pcm16, which is exact."),
        .number(
            "quality", \.quality, in: 0...1,
            "The quality of opus, vorbis and mp3: 0 is smallest, 1 is best. null takes the encoder's default."
        ),
    ]
}
