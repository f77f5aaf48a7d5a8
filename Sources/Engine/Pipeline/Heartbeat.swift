import CallreelCore

/// The recorder's clock for everything that depends on time: stalls, due checkpoints, stuck threads.
enum Heartbeat {
    /// Time between two checks.
    static let interval = Duration.milliseconds(250)
}
