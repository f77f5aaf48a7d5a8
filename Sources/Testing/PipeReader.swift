import Foundation
import Synchronization

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// The other end of a destination that is a pipe, which a thread of its own empties: slowly, a little at a time, or at once.
///
/// Its writing end blocks while the pipe is full, as a busy disk or a slow network does.
final class PipeReader: Sendable {
    /// What is put in the place of a sink's descriptor.
    let input: Int32
    private let output: Int32
    private let isSlow: Bool
    private let state = Mutex((bytes: Data(), isOver: false))
    private let isDone = NSCondition()

    init(isSlow: Bool) throws(SinkContractError) {
        self.isSlow = isSlow
        guard let pipe = Pipe() else { throw SinkContractError(cannotCheck: "there is no pipe: error \(errno)") }
        (input, output) = (pipe.input, pipe.output)
        _ = fcntl(input, F_SETFL, 0)
        #if os(Linux)
            // F_SETPIPE_SZ, which the C library shows to its own extensions only: as small as it can be, so that it is mostly full.
            if isSlow { _ = fcntl(input, 1031, 4096) }
        #endif
        // Not a job for the kit's executor: its threads may all be waiting for room in a pipe.
        Thread { [self] in drain() }.start()
    }

    /// What came, when the sink's life is over and everything was read.
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
            // Before the read: a sink that has leaked the writing end keeps the pipe from ever ending.
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
