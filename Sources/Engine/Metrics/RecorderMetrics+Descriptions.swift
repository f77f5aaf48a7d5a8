extension RecorderMetrics {
    /// A one-line description of each metric, by its label.
    package static let descriptions = [
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
