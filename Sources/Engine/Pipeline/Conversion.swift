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
        return try chunk.withSamples { span throws(SinkError) in try convert(span, isLast: false) }
    }

    /// Ends the conversion, and returns the audio held back.
    mutating func finish() throws(SinkError) -> PCMChunk { try convert([Int16]().span, isLast: true) }

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
