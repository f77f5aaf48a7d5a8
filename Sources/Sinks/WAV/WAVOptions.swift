public import CallreelCore

/// The sample encoding of a WAV file.
public enum WAVEncoding: String, CaseIterable, Sendable {
    /// 16-bit integers, as received. Lossless, and the only encoding that every reader opens.
    case pcm16
    /// 24-bit integers with the received samples in the upper 16 bits. Lossless.
    case pcm24
    /// 32-bit floating point in ±1. Lossless.
    case float
    /// G.711 µ-law, 8 bits. Half the size; lossless only for audio that was µ-law before.
    case ulaw
    /// G.711 A-law, 8 bits. Half the size; lossless only for audio that was A-law before.
    case alaw

    /// Bytes of one sample in the file.
    var bytesPerSample: Int {
        switch self {
        case .pcm16: 2
        case .pcm24: 3
        case .float: 4
        case .ulaw, .alaw: 1
        }
    }
}

/// The options of a WAV sink.
public struct WAVOptions: Configurable {
    /// The sample encoding.
    public var encoding = WAVEncoding.pcm16

    /// Every option at its default.
    public init() {}

    /// The keys of a `{"type": "wav"}` entry.
    public static let fields: [Field<Self>] = [
        .choice(
            "encoding", \.encoding,
            "The samples' encoding. pcm16 is exact and opens everywhere; ulaw and alaw halve the size and lose quality."
        )
    ]
}
