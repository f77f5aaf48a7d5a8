extension RecorderMetrics {
    /// A one-line description of each metric, by its label.
    package static let descriptions = [
        "callreel_calls_started_total": "Calls whose recording started.",
        "callreel_calls_unwanted_total": "Calls that no sink wanted, refused or only counted.",
        "callreel_calls_recorded_total": "Published calls.",
        "callreel_calls_not_published_total":
            "Calls that could not be published at their end. Callreel tries again while it runs and at its next start.",
        "callreel_calls_unpublished": "Ended calls that wait to be published.",
        "callreel_calls_recovered_total":
            "Calls interrupted by an earlier program's end, and published since.",
        "callreel_calls_live": "Calls now being recorded or published.",
        "callreel_frames_received_total": "Frames of audio received in all calls.",
        "callreel_messages_malformed_total": "Messages of carriers that Callreel could not understand.",
        "callreel_events_dropped_total":
            "Events not kept because there were too many, or because they were too large.",
        "callreel_events_masked_total":
            "Events not kept because they reveal typing or speech during a pause.",
        "callreel_sink_frames_written_total": "Frames of published calls in the sink's output.",
        "callreel_sink_frames_silenced_total":
            "Frames of published calls replaced by silence, because the sink was too slow.",
        "callreel_sink_frames_lost_total": "Frames of published calls missing from the sink's output.",
        "callreel_sink_frames_dropped_total": "Frames that a stalled sink missed, counted while the call runs.",
        "callreel_sink_failures_total": "Calls in which the sink failed or did not finish.",
        "callreel_sink_stalls_total": "Times that the sink stalled and its audio was dropped.",
        "callreel_sink_held_seconds_total": "Seconds in which calls waited for the sink, because its buffer was full.",
        "callreel_sink_calls_behind": "Running calls in which the sink does not keep up.",
        "callreel_sink_queued_seconds": "Seconds of audio that wait for the sink, in the call with the longest queue.",
        "callreel_sink_write_seconds": "Seconds that the sink takes for one batch of audio.",
        "callreel_sink_finish_seconds": "Seconds that the sink takes to close its output.",
        "callreel_sink_lag_seconds": "Seconds from the arrival of a batch of audio to the end of its writing.",
        "callreel_deliveries_waiting": "Finished recordings that the delivery still has to deliver.",
        "callreel_deliveries_total": "Recordings that the delivery has delivered.",
        "callreel_delivery_failures_total": "Failed attempts of the delivery. Each is made again.",
        "callreel_disk_free_bytes": "Bytes that may still be written in the directory.",
    ]
}
