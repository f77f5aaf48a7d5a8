import Foundation
import Logging
import Synchronization

/// Takes over the process's standard error, so that output of libraries and the Swift runtime becomes JSON log lines.
///
/// Descriptor 2 becomes a pipe, and a thread empties it at once. The log itself goes to the descriptor's old target.
/// When the process crashes, the runtime's last words are written first. Then descriptor 2 leads to the real standard
/// error again, for the backtrace.
final class StandardError: Sendable {
    /// Bytes of one line. A longer line is split.
    private static let lineLimit = 8192
    /// Milliseconds after which text without a line end counts as a line.
    private static let patience: Int32 = 200
    /// The instance in use. The signal handler reads it here, because it takes no argument.
    private static let current = Mutex<StandardError?>(nil)

    /// A descriptor for standard error's former target.
    let descriptor: Int32
    fileprivate let reading: Int32
    private let isWorking = Atomic<Bool>(false)
    private let onLine = Mutex<(@Sendable (String) -> Void)?>(nil)

    /// Takes over descriptor 2. Returns nil if the system refuses, and then changes nothing.
    init?() {
        var ends: [Int32] = [-1, -1]
        let real = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3)
        guard real >= 0 else { return nil }
        guard unsafe pipe(&ends) == 0, fcntl(ends[0], F_SETFD, FD_CLOEXEC) == 0, dup2(ends[1], STDERR_FILENO) >= 0
        else {
            close(real)
            return nil
        }
        close(ends[1])
        descriptor = real
        reading = ends[0]
    }

    /// Begins to hand over printed lines, each without its line end, and to watch for a crash.
    /// - Parameters:
    ///   - log: the writer of the log; a crash waits until it is idle.
    ///   - onLine: receives each line, on the reading thread.
    func start(_ log: LogWriter, onLine: @escaping @Sendable (String) -> Void) {
        self.onLine.withLock { $0 = onLine }
        Self.current.withLock { $0 = self }
        let thread = Thread { [self] in readLines() }
        thread.name = "stderr"
        thread.start()
        LastWords.watch(reading: reading, real: descriptor) { [self] in
            isWorking.load(ordering: .acquiring) || !log.isIdle
        }
    }

    /// Gives descriptor 2 back, and waits up to half a second for the last printed lines.
    static func restore() {
        guard let taken = current.withLock({ $0 }) else { return }
        dup2(taken.descriptor, STDERR_FILENO)
        for _ in 0..<100 where taken.isWorking.load(ordering: .acquiring) || hasInput(taken.reading) {
            Thread.sleep(forTimeInterval: 0.005)
        }
    }

    /// Returns true if a pipe holds bytes. Safe in a signal handler.
    static func hasInput(_ descriptor: Int32) -> Bool {
        var state = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return unsafe poll(&state, 1, 0) == 1 && Int32(state.revents) & Int32(POLLIN) != 0
    }

    private func readLines() {
        var line: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        func end() {
            // Empty lines are skipped.
            if !line.isEmpty { onLine.withLock { $0 }?(String(decoding: line, as: UTF8.self)) }
            line = []
        }
        while true {
            var state = pollfd(fd: reading, events: Int16(POLLIN), revents: 0)
            let ready = unsafe poll(&state, 1, line.isEmpty ? -1 : Self.patience)
            if ready == 0 { end() }
            isWorking.store(ready == 1, ordering: .releasing)
            guard ready == 1 else { continue }
            let count = unsafe buffer.withUnsafeMutableBytes { unsafe systemRead(reading, $0.baseAddress!, $0.count) }
            if count == 0 || count < 0 && errno != EINTR {
                end()
                isWorking.store(false, ordering: .releasing)
                return
            }
            for byte in buffer[..<max(0, count)] {
                if byte == UInt8(ascii: "\n") || line.count == Self.lineLimit { end() }
                if byte != UInt8(ascii: "\n") { line.append(byte) }
            }
            isWorking.store(!line.isEmpty, ordering: .releasing)
        }
    }
}

/// Empties the pipe of a crashing process's last words before the process dies.
private enum LastWords {
    private static let signals = [SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP]
    /// Former action of each signal, by its number. Never freed, because a signal may arrive at any time.
    // Unsafe, like the three below: `watch` writes them before it sets a handler. Signal handlers only read them, and
    // may not lock.
    nonisolated(unsafe) private static let previous = UnsafeMutablePointer<sigaction>.allocate(capacity: 64)
    nonisolated(unsafe) private static var reading: Int32 = -1
    nonisolated(unsafe) private static var real: Int32 = -1
    nonisolated(unsafe) private static var isBusy: () -> Bool = { false }

    /// Begins to watch. Called once, before any other code could crash.
    static func watch(reading: Int32, real: Int32, isBusy: @escaping @Sendable () -> Bool) {
        unsafe Self.reading = reading
        unsafe Self.real = real
        unsafe Self.isBusy = isBusy
        for number in signals {
            let place = unsafe previous + Int(number)
            unsafe place.initialize(to: sigaction())
            guard unsafe sigaction(number, nil, place) == 0 else { continue }
            var action = sigaction()
            setHandler(&action, handle)
            action.sa_flags = SA_ONSTACK
            unsafe sigaction(number, &action, nil)
        }
    }

    /// Waits up to half a second while other threads write the printed text, then restores the signal's former action.
    ///
    /// Calls only what a signal handler may: poll, dup2, sigaction, raise, and loads of atomics.
    private static let handle: @convention(c) (Int32) -> Void = { number in
        let error = errno
        for _ in 0..<100 {
            guard unsafe StandardError.hasInput(reading) || isBusy() else { break }
            // Sleeps 5 ms.
            poll(nil, 0, 5)
        }
        unsafe dup2(real, STDERR_FILENO)
        unsafe sigaction(number, previous + Int(number), nil)
        // The signal stays blocked until this handler returns. Then it is delivered again and takes its former action.
        raise(number)
        errno = error
    }

    private static func setHandler(_ action: inout sigaction, _ handler: @escaping @convention(c) (Int32) -> Void) {
        #if canImport(Darwin)
            unsafe action.__sigaction_u.__sa_handler = handler
        #elseif canImport(Musl)
            unsafe action.__sa_handler.sa_handler = handler
        #else
            unsafe action.__sigaction_handler.sa_handler = handler
        #endif
    }
}

/// Calls `read(2)`, under a name that no method called `read` hides.
private func systemRead(_ descriptor: Int32, _ bytes: UnsafeMutableRawPointer, _ count: Int) -> Int {
    unsafe read(descriptor, bytes, count)
}
