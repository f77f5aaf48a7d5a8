import Foundation
import Synchronization

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// Writes log lines to a descriptor, on a thread of its own.
///
/// ``add(_:)`` never waits and never fails, whatever becomes of the log: a pipe that nobody empties, a full disk, a reader that has gone.
/// Lines wait in memory, up to a number of bytes. One that finds no room is dropped and counted, and the log says how many are missing once
/// it can be written again. A line is written whole or, if the log ends in the middle of it, finished first when the log goes on.
final class LogWriter: Sendable {
    /// Bytes that may wait by default.
    static let standardCapacity = 1 << 20
    /// Seconds after a failed write until the next.
    private static let pause = 0.5

    private struct State {
        /// Whole lines that wait.
        var waiting: [UInt8] = []
        /// Lines dropped since the log last said so.
        var untold = 0
        /// Whether the thread has something to write, or is writing it.
        var isBusy = false
    }

    private let descriptor: Int32
    private let capacity: Int
    private let describeLoss: @Sendable (Int) -> String
    private let state = Mutex(State())
    /// Bytes that were added and are not written.
    private let unwritten = Atomic<Int>(0)
    private let lost = Atomic<Int>(0)
    private let failures = Atomic<Int>(0)
    // A semaphore, since the thread has nothing to do but wait: whoever logs signals and never waits.
    private let work = DispatchSemaphore(value: 0)

    /// Begins to write.
    /// - Parameters:
    ///   - descriptor: where to; it stays open for the life of the process.
    ///   - capacity: bytes that may wait.
    ///   - describeLoss: the line that says how many lines are missing.
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

    /// Lines that were dropped so far.
    var lostLines: Int { lost.load(ordering: .relaxed) }

    /// Whether everything that was added is written. Safe in a signal handler.
    var isIdle: Bool { unwritten.load(ordering: .acquiring) == 0 }

    /// Adds a line, with its end. Never waits.
    func add(_ line: String) {
        let mustWake = state.withLock { state in
            // A single line of any length is taken where nothing else waits.
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

    /// Waits until everything is written, while there is progress, and no longer than some seconds.
    func flush(seconds: Double) {
        let end = ContinuousClock.now + .seconds(seconds)
        let before = failures.load(ordering: .relaxed)
        while !isIdle, failures.load(ordering: .relaxed) == before, ContinuousClock.now < end { Thread.sleep(forTimeInterval: 0.002) }
    }

    /// Writes until nothing waits.
    private func writeAll() {
        while true {
            let batch = state.withLock { state -> [UInt8] in
                var batch = state.waiting
                state.waiting = []
                if state.untold > 0 {
                    // What was dropped came after what waited.
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

    /// Writes bytes, however long that takes.
    private func write(_ bytes: [UInt8]) {
        var done = 0
        while done < bytes.count {
            let count = unsafe bytes.withUnsafeBytes { unsafe systemWrite(descriptor, $0.baseAddress! + done, $0.count - done) }
            if count >= 0 {
                done += count
                unwritten.wrappingSubtract(count, ordering: .releasing)
            } else if errno == EAGAIN {
                // The descriptor is shared with whoever made it so.
                var room = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                unsafe poll(&room, 1, 1000)
            } else if errno != EINTR {
                failures.wrappingAdd(1, ordering: .relaxed)
                Thread.sleep(forTimeInterval: Self.pause)
            }
        }
    }
}

/// `write(2)`, under a name that a method called `write` does not hide.
private func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawPointer, _ count: Int) -> Int {
    unsafe write(descriptor, bytes, count)
}
