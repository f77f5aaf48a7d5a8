/// A sound file's container and sample encoding.
struct SoundKind: Hashable, Sendable {
    /// The file format around the samples.
    enum Container: Sendable { case wav, aiff, au, caf, w64, rf64, ogg, mpeg }

    /// The encoding of the samples.
    enum Encoding: Sendable { case pcm16, pcm24, float, ulaw, alaw, opus, vorbis, mp3 }

    /// Milliseconds of audio in one page of Ogg Opus, the most that a kill loses. The library's own choice is 1000.
    /// Each page costs some 30 bytes.
    static let opusPageMilliseconds = 500.0
    /// The lowest quality used for MP3, on the library's scale and with a constant bit rate.
    /// From it on, an MPEG frame at every rate of a call has room for LAME's tag.
    /// The tag states the samples that belong to the call. Without it, a file is longer than the call
    /// (measured with 1.2.0 and LAME 3.100).
    static let leastMP3Quality = 0.35

    let container: Container
    let encoding: Encoding

    /// Creates a kind from a container and an encoding.
    init(_ container: Container, _ encoding: Encoding) {
        self.container = container
        self.encoding = encoding
    }

    /// True when the file is a row of pages or MPEG frames without a length in its header.
    /// There is then no header to keep right.
    var isStream: Bool { container == .ogg || container == .mpeg }

    /// Bytes of one sample in the file. Nil if samples have no fixed size.
    var bytesPerSample: Int? {
        switch encoding {
        case .pcm16: 2
        case .pcm24: 3
        case .float: 4
        case .ulaw, .alaw: 1
        case .opus, .vorbis, .mp3: nil
        }
    }

    /// True when decoding returns the original 16-bit samples.
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
