import CallreelCore
import CoreMetrics

/// Metrics of one sink, summed over all calls.
struct SinkMetrics: Sendable {
    /// Frames in the sink's files.
    ///
    /// This counter and the next two are incremented when a call is published.
    /// `silenced` counts silence in place of dropped frames; `lost` counts frames missing altogether.
    let written: Counter
    let silenced: Counter
    let lost: Counter
    /// Frames dropped because the queue was full, counted while the call runs.
    let dropped: Counter
    let failures: Counter
    let stalls: Counter
    /// Seconds calls waited for the sink, counted while they run.
    let held: FloatingPointCounter
    let callsBehind: Meter
    let queuedSeconds: Meter
    let writeTime: Timer
    let finishTime: Timer
    let lag: Timer

    init(_ name: String, type: String, _ factory: any MetricsFactory) {
        let sink = [("sink", name), ("type", type)]
        written = Counter(label: "callreel_sink_frames_written_total", dimensions: sink, factory: factory)
        silenced = Counter(label: "callreel_sink_frames_silenced_total", dimensions: sink, factory: factory)
        lost = Counter(label: "callreel_sink_frames_lost_total", dimensions: sink, factory: factory)
        dropped = Counter(label: "callreel_sink_frames_dropped_total", dimensions: sink, factory: factory)
        failures = Counter(label: "callreel_sink_failures_total", dimensions: sink, factory: factory)
        stalls = Counter(label: "callreel_sink_stalls_total", dimensions: sink, factory: factory)
        held = FloatingPointCounter(label: "callreel_sink_held_seconds_total", dimensions: sink, factory: factory)
        callsBehind = Meter(label: "callreel_sink_calls_behind", dimensions: sink, factory: factory)
        queuedSeconds = Meter(label: "callreel_sink_queued_seconds", dimensions: sink, factory: factory)
        writeTime = Timer(label: "callreel_sink_write_seconds", dimensions: sink, factory: factory)
        finishTime = Timer(label: "callreel_sink_finish_seconds", dimensions: sink, factory: factory)
        lag = Timer(label: "callreel_sink_lag_seconds", dimensions: sink, factory: factory)
    }

    /// Adds one call's frames, and its failure if it failed, to the counters.
    func settle(_ sink: Recording.Sink) {
        written.increment(by: sink.written)
        silenced.increment(by: sink.silence)
        lost.increment(by: sink.lost)
        if sink.state == .failed || sink.state == .stalled { failures.increment() }
    }
}
