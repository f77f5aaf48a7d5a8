import NIOCore

/// Reasons for which a call's socket is not read.
struct SocketHolds: OptionSet {
    let rawValue: Int
    /// The consumer has no room.
    static var room: Self { Self(rawValue: 1) }
    /// More has come than time has passed.
    static var time: Self { Self(rawValue: 2) }
}

// Reading that waits, and goes on.
extension WebSocketHandler {
    /// Reads nothing more until ``resume()``, because there is no room.
    func holdBack() { holds.insert(.room) }

    /// Reads nothing more for some time, because the call is ahead of it.
    func holdBack(for time: TimeAmount) {
        guard let context, !holds.contains(.time) else { return }
        holds.insert(.time)
        let handler = NIOLoopBound(self, eventLoop: context.eventLoop)
        holdEnd = context.eventLoop.scheduleTask(in: time) { handler.value.readAgain(.time) }
    }

    /// Reads on, because there is room again.
    func resume() { readAgain(.room) }

    /// Reads whatever comes from here on.
    func releaseHolds() {
        holds = []
        holdEnd?.cancel()
    }

    private func readAgain(_ reason: SocketHolds) {
        guard holds.remove(reason) != nil, holds.isEmpty else { return }
        // The time in which nothing was read says nothing about the other side.
        lastReceived = context?.eventLoop.now ?? .now()
        context?.read()
    }
}
