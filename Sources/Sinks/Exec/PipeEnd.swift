#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// One end of a pipe, which no other program inherits, closed once. Used by one thread at a time.
final class PipeEnd {
    /// What became of a write.
    enum Written {
        case done(Int)
        case wouldBlock
        case failed(Int32)
    }

    /// The descriptor; -1 once it is closed or somebody else's.
    private(set) var descriptor: Int32

    private init(_ descriptor: Int32) { self.descriptor = descriptor }

    deinit { close() }

    /// Makes a pipe.
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

    /// Nothing waits for this end any more: what it cannot do at once is not done.
    func makeNonblocking() throws(ProgramFailure) {
        guard fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK) == 0 else {
            throw ProgramFailure("cannot be given a pipe", systemError: errno)
        }
    }

    /// Gives the descriptor away.
    func release() -> Int32 {
        defer { descriptor = -1 }
        return descriptor
    }

    /// Closes it.
    func close() {
        if descriptor >= 0 { closeDescriptor(descriptor) }
        descriptor = -1
    }

    /// Whether nobody has the other end open any more.
    var isBroken: Bool {
        var entry = pollfd(fd: descriptor, events: 0, revents: 0)
        return unsafe systemPoll(&entry, 1, 0) == 1 && entry.revents & Int16(POLLERR) != 0
    }

    /// Writes as much as fits. A reader that is gone is an error number, and never the signal that would end the process.
    func write(_ bytes: RawSpan) -> Written {
        let (count, number) = withoutBrokenPipeSignal {
            unsafe bytes.withUnsafeBytes { unsafe systemWrite(descriptor, $0.baseAddress!, $0.count) }
        }
        if count >= 0 { return .done(count) }
        return number == EAGAIN || number == EINTR ? .wouldBlock : .failed(number)
    }

    /// Reads what there is, and closes the end when no more will come.
    func drain(into tail: inout ByteTail) {
        guard descriptor >= 0 else { return }
        // Bounded, so that a program that prints without an end does not keep whoever reads.
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

/// The end of a long row of bytes.
struct ByteTail {
    /// Bytes that are kept.
    static let limit = 4096
    private var bytes: [UInt8] = []

    /// Adds bytes, and forgets those that are too many.
    mutating func append(_ more: some Collection<UInt8>) {
        bytes.append(contentsOf: more.suffix(Self.limit))
        if bytes.count > Self.limit { bytes.removeFirst(bytes.count - Self.limit) }
    }

    /// The bytes as text, in which whatever is not UTF-8 is marked.
    var text: String { String(decoding: bytes.drop { $0 & 0xC0 == 0x80 }, as: UTF8.self) }
}

/// Waits until something can be written to or read from one of the ends, or until a time.
func poll(_ ends: [PipeEnd], until limit: ContinuousClock.Instant) {
    var entries = ends.filter { $0.descriptor >= 0 }.map { end in
        pollfd(fd: end.descriptor, events: Int16(POLLIN | POLLOUT), revents: 0)
    }
    // A minute at most, after which whoever waits looks again; rounded up, so that the time has come when it ends.
    let rest = max(.zero, min(.seconds(60), ContinuousClock.now.duration(to: limit)))
    let milliseconds = (rest / .milliseconds(1)).rounded(.up)
    _ = unsafe systemPoll(&entries, nfds_t(entries.count), Int32(milliseconds))
}

/// Calls something that writes to a pipe. The signal that a broken pipe makes is held back and taken away, on this thread alone.
private func withoutBrokenPipeSignal(_ body: () -> Int) -> (result: Int, error: Int32) {
    #if canImport(Darwin)
        // The descriptor was told to send none.
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

/// `close(2)`, under a name that a method called `close` does not hide.
func closeDescriptor(_ descriptor: Int32) { _ = close(descriptor) }

/// `write(2)`, under a name that a method called `write` does not hide.
private func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawPointer, _ count: Int) -> Int { unsafe write(descriptor, bytes, count) }

/// `read(2)`, beside the others.
private func systemRead(_ descriptor: Int32, _ bytes: UnsafeMutableRawPointer, _ count: Int) -> Int { unsafe read(descriptor, bytes, count) }

/// `poll(2)`, under a name that the function above does not hide.
private func systemPoll(_ entries: UnsafeMutablePointer<pollfd>, _ count: nfds_t, _ milliseconds: Int32) -> Int32 {
    unsafe poll(entries, count, milliseconds)
}
