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
    /// Frames taken and produced so far.
    private var taken = 0, made = 0
    /// The origin of the last chunk.
    private var origin = PCMChunk.Origin.call
    private var converter: ShapeConverter

    /// Begins at a position of the call.
    init(
        from source: AudioFormat, to target: AudioFormat, at start: FramePosition,
        maker: RateConverterMaker?
    ) throws(SinkError) {
        self.source = source
        self.target = target
        self.start = start.frames
        targetStart = target.frames(start.frames, of: source)
        do throws(RateConverterError) {
            converter = try ShapeConverter(from: source, to: target, maker: maker)
        } catch {
            throw SinkError(.open, error.reason, blame: error.isOfRates ? .options : .destination)
        }
    }

    /// Returns the position on the call's timeline of a frame of the result.
    func position(of frame: FramePosition) -> Int { start + source.frames(frame.frames - targetStart, of: target) }

    /// Converts a chunk. A converter may hold back a little of it.
    mutating func convert(_ chunk: PCMChunk) throws(SinkError) -> PCMChunk {
        origin = chunk.origin
        taken += chunk.frameCount
        return try chunk.withSamples { span throws(SinkError) in try convert(span, isLast: false) }
    }

    /// Ends the conversion, and returns the audio held back.
    mutating func finish() throws(SinkError) -> PCMChunk { try convert([Int16]().span, isLast: true) }

    /// Ends the conversion where frames of the call are cut out.
    ///
    /// The result of all of it has exactly the length of the audio taken, rounded down. So a file with cuts has a known
    /// place for each frame: a converter's own length may differ by a frame.
    mutating func finishAtCut() throws(SinkError) -> PCMChunk {
        let before = made, rest = try finish()
        let length = max(0, target.frames(taken, of: source) - before)
        made = before + length
        if rest.frameCount >= length { return rest.prefix(length) }
        let missing = [Int16](repeating: 0, count: (length - rest.frameCount) * target.channels)
        return PCMChunk(samples: rest.samples + missing, format: target, start: rest.start, origin: origin)
    }

    private mutating func convert(_ samples: Span<Int16>, isLast: Bool) throws(SinkError) -> PCMChunk {
        let output: [Float]
        do throws(RateConverterError) {
            output = try converter.convert(samples.indices.map { Float(sample: samples[$0]) }, isLast: isLast)
        } catch {
            throw SinkError(.write, error.reason)
        }
        let chunk = PCMChunk(
            samples: output.map(Int16.init(sample:)), format: target, start: FramePosition(targetStart + made),
            origin: origin)
        made += chunk.frameCount
        return chunk
    }
}
