import NIOCore

// Pausing and resuming the reads.
extension WebSocketHandler {
    /// Stops reading until ``resume()``, because the consumer has no room.
    func holdBack() { reader.hold(.room) }

    /// Stops reading for a time, because the call is ahead of the clock.
    func holdBack(for time: TimeAmount) {
        guard let context, !reader.holds.contains(.time) else { return }
        reader.hold(.time)
        let handler = NIOLoopBound(self, eventLoop: context.eventLoop)
        holdEnd = context.eventLoop.scheduleTask(in: time) { handler.value.readAgain(.time) }
    }

    /// Resumes reading, because the consumer has room again.
    func resume() { readAgain(.room) }

    /// Resumes reading for all reasons. Used once the connection is ending.
    func releaseHolds() {
        reader.releaseAll()
        holdEnd?.cancel()
    }

    private func readAgain(_ reason: SocketHolds) {
        guard reader.release(reason) else { return }
        // Silence while nothing was read does not count against the client.
        lastReceived = context?.eventLoop.now ?? .now()
        context?.read()
    }
}
