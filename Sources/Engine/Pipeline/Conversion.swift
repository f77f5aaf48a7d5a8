import CallreelCore

/// Converts a call's audio to the shape that a sink asked for, from some position of the call on.
struct Conversion {
    /// The shape of the call's audio.
    private let source: AudioFormat
    /// The shape of the result.
    let target: AudioFormat
    /// The position on the call's timeline at which the conversion began.
    private let start: Int
    /// The same position, counted in frames of the result.
    private let targetStart: Int
    /// Frames produced so far.
    private var made = 0
    private var converter: (any RateConverter)?

    /// Begins at a position of the call.
    init(
        from source: AudioFormat, to target: AudioFormat, at start: FramePosition,
        maker: RateConverterMaker?
    ) throws(SinkError) {
        self.source = source
        self.target = target
        self.start = start.frames
        targetStart = target.frames(start.frames, of: source)
        if source.sampleRate != target.sampleRate {
            guard let maker else {
                throw SinkError(
                    .open, "no converter from \(source.sampleRate) Hz to \(target.sampleRate) Hz", blame: .options)
            }
            do throws(RateConverterError) {
                converter = try maker(source.sampleRate, target.sampleRate, min(source.channels, target.channels))
            } catch {
                throw SinkError(.open, error.reason, blame: error.isOfRates ? .options : .destination)
            }
        }
    }

    /// Returns the position on the call's timeline of a frame of the result.
    func position(of frame: FramePosition) -> Int { start + source.frames(frame.frames - targetStart, of: target) }

    /// Converts a chunk. A converter may hold back a little of it.
    mutating func convert(_ chunk: PCMChunk) throws(SinkError) -> PCMChunk {
        try chunk.withSamples { span throws(SinkError) in try convert(span, isLast: false) }
    }

    /// Ends the conversion, and returns the audio held back.
    mutating func finish() throws(SinkError) -> PCMChunk { try convert([Int16]().span, isLast: true) }

    private mutating func convert(_ samples: Span<Int16>, isLast: Bool) throws(SinkError) -> PCMChunk {
        // Channels are removed before the conversion and added after it, so that the converter has the least to do.
        let narrow = min(source.channels, target.channels)
        var output =
            source.channels > narrow
            ? Self.mix(samples, from: source.channels, to: narrow) : samples.indices.map { samples[$0] }
        do throws(RateConverterError) {
            if converter != nil { output = try converter?.convert(output.span, isLast: isLast) ?? [] }
        } catch {
            throw SinkError(.write, error.reason)
        }
        if target.channels > narrow { output = Self.mix(output.span, from: narrow, to: target.channels) }
        let chunk = PCMChunk(samples: output, format: target, start: FramePosition(targetStart + made))
        made += chunk.frameCount
        return chunk
    }

    /// Returns the mean of all channels in each of the new ones.
    static func mix(_ samples: Span<Int16>, from source: Int, to target: Int) -> [Int16] {
        let frames = samples.count / source
        return unsafe [Int16](unsafeUninitializedCapacity: frames * target) { buffer, count in
            for frame in 0..<frames {
                var sum = 0
                for channel in 0..<source { sum += Int(samples[frame * source + channel]) }
                // Rounded to the nearest, so that silence and full scale stay unchanged.
                let mean = Int16((Double(sum) / Double(source)).rounded())
                for channel in 0..<target { unsafe buffer[frame * target + channel] = mean }
            }
            count = frames * target
        }
    }
}
