import Foundation
import Synchronization

/// The reading end of a pipe used as a sink's destination. Its own thread empties the pipe,
/// slowly in small pieces or at once.
///
/// The writing end blocks while the pipe is full, like a busy disk or a slow network.
final class PipeReader: Sendable {
    /// The descriptor to put in place of the sink's own.
    let input: Int32
    private let output: Int32
    private let isSlow: Bool
    private let state = Mutex((bytes: Data(), isOver: false))
    private let isDone = NSCondition()

    init(isSlow: Bool) throws(SinkContractError) {
        self.isSlow = isSlow
        guard let pipe = Pipe() else { throw SinkContractError(cannotCheck: "cannot create a pipe: error \(errno)") }
        (input, output) = (pipe.input, pipe.output)
        _ = fcntl(input, F_SETFL, 0)
        #if os(Linux)
            // F_SETPIPE_SZ, which the C library defines only for its own extensions.
            // The smallest size, so that the pipe is mostly full.
            if isSlow { _ = fcntl(input, 1031, 4096) }
        #endif
        // Not on the kit's executor: its threads may all be waiting for room in a pipe.
        Thread { [self] in drain() }.start()
    }

    /// Closes the writing end, waits until all bytes are read, and returns them. Blocks.
    func finish() -> Data {
        close(input)
        state.withLock { $0.isOver = true }
        isDone.lock()
        defer { isDone.unlock() }
        while true {
            if let bytes = state.withLock({ $0.isOver && hasEnded.withLock { $0 } ? $0.bytes : nil }) { return bytes }
            isDone.wait()
        }
    }

    private let hasEnded = Mutex(false)

    private func drain() {
        var buffer = [UInt8](repeating: 0, count: 2048)
        while true {
            // Read before the bytes: a sink that has leaked the writing end keeps the pipe from ending.
            let isOver = state.withLock { $0.isOver }
            let count = unsafe read(output, &buffer, buffer.count)
            if count > 0 { state.withLock { $0.bytes.append(contentsOf: buffer[..<count]) } }
            if count == 0 || count < 0 && isOver && errno == EAGAIN { break }
            // The reading end does not block.
            if !isOver, isSlow || count < 0 { usleep(500) }
        }
        close(output)
        isDone.lock()
        hasEnded.withLock { $0 = true }
        isDone.broadcast()
        isDone.unlock()
    }
}
