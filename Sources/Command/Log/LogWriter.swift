import Foundation
import Synchronization

/// Writes log lines to a descriptor, on a thread of its own.
///
/// ``add(_:)`` never waits and never fails, even if a pipe's reader is slow or gone, or the disk is full.
/// Lines wait in memory, up to a number of bytes. Lines beyond it are dropped and counted.
/// Once the log can be written again, it reports the number of missing lines.
/// A line is written whole. If the log fails in the middle of a line, the rest of that line comes first afterwards.
final class LogWriter: Sendable {
    /// Default limit of the bytes waiting in memory.
    static let standardCapacity = 1 << 20
    /// Seconds between a failed write and the next attempt.
    private static let pause = 0.5

    private struct State {
        /// Whole lines not yet handed to the thread.
        var waiting: [UInt8] = []
        /// Lines dropped since the log last reported a loss.
        var untold = 0
        /// The thread has lines to write, or is writing them.
        var isBusy = false
    }

    private let descriptor: Int32
    private let capacity: Int
    private let describeLoss: @Sendable (Int) -> String
    private let state = Mutex(State())
    /// Bytes added and not yet written.
    private let unwritten = Atomic<Int>(0)
    private let lost = Atomic<Int>(0)
    private let failures = Atomic<Int>(0)
    // A semaphore, because the thread has nothing to do but wait. A caller that logs signals it and never waits.
    private let work = DispatchSemaphore(value: 0)

    /// Begins to write.
    /// - Parameters:
    ///   - descriptor: the target; it stays open for the life of the process.
    ///   - capacity: the most bytes that may wait.
    ///   - describeLoss: makes a line from the number of missing lines.
    init(descriptor: Int32, capacity: Int = standardCapacity, describeLoss: @escaping @Sendable (Int) -> String) {
        self.descriptor = descriptor
        self.capacity = capacity
        self.describeLoss = describeLoss
        let thread = Thread { [self] in
            while true {
                work.wait()
                writeAll()
            }
        }
        thread.name = "log"
        thread.start()
    }

    /// Number of lines dropped so far.
    var lostLines: Int { lost.load(ordering: .relaxed) }

    /// Every added line is written. Safe in a signal handler.
    var isIdle: Bool { unwritten.load(ordering: .acquiring) == 0 }

    /// Adds a line, including its line end. Never waits.
    func add(_ line: String) {
        let mustWake = state.withLock { state in
            // A single line of any length is accepted while no other waits.
            guard state.waiting.isEmpty || state.waiting.count + line.utf8.count <= capacity else {
                state.untold += 1
                lost.wrappingAdd(1, ordering: .relaxed)
                return false
            }
            state.waiting += line.utf8
            unwritten.wrappingAdd(line.utf8.count, ordering: .releasing)
            defer { state.isBusy = true }
            return !state.isBusy
        }
        if mustWake { work.signal() }
    }

    /// Waits until every line is written, for at most `seconds`. Returns early if a write fails.
    func flush(seconds: Double) {
        let end = ContinuousClock.now + .seconds(seconds)
        let before = failures.load(ordering: .relaxed)
        while !isIdle, failures.load(ordering: .relaxed) == before, ContinuousClock.now < end {
            Thread.sleep(forTimeInterval: 0.002)
        }
    }

    /// Writes until no line waits.
    private func writeAll() {
        while true {
            let batch = state.withLock { state -> [UInt8] in
                var batch = state.waiting
                state.waiting = []
                if state.untold > 0 {
                    // The dropped lines came after the waiting ones.
                    let note = describeLoss(state.untold).utf8
                    batch += note
                    unwritten.wrappingAdd(note.count, ordering: .releasing)
                    state.untold = 0
                }
                if batch.isEmpty { state.isBusy = false }
                return batch
            }
            if batch.isEmpty { return }
            write(batch)
        }
    }

    /// Writes the bytes. Blocks until all are written.
    private func write(_ bytes: [UInt8]) {
        var done = 0
        while done < bytes.count {
            let count = unsafe bytes.withUnsafeBytes {
                unsafe systemWrite(descriptor, $0.baseAddress! + done, $0.count - done)
            }
            if count >= 0 {
                done += count
                unwritten.wrappingSubtract(count, ordering: .releasing)
            } else if errno == EAGAIN {
                // Another process that shares the descriptor has made it non-blocking.
                var room = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                unsafe poll(&room, 1, 1000)
            } else if errno != EINTR {
                failures.wrappingAdd(1, ordering: .relaxed)
                Thread.sleep(forTimeInterval: Self.pause)
            }
        }
    }
}

/// Calls `write(2)`, under a name that no method called `write` hides.
private func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawPointer, _ count: Int) -> Int {
    unsafe write(descriptor, bytes, count)
}
