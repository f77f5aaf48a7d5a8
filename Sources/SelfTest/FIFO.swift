import CallreelCore
import Foundation
import Synchronization

/// A FIFO, with a reader that starts on demand.
final class FIFO: Sendable {
    let path: String
    private let bytes = Mutex(Data())
    private let done = Mutex(false)

    /// Makes a FIFO without a reader.
    init(_ path: String) throws {
        self.path = path
        guard unsafe mkfifo(path, 0o600) == 0 else {
            throw SelfTestError("cannot make the FIFO \(path): error \(errno)")
        }
    }

    /// Begins to read, on a thread of its own, until the writer is gone.
    /// - Parameter bytesPerSecond: the reading speed; nil is as fast as data arrives.
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

    /// Returns everything read, once the writer is gone.
    func samples() async throws -> [Int16] {
        try await eventually("the end of what is written to \(path)") {
            done.withLock { $0 } ? AudioContent.samples(bytes.withLock { $0 }) : nil
        }
    }
}
