public import CallreelCore

/// Shortens long silences, and keeps everything else. The manifest lists the frames that were cut.
///
/// Audio is silent where its level stays below the threshold for a window of 10 ms. A silence that is longer than
/// `longest` is cut in its middle, so that it lasts as long as `longest`. Most of it stays at its beginning, and up to
/// 0.2 s before the next sound, whose quiet onset may lie there.
public struct SilenceFilter: AudioFilter {
    /// The options of a `{"type": "silence"}` filter.
    public struct Options: Configurable {
        /// Seconds of a silence that stay.
        public var longest = 1.0
        /// The level in dBFS (RMS) below which audio is silent.
        public var threshold = -50.0

        /// Makes the options at their defaults.
        public init() {}

        public static let fields: [Field<Self>] = [
            .number(
                "longest", \.longest, in: 0.1...60, "Seconds. A longer silence is cut in its middle to last as long."),
            .number("threshold", \.threshold, in: -80 ... -20, "The level in dBFS (RMS) below which audio is silent."),
        ]
    }

    public static let type = "silence"
    public static let summary = "shortens long silences, and lists in the manifest what was cut"

    private static let windowSeconds = 0.01, leadSeconds = 0.2

    private let format: AudioFormat
    private let window: Int
    /// Frames of a silence that stay at its beginning, and before the next sound.
    private let tail, lead: Int
    /// The mean square below which a window is silent.
    private let threshold: Double
    /// Audio of the present window, not judged yet.
    private var open: [PCMChunk] = []
    private var openFrames = 0
    private var openSquares = 0.0
    /// Silence behind the tail, of at most `lead` frames: it stays if sound comes next.
    private var held: [PCMChunk] = []
    private var heldFrames = 0
    /// Frames of the present silence that were kept.
    private var silent = 0

    /// Makes the filter.
    public init(options: Options, format: AudioFormat) {
        self.format = format
        window = max(1, format.frames(seconds: Self.windowSeconds))
        let longest = format.frames(seconds: options.longest)
        lead = min(format.frames(seconds: Self.leadSeconds), longest / 2)
        tail = longest - lead
        let level = Double(Float(decibels: options.threshold)) * 32768
        threshold = level * level
    }

    public mutating func apply(_ chunk: PCMChunk, to output: inout FilterOutput) {
        var run = Run()
        var taken = 0
        while taken < chunk.frameCount {
            let piece = chunk.frames(taken..<min(chunk.frameCount, taken + window - openFrames))
            taken += piece.frameCount
            openFrames += piece.frameCount
            openSquares += squares(piece)
            open.append(piece)
            if openFrames == window { judge(&run, &output) }
        }
        run.end(&output)
    }

    public mutating func finish(to output: inout FilterOutput) {
        var run = Run()
        for chunk in held + open { run.keep(chunk, &output) }
        run.end(&output)
        held = []
        heldFrames = 0
        silent = 0
        openWindow()
    }

    /// Decides on the window that is full now.
    private mutating func judge(_ run: inout Run, _ output: inout FilterOutput) {
        if openSquares / Double(window * format.channels) >= threshold {
            for chunk in held + open { run.keep(chunk, &output) }
            held = []
            heldFrames = 0
            silent = 0
        } else if silent + window <= tail {
            for chunk in open { run.keep(chunk, &output) }
            silent += window
        } else {
            held += open
            heldFrames += window
            cutHeld(&run, &output)
        }
        openWindow()
    }

    /// Cuts the oldest held frames beyond the lead.
    private mutating func cutHeld(_ run: inout Run, _ output: inout FilterOutput) {
        guard heldFrames > lead else { return }
        run.end(&output)
        while heldFrames > lead {
            let first = held.removeFirst(), excess = min(first.frameCount, heldFrames - lead)
            heldFrames -= excess
            output.cut(to: first.start + excess)
            if excess < first.frameCount { held.insert(first.frames(excess..<first.frameCount), at: 0) }
        }
    }

    private mutating func openWindow() {
        open = []
        openFrames = 0
        openSquares = 0
    }

    /// Returns the sum of the squares of a piece's samples.
    private func squares(_ piece: PCMChunk) -> Double {
        var sum = 0
        for sample in piece.samples { sum += Int(sample) * Int(sample) }
        return Double(sum)
    }
}

/// Kept audio, joined to chunks as long as its origin is the same.
private struct Run {
    private var samples: [Int16] = []
    private var first: PCMChunk?

    mutating func keep(_ chunk: PCMChunk, _ output: inout FilterOutput) {
        if let first, first.origin != chunk.origin { end(&output) }
        first = first ?? chunk
        samples += chunk.samples
    }

    mutating func end(_ output: inout FilterOutput) {
        guard let first else { return }
        output.keep(PCMChunk(samples: samples, format: first.format, start: first.start, origin: first.origin))
        samples = []
        self.first = nil
    }
}
