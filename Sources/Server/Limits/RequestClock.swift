import NIOCore

/// Limits the time that a connection may take for each part of its requests.
///
/// Each head has the time limit from its first byte, the first one from the connection's beginning, TLS included. Each body has it from
/// its head. Between two requests a connection may rest for another time. Everything here runs on the channel's event loop.
final class RequestClock {
    /// The part of a request that did not come in time.
    enum TimeOut: Sendable { case head, body, idle }

    private enum Phase { case head, body, answer, idle, stopped }

    private let limit: TimeAmount
    private let idleLimit: TimeAmount
    private var phase = Phase.stopped
    private var deadline: Scheduled<Void>?
    private var eventLoop: (any EventLoop)?
    private var onTimeOut: (TimeOut) -> Void = { _ in }

    /// Makes a clock that stands still.
    /// - Parameters:
    ///   - limit: time for a head, and again for a body.
    ///   - idleLimit: time between two requests.
    init(limit: TimeAmount, idleLimit: TimeAmount) {
        self.limit = limit
        self.idleLimit = idleLimit
    }

    /// Starts the time of the first head.
    func start(on eventLoop: any EventLoop, onTimeOut: @escaping (TimeOut) -> Void) {
        self.eventLoop = eventLoop
        self.onTimeOut = onTimeOut
        enter(.head)
    }

    /// Notes that bytes have come. Where no request was under way, the time of its head begins.
    func bytesCame() {
        switch phase {
        case .answer, .idle: enter(.head)
        case .head, .body, .stopped: break
        }
    }

    /// Notes that a head is complete.
    func headCame() { if phase != .stopped { enter(.body) } }

    /// Notes that a request is complete.
    func endCame() { if phase != .stopped { enter(.answer) } }

    /// Notes that all requests are answered.
    func answered() { if phase == .answer { enter(.idle) } }

    /// Stops for good.
    func stop() {
        phase = .stopped
        deadline?.cancel()
        deadline = nil
        onTimeOut = { _ in }
    }

    private func enter(_ next: Phase) {
        phase = next
        deadline?.cancel()
        deadline = nil
        switch next {
        case .head: schedule(limit, .head)
        case .body: schedule(limit, .body)
        case .idle: schedule(idleLimit, .idle)
        case .answer, .stopped: break
        }
    }

    private func schedule(_ limit: TimeAmount, _ timeOut: TimeOut) {
        guard let eventLoop else { return }
        let clock = NIOLoopBound(self, eventLoop: eventLoop)
        deadline = eventLoop.scheduleTask(in: limit) { clock.value.onTimeOut(timeOut) }
    }
}
