public import CallreelCore

/// How a WAV file keeps its samples.
public enum WAVEncoding: String, CaseIterable, Sendable {
    /// 16-bit integers, as they came: the only one that every reader opens and that loses nothing.
    case pcm16
    /// 24-bit integers, the upper 16 bits as they came.
    case pcm24
    /// 32-bit floating point in ±1, exact as well.
    case float
    /// G.711 µ-law, 8 bits: half the size, exact only for audio that was µ-law before.
    case ulaw
    /// G.711 A-law, 8 bits: half the size, exact only for audio that was A-law before.
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

/// What the operator may say about a WAV sink.
public struct WAVOptions: Configurable {
    /// How samples are kept.
    public var encoding = WAVEncoding.pcm16

    /// Every option at its default.
    public init() {}

    /// The keys of a `{"type": "wav"}` entry.
    public static let fields: [Field<Self>] = [
        .choice(
            "encoding", \.encoding,
            "How samples are kept. pcm16 is exact and opens everywhere; ulaw and alaw take half the space and lose quality.")
    ]
}
