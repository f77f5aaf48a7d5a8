import NIOCore

/// Limits the time for each part of a connection's requests. Everything here runs on the channel's event loop.
///
/// Each head must be complete within the limit from its first byte; the first head, from the connection's start,
/// TLS included.
/// Each body must be complete within the limit from its head. Between two requests, another limit applies.
final class RequestClock {
    /// The late part of a request.
    enum TimeOut: Sendable { case head, body, idle }

    private enum Phase { case head, body, answer, idle, stopped }

    private let limit: TimeAmount
    private let idleLimit: TimeAmount
    private var phase = Phase.stopped
    private var deadline: Scheduled<Void>?
    private var eventLoop: (any EventLoop)?
    private var onTimeOut: (TimeOut) -> Void = { _ in }

    /// Makes a stopped clock.
    /// - Parameters:
    ///   - limit: time for a head, and again for a body.
    ///   - idleLimit: time between two requests.
    init(limit: TimeAmount, idleLimit: TimeAmount) {
        self.limit = limit
        self.idleLimit = idleLimit
    }

    /// Starts the time for the first head.
    func start(on eventLoop: any EventLoop, onTimeOut: @escaping (TimeOut) -> Void) {
        self.eventLoop = eventLoop
        self.onTimeOut = onTimeOut
        enter(.head)
    }

    /// Reports received bytes. If no request is being received, the time for the next head starts.
    func bytesCame() {
        switch phase {
        case .answer, .idle: enter(.head)
        case .head, .body, .stopped: break
        }
    }

    /// Reports a complete head.
    func headCame() { if phase != .stopped { enter(.body) } }

    /// Reports a complete request.
    func endCame() { if phase != .stopped { enter(.answer) } }

    /// Reports that all requests are answered.
    func answered() { if phase == .answer { enter(.idle) } }

    /// Stops the clock for good.
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
