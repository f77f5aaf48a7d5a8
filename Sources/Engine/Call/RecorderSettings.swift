import CallreelCore

/// The operator's settings for a recorder.
package struct RecorderSettings: Sendable {
    /// The sinks of each call.
    package var sinks: [SinkPlan]
    /// The limits of free space on the disks.
    package var marks: SpaceMarks
    /// Limit on the events in one manifest.
    package var eventLimit: Int
    /// Limit on the events that may be added to one recording after its call.
    package var lateEventLimit: Int
    /// Seconds for which a pause continues after all audio spoken in it has been read.
    package var pauseGuard: Double
    /// The deliveries of each recording.
    package var deliveries: [ReadyDelivery] = []
    /// The treatment of a call that no sink wants.
    package var unwantedCalls = UnwantedCalls.count

    /// Makes settings. Each has the configuration's default.
    package init(
        sinks: [SinkPlan], marks: SpaceMarks = .standard, eventLimit: Int = CallSession.eventLimit,
        lateEventLimit: Int = Recorder.lateEventLimit, pauseGuard: Double = Recorder.pauseGuard
    ) {
        self.sinks = sinks
        self.marks = marks
        self.eventLimit = eventLimit
        self.lateEventLimit = lateEventLimit
        self.pauseGuard = pauseGuard
    }
}
