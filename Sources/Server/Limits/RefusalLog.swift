import Logging
import Synchronization

/// Writes refusals to the log, so many a second: whoever is refused must not be able to fill the disk with that.
final class RefusalLog: Sendable {
    /// Lines of one second.
    private static let most = 10

    private struct State {
        var second = ContinuousClock.now
        var lines = 0
        var left = 0
    }

    private let logger: Logger
    private let state = Mutex(State())

    /// Makes a log.
    init(_ logger: Logger) { self.logger = logger }

    /// Writes one line, or counts it for the next one that may be written.
    func write(_ metadata: @autoclosure () -> Logger.Metadata) {
        let left: Int? = state.withLock { state in
            let now = ContinuousClock.now
            if now - state.second >= .seconds(1) {
                state.second = now
                state.lines = 0
            }
            state.lines += 1
            guard state.lines <= Self.most else {
                state.left += 1
                return nil
            }
            defer { state.left = 0 }
            return state.left
        }
        guard let left else { return }
        var metadata = metadata()
        if left > 0 { metadata["unsaid"] = "\(left)" }
        logger.warning("connection refused", metadata: metadata)
    }
}
