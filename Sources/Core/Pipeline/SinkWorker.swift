/// What became of a sink in one call, in the framework's own counting.
struct SinkReport: Sendable {
    /// Frames of the call's audio that the sink took.
    var written = 0
    /// Frames of silence that the sink took in place of dropped ones.
    var silence = 0
    /// What the sink said when it finished; nil when it did not come to that.
    var receipt: SinkReceipt?
    /// Why it failed, when it did.
    var error: SinkError?
}

/// Drives one sink through one call: open, write, checkpoint, finish.
enum SinkWorker<Sink: AudioSink & ~Copyable> {
    /// Runs until the call has ended or the sink has failed. Runs on the caller's executor, where blocking is allowed.
    static func run(options: Sink.Options, context: SinkContext, queue: ChunkQueue) async -> SinkReport {
        var report = SinkReport()
        do {
            var sink = try await Sink(options: options, context: context)
            loop: while true {
                switch await queue.next() {
                case .chunk(let chunk):
                    try await sink.write(chunk)
                    report.written += chunk.frameCount
                case .gap(let frames, let start):
                    try await write(silence: frames, from: start, to: &sink, format: context.format, queue, &report)
                case .checkpoint:
                    try await sink.checkpoint()
                case .end:
                    break loop
                }
            }
            report.receipt = try await sink.finish()
        } catch {
            queue.fail()
            report.error = error
        }
        return report
    }

    /// Writes a gap in pieces of at most a second, so that a long one takes no memory.
    private static func write(
        silence frames: Int, from start: FramePosition, to sink: inout Sink, format: AudioFormat, _ queue: ChunkQueue, _ report: inout SinkReport
    ) async throws(SinkError) {
        var done = 0
        while done < frames {
            let piece = min(frames - done, format.sampleRate)
            try await sink.write(.silence(frames: piece, format: format, start: start + done))
            report.silence += piece
            queue.noteProgress()
            done += piece
        }
    }
}
