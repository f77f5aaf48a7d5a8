import CallreelCore
import CallreelEngine

extension Configuration {
    /// The settings of the recorder.
    var recorder: RecorderSettings {
        var settings = RecorderSettings(
            sinks: sinks, marks: recordings.marks, eventLimit: limits.events, lateEventLimit: limits.lateEvents,
            pauseGuard: recordings.pauseGuard)
        settings.unwantedCalls = recordings.unwantedCalls
        return settings
    }
}
