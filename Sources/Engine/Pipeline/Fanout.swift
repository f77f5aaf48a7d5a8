import CallreelCore

/// Adds each chunk to the queue of every sink. The chunk is shared, not copied.
struct Fanout: Sendable {
    /// One queue for each sink, in the order of the configuration.
    let queues: [ChunkQueue]

    /// Makes a queue for each plan.
    init(plans: [SinkPlan], format: AudioFormat, mayHold: Bool, onRoom: @escaping @Sendable () -> Void) {
        queues = plans.map { ChunkQueue(envelope: $0.envelope, format: format, mayHold: mayHold, onRoom: onRoom) }
    }

    /// Adds a chunk to every queue. Returns true if all of them have room for more.
    func push(_ chunk: PCMChunk) -> Bool {
        var hasRoom = true
        for queue in queues where !queue.push(chunk) { hasRoom = false }
        return hasRoom
    }

    /// Closes every queue to further chunks.
    func close() {
        for queue in queues { queue.close() }
    }
}
