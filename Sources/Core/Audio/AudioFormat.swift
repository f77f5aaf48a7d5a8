/// The shape of a PCM stream: signed 16-bit samples at one rate, interleaved by channel.
///
/// Callreel counts in frames everywhere: one frame is one sample for each channel. Bytes exist only at the
/// socket and at the disk, seconds only in configuration and on the page. The conversions are here.
public struct AudioFormat: Hashable, Sendable, Codable, CustomStringConvertible {
    /// The rates that Callreel records, in frames a second. Carriers send these for telephone speech.
    package static let supportedSampleRates = [8000, 16000, 24000]

    /// Frames a second.
    public let sampleRate: Int
    /// Samples in a frame: 1 for a mix or a single leg, 2 for two legs side by side.
    public let channels: Int

    /// Makes a format. Both numbers must be positive. The carrier's dialect decides which rates are allowed.
    public init(sampleRate: Int, channels: Int = 1) {
        precondition(sampleRate > 0 && channels > 0, "not an audio format: \(sampleRate) Hz, \(channels) channels")
        self.sampleRate = sampleRate
        self.channels = channels
    }

    /// Makes a format from unchecked numbers; nil if the rate is outside 1000...1,000,000 or the channels outside
    /// 1...255. The limits are far beyond audio. They keep conversions from overflowing.
    package init?(checking sampleRate: Int, channels: Int) {
        guard 1000...1_000_000 ~= sampleRate, 1...255 ~= channels else { return nil }
        self.init(sampleRate: sampleRate, channels: channels)
    }

    /// Reads a format from a manifest. Impossible numbers are a decoding error; they do not trap.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        let sampleRate = try container.decode(Int.self, forKey: .sampleRate),
            channels = try container.decode(Int.self, forKey: .channels)
        guard let format = AudioFormat(checking: sampleRate, channels: channels) else {
            throw DecodingError.dataCorruptedError(
                forKey: .channels, in: container,
                debugDescription: "\(sampleRate) Hz with \(channels) channels is not an audio format")
        }
        self = format
    }

    /// Bytes of one frame at 16 bits a sample.
    public var bytesPerFrame: Int { channels * MemoryLayout<Int16>.size }

    /// Returns the duration of so many frames, in seconds.
    public func seconds(frames: Int) -> Double { Double(frames) / Double(sampleRate) }

    /// Returns the frames in so many seconds, rounded to the nearest.
    public func frames(seconds: Double) -> Int {
        let frames = (seconds * Double(sampleRate)).rounded()
        return Int(exactly: frames) ?? (frames > 0 ? .max : frames < 0 ? .min : 0)
    }

    /// The format in words, such as `16000 Hz, 1 channel`.
    public var description: String { "\(sampleRate) Hz, \(channels) channel\(channels == 1 ? "" : "s")" }
}
