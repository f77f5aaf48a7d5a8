import NIOCore

/// The reasons to stop reading a call's socket.
struct SocketHolds: OptionSet {
    let rawValue: Int
    /// The consumer has no room.
    static var room: Self { Self(rawValue: 1) }
    /// The call is ahead of the clock.
    static var time: Self { Self(rawValue: 2) }
}

// Pausing and resuming the reads.
extension WebSocketHandler {
    /// Stops reading until ``resume()``, because the consumer has no room.
    func holdBack() { holds.insert(.room) }

    /// Stops reading for a time, because the call is ahead of the clock.
    func holdBack(for time: TimeAmount) {
        guard let context, !holds.contains(.time) else { return }
        holds.insert(.time)
        let handler = NIOLoopBound(self, eventLoop: context.eventLoop)
        holdEnd = context.eventLoop.scheduleTask(in: time) { handler.value.readAgain(.time) }
    }

    /// Resumes reading, because the consumer has room again.
    func resume() { readAgain(.room) }

    /// Resumes reading for all reasons. Used once the connection is ending.
    func releaseHolds() {
        holds = []
        holdEnd?.cancel()
    }

    private func readAgain(_ reason: SocketHolds) {
        guard holds.remove(reason) != nil, holds.isEmpty else { return }
        // Silence while nothing was read does not count against the client.
        lastReceived = context?.eventLoop.now ?? .now()
        context?.read()
    }
}
