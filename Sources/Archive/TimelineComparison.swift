import CallreelCore
import Crypto

/// Compares the audio of a call's sinks piece by piece, and checks that silent ranges are silent.
///
/// The timeline is cut wherever a file or a silent range of any sink begins or ends. So a piece is entirely audio or
/// entirely silence, and lies entirely inside or outside a file.
/// Only hashes are kept, so memory does not grow with the call.
struct TimelineComparison {
    private struct Piece {
        let range: Range<Int>
        let hash: SHA256.Digest
        let sink: String
    }

    /// Largest absolute sample value allowed in resampled silence.
    private static let ringing = 2
    /// Seconds by which resampling may smear audio into silence: a generous estimate.
    private static let smear = 0.05

    private let recording: Recording
    /// Frames where the timeline is cut, for sinks in the call's own format.
    private let cuts: [Int]
    /// Hash of each piece in the first sink with that piece, by the piece's first frame.
    private var pieces: [Int: Piece] = [:]
    /// Differences found so far, in words.
    private(set) var problems: [String] = []

    private var sink: Recording.Sink?
    private var stretches: [Range<Int>]?
    private var quiet = FrameRanges()
    private var cursor: Cursor?

    init(_ recording: Recording) {
        self.recording = recording
        var cuts: Set<Int> = []
        for sink in recording.sinks where sink.format == nil && sink.filters == nil {
            for range in (sink.stretches(in: recording) ?? []) + sink.quiet.ranges {
                cuts.formUnion([range.lowerBound, range.upperBound])
            }
        }
        self.cuts = cuts.sorted()
    }

    /// Begins the files of a sink.
    mutating func begin(_ sink: Recording.Sink) {
        self.sink = sink
        // Filters have changed the audio.
        stretches = sink.isPlaced && sink.filters == nil ? sink.stretches(in: recording) : nil
        quiet = sink.quiet
    }

    /// Begins the sink's file at an index.
    mutating func beginFile(_ index: Int) {
        cursor = nil
        guard let sink, let stretches else { return }
        let channels = (sink.format ?? recording.format).channels
        if let format = sink.format {
            // Counted in the sink's own frames. Only silent ranges are checked, without their ends if the rate differs.
            let margin = format.sampleRate == recording.format.sampleRate ? 0 : format.frames(seconds: Self.smear)
            let own = quiet.ranges.map {
                format.frames($0.lowerBound, of: recording.format)..<format.frames($0.upperBound, of: recording.format)
            }
            let inner = FrameRanges(
                own.compactMap { $0.count > 2 * margin ? $0.lowerBound + margin..<$0.upperBound - margin : nil })
            cursor = Cursor(
                start: format.frames(stretches[index].lowerBound, of: recording.format), channels: channels,
                cuts: inner.ranges.flatMap { [$0.lowerBound, $0.upperBound] }, quiet: inner,
                loudest: margin == 0 ? 0 : Self.ringing)
        } else {
            cursor = Cursor(
                start: stretches[index].lowerBound, channels: channels, cuts: cuts, quiet: quiet, loudest: 0)
        }
    }

    /// Adds samples of the file, interleaved by channel.
    mutating func add(_ samples: Span<Int16>) { cursor?.add(samples) }

    /// Ends a lossless, fully decoded file, and compares its pieces.
    mutating func endFile() {
        guard let sink, let found = cursor?.finish() else { return }
        cursor = nil
        if let loud = found.loud {
            problems.append("\(sink.name) has sound from frame \(loud) on, where its manifest states silence")
        }
        guard sink.format == nil else { return }
        for (range, hash) in found.pieces {
            guard let other = pieces[range.lowerBound] else {
                pieces[range.lowerBound] = Piece(range: range, hash: hash, sink: sink.name)
                continue
            }
            if other.range == range, other.hash != hash {
                let place = "\(range.lowerBound)..<\(range.upperBound)"
                problems.append("\(sink.name) and \(other.sink) do not hold the same audio in the frames \(place)")
                return
            }
        }
    }

    /// Drops a file without comparing its samples.
    mutating func dropFile() { cursor = nil }
}

/// Hashes the samples of one file, piece by piece.
private struct Cursor {
    private let channels: Int
    private let cuts: [Int]
    private let quiet: FrameRanges
    /// Largest absolute sample value allowed in silence.
    private let loudest: Int
    private var position: Int
    private var begin: Int
    private var nextCut = 0
    private var nextQuiet = 0
    private var hash = SHA256()
    private var pieces: [(Range<Int>, SHA256.Digest)] = []
    private var loud: Int?
    /// True when the current piece is silence.
    private var isSilence = false

    init(start: Int, channels: Int, cuts: [Int], quiet: FrameRanges, loudest: Int) {
        position = start
        begin = start
        self.channels = channels
        self.cuts = cuts
        self.quiet = quiet
        self.loudest = loudest
        nextCut = cuts.firstIndex { $0 > start } ?? cuts.count
    }

    private var isQuiet: Bool { quiet.ranges.indices.contains(nextQuiet) && quiet.ranges[nextQuiet].contains(position) }

    mutating func add(_ samples: Span<Int16>) {
        var offset = 0
        let frames = samples.count / channels
        while offset < frames {
            while nextQuiet < quiet.ranges.count, quiet.ranges[nextQuiet].upperBound <= position { nextQuiet += 1 }
            let end = nextCut < cuts.count ? min(cuts[nextCut], position + frames - offset) : position + frames - offset
            let piece = samples.extracting(offset * channels..<(offset + end - position) * channels)
            if position == begin { isSilence = isQuiet }
            if isSilence {
                if loud == nil, let index = piece.indices.first(where: { abs(Int(piece[$0])) > loudest }) {
                    loud = position + index / channels
                }
            } else {
                unsafe piece.withUnsafeBytes { unsafe hash.update(bufferPointer: $0) }
            }
            offset += end - position
            position = end
            if nextCut < cuts.count, position == cuts[nextCut] {
                cut()
                nextCut += 1
            }
        }
    }

    /// Closes the piece that ends here. Silence is not compared: another sink may hold the audio dropped by this one.
    private mutating func cut() {
        if begin < position, !isSilence { pieces.append((begin..<position, hash.finalize())) }
        hash = SHA256()
        begin = position
    }

    mutating func finish() -> (pieces: [(Range<Int>, SHA256.Digest)], loud: Int?) {
        cut()
        return (pieces, loud)
    }
}

extension Recording.Sink {
    /// Ranges that must be silent in the sink's files.
    fileprivate var quiet: FrameRanges { (ranges?.silence ?? FrameRanges()).union(ranges?.masked ?? FrameRanges()) }

    /// True when the manifest states the place of each frame in the call, and all silence.
    fileprivate var isPlaced: Bool { ranges != nil || silence == 0 && (masked ?? 0) == 0 && (skipped ?? 0) == 0 }
}
