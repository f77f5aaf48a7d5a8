import CallreelCore
import CoreMetrics

/// Metrics of all calls, created in the recorder's metrics factory.
///
/// Counters are incremented at most once per batch of audio, never per frame. The heartbeat measures queues and disks.
struct RecorderMetrics: Sendable {
    let callsStarted: Counter
    let callsRecorded: Counter
    let callsNotPublished: Counter
    let callsUnpublished: Meter
    let callsRecovered: Counter
    let callsLive: Meter
    let framesReceived: Counter
    let malformedMessages: Counter
    let droppedEvents: Counter
    let maskedEvents: Counter
    private let factory: any MetricsFactory

    /// Creates all metrics in a factory, each at zero.
    init(_ factory: any MetricsFactory) {
        self.factory = factory
        callsStarted = Counter(label: "callreel_calls_started_total", factory: factory)
        callsRecorded = Counter(label: "callreel_calls_recorded_total", factory: factory)
        callsNotPublished = Counter(label: "callreel_calls_not_published_total", factory: factory)
        callsUnpublished = Meter(label: "callreel_calls_unpublished", factory: factory)
        callsRecovered = Counter(label: "callreel_calls_recovered_total", factory: factory)
        callsLive = Meter(label: "callreel_calls_live", factory: factory)
        framesReceived = Counter(label: "callreel_frames_received_total", factory: factory)
        malformedMessages = Counter(label: "callreel_messages_malformed_total", factory: factory)
        droppedEvents = Counter(label: "callreel_events_dropped_total", factory: factory)
        maskedEvents = Counter(label: "callreel_events_masked_total", factory: factory)
    }

    /// Returns the metrics of one sink in the configuration.
    func sink(_ name: String, type: String) -> SinkMetrics { SinkMetrics(name, type: type, factory) }

    /// Returns the meter for the free bytes of a directory's disk.
    func freeBytes(_ directory: String) -> Meter {
        Meter(label: "callreel_disk_free_bytes", dimensions: [("directory", directory)], factory: factory)
    }
}

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

/// The metrics updated by one call.
struct CallMetrics: Sendable {
    let all: RecorderMetrics
    /// The metrics of each sink of the call, in the order of the configuration.
    let sinks: [SinkMetrics]
}

extension Recorder {
    /// A one-line description of each metric, by its label.
    package static let metricDescriptions = [
        "callreel_calls_started_total": "Calls whose audio began to be recorded.",
        "callreel_calls_recorded_total": "Calls that were published.",
        "callreel_calls_not_published_total":
            "Calls that could not be published at their end. Publishing is tried again while the program runs, and at its next start.",
        "callreel_calls_unpublished": "Calls that are over and wait to be published.",
        "callreel_calls_recovered_total":
            "Calls that were interrupted by an earlier program's end, and published since.",
        "callreel_calls_live": "Calls that are being recorded or published now.",
        "callreel_frames_received_total": "Frames of audio received in all calls.",
        "callreel_messages_malformed_total": "Messages of carriers that could not be understood.",
        "callreel_events_dropped_total":
            "Events of calls that were not kept because there were too many, or because they were too large.",
        "callreel_events_masked_total":
            "Events that were not kept because they tell what was typed or said while a recording was paused.",
        "callreel_sink_frames_written_total": "Frames of published calls that are in the sink's output.",
        "callreel_sink_frames_silenced_total":
            "Frames of published calls that are silence in the sink's output, because it was too slow.",
        "callreel_sink_frames_lost_total": "Frames of published calls that are not in the sink's output at all.",
        "callreel_sink_frames_dropped_total": "Frames that a stalled sink missed, counted while the call runs.",
        "callreel_sink_failures_total": "Calls in which the sink failed or did not come to its end.",
        "callreel_sink_stalls_total": "Times that the sink did not keep up and was left behind.",
        "callreel_sink_held_seconds_total": "Seconds in which calls waited for the sink, because its buffer was full.",
        "callreel_sink_calls_behind": "Running calls with which the sink does not keep up.",
        "callreel_sink_queued_seconds": "Seconds of audio that wait for the sink, in the call where most waits.",
        "callreel_sink_write_seconds": "How long the sink took for one batch of audio.",
        "callreel_sink_finish_seconds": "How long the sink took to close its output.",
        "callreel_sink_lag_seconds": "From the arrival of a batch of audio to its being written.",
        "callreel_disk_free_bytes": "Bytes that may still be written under the directory.",
    ]
}
