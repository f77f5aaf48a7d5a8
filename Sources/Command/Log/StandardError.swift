import Foundation
import Logging
import Synchronization

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// Takes over the process's standard error, so that what libraries and the Swift runtime print there becomes lines of the JSON log.
///
/// Descriptor 2 becomes a pipe, which a thread empties at once; the log itself goes to where descriptor 2 led before. When the process crashes,
/// the last words of the runtime are written first, and descriptor 2 leads to the real standard error again for whatever prints a backtrace.
final class StandardError: Sendable {
    /// Bytes of one line; what is longer becomes several.
    private static let lineLimit = 8192
    /// Milliseconds after which a line without an end is one.
    private static let patience: Int32 = 200
    /// The one that is taken over, for the signal handler, which can be handed nothing.
    private static let current = Mutex<StandardError?>(nil)

    /// Where standard error led before.
    let descriptor: Int32
    fileprivate let reading: Int32
    private let isWorking = Atomic<Bool>(false)
    private let onLine = Mutex<(@Sendable (String) -> Void)?>(nil)

    /// Takes descriptor 2 over; nil where the system refuses, which leaves everything as it was.
    init?() {
        var ends: [Int32] = [-1, -1]
        let real = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3)
        guard real >= 0 else { return nil }
        guard unsafe pipe(&ends) == 0, fcntl(ends[0], F_SETFD, FD_CLOEXEC) == 0, dup2(ends[1], STDERR_FILENO) >= 0 else {
            close(real)
            return nil
        }
        close(ends[1])
        descriptor = real
        reading = ends[0]
    }

    /// Begins to hand over what is printed, a line at a time without its end, and to watch for a crash.
    /// - Parameter log: the writer that the lines go to.
    func start(_ log: LogWriter, onLine: @escaping @Sendable (String) -> Void) {
        self.onLine.withLock { $0 = onLine }
        Self.current.withLock { $0 = self }
        let thread = Thread { [self] in readLines() }
        thread.name = "stderr"
        thread.start()
        LastWords.watch(reading: reading, real: descriptor) { [self] in isWorking.load(ordering: .acquiring) || !log.isIdle }
    }

    /// Gives descriptor 2 back and waits a moment for what was printed last.
    static func restore() {
        guard let taken = current.withLock({ $0 }) else { return }
        dup2(taken.descriptor, STDERR_FILENO)
        for _ in 0..<100 where taken.isWorking.load(ordering: .acquiring) || hasInput(taken.reading) { Thread.sleep(forTimeInterval: 0.005) }
    }

    /// Whether a pipe holds bytes. Safe in a signal handler.
    static func hasInput(_ descriptor: Int32) -> Bool {
        var state = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return unsafe poll(&state, 1, 0) == 1 && Int32(state.revents) & Int32(POLLIN) != 0
    }

    private func readLines() {
        var line: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        func end() {
            // An empty line says nothing.
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

/// Lets the last words of a crashing process out of the pipe before the process dies.
private enum LastWords {
    private static let signals = [SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP]
    /// What would have been done about each signal, by its number. Never freed: a signal may come at any time.
    // Unsafe, like the three below: `watch` writes them before any handler is set. Signal handlers only read them, and may lock nothing.
    nonisolated(unsafe) private static let previous = UnsafeMutablePointer<sigaction>.allocate(capacity: 64)
    nonisolated(unsafe) private static var reading: Int32 = -1
    nonisolated(unsafe) private static var real: Int32 = -1
    nonisolated(unsafe) private static var isBusy: () -> Bool = { false }

    /// Begins to watch. Called once, before anything else could crash.
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

    /// Waits until the other threads have written what was printed, for half a second at the most, and lets the signal do what it would have.
    ///
    /// Calls only what a signal handler may: poll, dup2, sigaction, raise, and loads of atomics.
    private static let handle: @convention(c) (Int32) -> Void = { number in
        let error = errno
        for _ in 0..<100 {
            guard unsafe StandardError.hasInput(reading) || isBusy() else { break }
            // Waits for nothing, for 5 ms.
            poll(nil, 0, 5)
        }
        unsafe dup2(real, STDERR_FILENO)
        unsafe sigaction(number, previous + Int(number), nil)
        // Blocked until this returns; then it comes again, where the crash was, and goes its own way.
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

/// `read(2)`, under a name that a method called `read` does not hide.
private func systemRead(_ descriptor: Int32, _ bytes: UnsafeMutableRawPointer, _ count: Int) -> Int {
    unsafe read(descriptor, bytes, count)
}
