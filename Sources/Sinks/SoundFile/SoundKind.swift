/// What a sound file is outside, and how it keeps the samples inside.
struct SoundKind: Hashable, Sendable {
    /// What stands around the samples.
    enum Container: Sendable { case wav, aiff, au, caf, w64, rf64, ogg, mpeg }

    /// How samples are kept.
    enum Encoding: Sendable { case pcm16, pcm24, float, ulaw, alaw, opus, vorbis, mp3 }

    /// Milliseconds of audio in one page of Ogg Opus: what a kill takes. The library's own choice is 1000; each page costs some
    /// 30 bytes.
    static let opusPageMilliseconds = 500.0
    /// The library's quality, with a constant bit rate, from which on a frame of MP3 at any of our rates has room for the tag that
    /// says how many samples are the call's. Without it a file is longer than the call (measured with 1.2.0 and LAME 3.100).
    static let leastMP3Quality = 0.35

    let container: Container
    let encoding: Encoding

    /// Names a kind.
    init(_ container: Container, _ encoding: Encoding) {
        self.container = container
        self.encoding = encoding
    }

    /// Whether the file is a row of pages or frames that say nothing of those to come, so that there is no header to keep right.
    var isStream: Bool { container == .ogg || container == .mpeg }

    /// Bytes of one sample in the file; nil where samples have no size.
    var bytesPerSample: Int? {
        switch encoding {
        case .pcm16: 2
        case .pcm24: 3
        case .float: 4
        case .ulaw, .alaw: 1
        case .opus, .vorbis, .mp3: nil
        }
    }

    /// Whether 16-bit samples come out as they went in.
    var keepsSamples: Bool {
        switch encoding {
        case .pcm16, .pcm24, .float: true
        case .ulaw, .alaw, .opus, .vorbis, .mp3: false
        }
    }
}

extension WAVEncoding {
    /// The same encoding in any container.
    var soundEncoding: SoundKind.Encoding {
        switch self {
        case .pcm16: .pcm16
        case .pcm24: .pcm24
        case .float: .float
        case .ulaw: .ulaw
        case .alaw: .alaw
        }
    }
}
