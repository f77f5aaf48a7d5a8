import CallreelCore
import Foundation
import Synchronization

/// A FIFO, and in time somebody who reads it.
final class FIFO: Sendable {
    let path: String
    private let bytes = Mutex(Data())
    private let done = Mutex(false)

    /// Makes one that nobody reads.
    init(_ path: String) throws {
        self.path = path
        guard unsafe mkfifo(path, 0o600) == 0 else { throw SelfTestError("cannot make the FIFO \(path): error \(errno)") }
    }

    /// Begins to read, on a thread of its own, until the writer is gone.
    /// - Parameter bytesPerSecond: how fast; nil is as fast as it comes.
    func read(bytesPerSecond: Int? = nil) {
        Thread.detachNewThread { [self] in
            guard let handle = FileHandle(forReadingAtPath: path) else { return }
            let interval = 0.05
            let most = bytesPerSecond.map { Int(Double($0) * interval) } ?? 1 << 16
            while let more = try? handle.read(upToCount: most), !more.isEmpty {
                bytes.withLock { $0 += more }
                if bytesPerSecond != nil { Thread.sleep(forTimeInterval: interval) }
            }
            done.withLock { $0 = true }
        }
    }

    /// Everything that was read, once the writer is gone.
    func samples() async throws -> [Int16] {
        try await eventually("the end of what is written to \(path)") { done.withLock { $0 } ? AudioContent.samples(bytes.withLock { $0 }) : nil }
    }
}
