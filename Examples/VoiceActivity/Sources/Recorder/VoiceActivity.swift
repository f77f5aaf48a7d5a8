import CallreelCore

/// Puts the stretches of speech in each channel into the manifest, as the events `speechBegan` and `speechEnded`.
///
/// It makes no file. Silence that Callreel inserted, and a paused stretch, are neither speech nor noise.
struct VoiceActivity: AudioSink {
    static let type = "voiceActivity"
    static let summary = "beginnings and ends of speech in each channel, as events in the manifest"

    static func files(options: VoiceActivityOptions) -> SinkFiles { .suffixes([]) }

    /// The state at the end of a part. The next part goes on with it.
    private struct State: Sendable {
        /// One detector for each channel.
        var detectors: [SpeechDetector]
        /// The frame after the last one.
        var end: FramePosition
    }

    private let options: VoiceActivityOptions
    private let context: SinkContext
    private var state: State?
    private var frames = 0
    private var speechFrames: [Int]

    init(options: VoiceActivityOptions, context: SinkContext) {
        self.options = options
        self.context = context
        // Nil in the first part, and after a failure.
        state = context.carried as? State
        speechFrames = [Int](repeating: 0, count: context.format.channels)
    }

    mutating func write(_ chunk: borrowing PCMChunk) {
        frames += chunk.frameCount
        let start = chunk.start
        var state = state ?? State(detectors: detectors(at: start), end: start)
        if chunk.origin != .call {
            interrupt(&state, at: chunk.end)
        } else {
            // The audio before this chunk may be missing: with `"onPause": "skip"`, a part begins after a pause.
            if start != state.end { interrupt(&state, at: start) }
            var channel = 0
            for sample in chunk.samples {
                if let change = state.detectors[channel].add(sample) { report(change, channel) }
                channel = channel + 1 == context.format.channels ? 0 : channel + 1
            }
        }
        state.end = chunk.end
        self.state = state
    }

    /// Ends open stretches with the call. A part's open stretches go on in the next part.
    consuming func finish(_ end: CallEnd) -> SinkReceipt {
        if end.isCallOver, var state { interrupt(&state, at: state.end) }
        let seconds = speechFrames.map { JSONValue.number(context.format.seconds(frames: $0)) }
        return SinkReceipt(frames: frames, details: ["speechSeconds": .array(seconds)], carried: state)
    }

    private func detectors(at position: FramePosition) -> [SpeechDetector] {
        let detector = SpeechDetector(options, format: context.format, at: position.frames)
        return Array(repeating: detector, count: context.format.channels)
    }

    private mutating func interrupt(_ state: inout State, at position: FramePosition) {
        for channel in state.detectors.indices {
            if let change = state.detectors[channel].interrupt(at: position.frames) { report(change, channel) }
        }
    }

    private mutating func report(_ change: SpeechDetector.Change, _ channel: Int) {
        let channelData = JSONValue.integer(channel)
        switch change {
        case .began(let frame):
            context.emit(type: "speechBegan", at: FramePosition(frame), data: ["channel": channelData])
        case .ended(let frame, let began):
            speechFrames[channel] += frame - began
            context.emit(
                type: "speechEnded", at: FramePosition(frame), data: ["channel": channelData, "began": .integer(began)])
        }
    }
}
