import CallreelCore

/// The filters of one sink, one behind the other, from some position of the call on.
///
/// It holds each filter to its contract: every frame is kept or cut, once and in order.
struct FilterChain {
    /// A run of frames behind the last filter.
    enum Piece {
        case audio(PCMChunk)
        case cut(Range<Int>)
    }

    /// A filter and its progress.
    private struct Stage {
        var filter: any AudioFilter
        let type: String
        /// The end of the audio that the filter has taken.
        var taken: Int
        /// The end of the audio that it has kept or cut.
        var passed: Int
    }

    private var stages: [Stage]
    private let format: AudioFormat

    /// Makes the filters of a sink.
    /// - Parameter start: the first frame that they will take.
    init(_ filters: [PreparedFilter], format: AudioFormat, at start: Int) throws(SinkError) {
        self.format = format
        stages = []
        for filter in filters {
            let made = try filter.make(format)
            stages.append(Stage(filter: made, type: type(of: made).type, taken: start, passed: start))
        }
    }

    /// Passes a chunk through the filters, and returns what is ready.
    mutating func apply(_ chunk: PCMChunk) throws(SinkError) -> [Piece] {
        var pieces: [Piece] = []
        try pass(.audio(chunk), to: 0, &pieces)
        return pieces
    }

    /// Ends the stream, and returns all that the filters held back.
    mutating func finish() throws(SinkError) -> [Piece] {
        var pieces: [Piece] = []
        for index in stages.indices { try flush(index, &pieces) }
        return pieces
    }

    private mutating func pass(_ piece: Piece, to index: Int, _ pieces: inout [Piece]) throws(SinkError) {
        guard index < stages.count else { return pieces.append(piece) }
        switch piece {
        case .audio(let chunk):
            var output = FilterOutput()
            stages[index].taken = chunk.end.frames
            try stages[index].filter.apply(chunk, to: &output)
            try take(output, from: index, &pieces)
        case .cut(let range):
            // The filter sees a gap in its audio here.
            try flush(index, &pieces)
            stages[index].taken = range.upperBound
            stages[index].passed = range.upperBound
            try pass(piece, to: index + 1, &pieces)
        }
    }

    private mutating func flush(_ index: Int, _ pieces: inout [Piece]) throws(SinkError) {
        var output = FilterOutput()
        try stages[index].filter.finish(to: &output)
        try take(output, from: index, &pieces)
        let (passed, taken) = (stages[index].passed, stages[index].taken)
        guard passed == taken else { throw bug(index, "kept back the frames \(passed)..<\(taken) at its end") }
    }

    private mutating func take(_ output: FilterOutput, from index: Int, _ pieces: inout [Piece]) throws(SinkError) {
        for step in output.steps {
            let begin = stages[index].passed, end: Int
            switch step {
            case .keep(let chunk):
                end = chunk.end.frames
                guard chunk.format == format, chunk.start.frames == begin else {
                    throw bug(index, "passed on \(chunk.format) from frame \(chunk.start.frames), not \(begin)")
                }
            case .cut(let position): end = position.frames
            }
            guard begin...stages[index].taken ~= end else {
                throw bug(index, "passed on frames up to \(end), not within \(begin)...\(stages[index].taken)")
            }
            stages[index].passed = end
            switch step {
            case .keep(let chunk): try pass(.audio(chunk), to: index + 1, &pieces)
            case .cut: if begin < end { try pass(.cut(begin..<end), to: index + 1, &pieces) }
            }
        }
    }

    private func bug(_ index: Int, _ reason: String) -> SinkError {
        SinkError(.write, "the filter \(stages[index].type) \(reason)", blame: .bug)
    }
}
