#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// One end of a pipe. Child processes do not inherit it, and it is closed only once. Used by one thread at a time.
final class PipeEnd {
    /// The result of a write.
    enum Written {
        case done(Int)
        case wouldBlock
        case failed(Int32)
    }

    /// The descriptor. -1 once it is closed or given away.
    private(set) var descriptor: Int32

    private init(_ descriptor: Int32) { self.descriptor = descriptor }

    deinit { close() }

    /// Creates a pipe.
    static func pair() throws(ProgramFailure) -> (read: PipeEnd, write: PipeEnd) {
        var ends: [Int32] = [-1, -1]
        guard unsafe pipe(&ends) == 0 else { throw ProgramFailure("cannot be given a pipe", systemError: errno) }
        let pair = (read: PipeEnd(ends[0]), write: PipeEnd(ends[1]))
        for end in ends {
            #if canImport(Darwin)
                let isOurs = fcntl(end, F_SETFD, FD_CLOEXEC) == 0 && fcntl(end, F_SETNOSIGPIPE, 1) == 0
            #else
                let isOurs = fcntl(end, F_SETFD, FD_CLOEXEC) == 0
            #endif
            guard isOurs else { throw ProgramFailure("cannot be given a pipe", systemError: errno) }
        }
        return pair
    }

    /// Makes reads and writes on this end return at once instead of blocking.
    func makeNonblocking() throws(ProgramFailure) {
        guard fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK) == 0 else {
            throw ProgramFailure("cannot be given a pipe", systemError: errno)
        }
    }

    /// Gives the descriptor to the caller, who must close it.
    func release() -> Int32 {
        defer { descriptor = -1 }
        return descriptor
    }

    /// Closes the descriptor.
    func close() {
        if descriptor >= 0 { closeDescriptor(descriptor) }
        descriptor = -1
    }

    /// True when no process has the pipe's reading end open any more.
    var isBroken: Bool {
        var entry = pollfd(fd: descriptor, events: 0, revents: 0)
        return unsafe systemPoll(&entry, 1, 0) == 1 && entry.revents & Int16(POLLERR) != 0
    }

    /// Writes as many bytes as fit. If the reader is gone, returns an error number; the process gets no SIGPIPE.
    func write(_ bytes: RawSpan) -> Written {
        let (count, number) = withoutBrokenPipeSignal {
            unsafe bytes.withUnsafeBytes { unsafe systemWrite(descriptor, $0.baseAddress!, $0.count) }
        }
        if count >= 0 { return .done(count) }
        return number == EAGAIN || number == EINTR ? .wouldBlock : .failed(number)
    }

    /// Reads the available bytes, and closes this end at the end of the input.
    func drain(into tail: inout ByteTail) {
        guard descriptor >= 0 else { return }
        // Bounded, so that a program with endless output does not hold up the reader.
        for _ in 0..<16 {
            let count = unsafe withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 16384) { buffer -> Int in
                let count = unsafe systemRead(descriptor, buffer.baseAddress!, buffer.count)
                if count > 0 { unsafe tail.append(buffer.prefix(count)) }
                return count
            }
            if count > 0 { continue }
            if count == 0 || (errno != EAGAIN && errno != EINTR) { close() }
            return
        }
    }
}

/// The last bytes of a stream.
struct ByteTail {
    /// The most bytes kept.
    static let limit = 4096
    private var bytes: [UInt8] = []

    /// Appends bytes, and drops the oldest beyond ``limit``.
    mutating func append(_ more: some Collection<UInt8>) {
        bytes.append(contentsOf: more.suffix(Self.limit))
        if bytes.count > Self.limit { bytes.removeFirst(bytes.count - Self.limit) }
    }

    /// The bytes as text. Bytes that are not UTF-8 appear as replacement characters.
    var text: String { String(decoding: bytes.drop { $0 & 0xC0 == 0x80 }, as: UTF8.self) }
}

/// Blocks until one of the ends can be read or written, until a time, or for a minute at most.
func poll(_ ends: [PipeEnd], until limit: ContinuousClock.Instant) {
    var entries = ends.filter { $0.descriptor >= 0 }.map { end in
        pollfd(fd: end.descriptor, events: Int16(POLLIN | POLLOUT), revents: 0)
    }
    // A minute at most; callers then check again. Rounded up, so that the time has come when the wait ends.
    let rest = max(.zero, min(.seconds(60), ContinuousClock.now.duration(to: limit)))
    let milliseconds = (rest / .milliseconds(1)).rounded(.up)
    _ = unsafe systemPoll(&entries, nfds_t(entries.count), Int32(milliseconds))
}

/// Runs a closure that writes to a pipe. Suppresses SIGPIPE from a broken pipe, on this thread only.
private func withoutBrokenPipeSignal(_ body: () -> Int) -> (result: Int, error: Int32) {
    #if canImport(Darwin)
        // The descriptor is set to send no signal.
        let result = body()
        return (result, errno)
    #else
        var signals = sigset_t(), before = sigset_t(), pending = sigset_t()
        unsafe sigemptyset(&signals)
        unsafe sigaddset(&signals, SIGPIPE)
        unsafe sigpending(&pending)
        let wasPending = unsafe sigismember(&pending, SIGPIPE) == 1
        unsafe pthread_sigmask(SIG_BLOCK, &signals, &before)
        let result = body(), number = errno
        if result < 0, number == EPIPE, !wasPending {
            var now = timespec()
            _ = unsafe sigtimedwait(&signals, nil, &now)
        }
        unsafe pthread_sigmask(SIG_SETMASK, &before, nil)
        return (result, number)
    #endif
}

/// Calls `close(2)`. The name avoids a clash with a method called `close`.
func closeDescriptor(_ descriptor: Int32) { _ = close(descriptor) }

/// Calls `write(2)`. The name avoids a clash with a method called `write`.
private func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawPointer, _ count: Int) -> Int {
    unsafe write(descriptor, bytes, count)
}

/// Calls `read(2)`, named like the others.
private func systemRead(_ descriptor: Int32, _ bytes: UnsafeMutableRawPointer, _ count: Int) -> Int {
    unsafe read(descriptor, bytes, count)
}

/// Calls `poll(2)`. The name avoids a clash with the function above.
private func systemPoll(_ entries: UnsafeMutablePointer<pollfd>, _ count: nfds_t, _ milliseconds: Int32) -> Int32 {
    unsafe poll(entries, count, milliseconds)
}
