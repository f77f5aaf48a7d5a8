import CoreMetrics

/// Metrics of all calls, created in the recorder's metrics factory.
///
/// Counters are incremented at most once per batch of audio, never per frame. The heartbeat measures queues and disks.
package struct RecorderMetrics: Sendable {
    let callsStarted: Counter
    let callsRecorded: Counter
    let callsUnwanted: Counter
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
        callsUnwanted = Counter(label: "callreel_calls_unwanted_total", factory: factory)
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

    /// Returns the measurements that the sinks of one entry report themselves.
    func plugin(_ name: String, type: String) -> PluginMeasurements { PluginMeasurements(name, type: type, factory) }

    /// Returns the metrics of one delivery in the configuration: recordings that wait, delivered ones, and failed
    /// attempts.
    func delivery(_ name: String, type: String) -> (waiting: Meter, delivered: Counter, failed: Counter) {
        let delivery = [("delivery", name), ("type", type)]
        return (
            Meter(label: "callreel_deliveries_waiting", dimensions: delivery, factory: factory),
            Counter(label: "callreel_deliveries_total", dimensions: delivery, factory: factory),
            Counter(label: "callreel_delivery_failures_total", dimensions: delivery, factory: factory)
        )
    }

    /// Returns the meter for the free bytes of a directory's disk.
    func freeBytes(_ directory: String) -> Meter {
        Meter(label: "callreel_disk_free_bytes", dimensions: [("directory", directory)], factory: factory)
    }
}
