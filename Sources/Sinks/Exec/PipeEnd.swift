import Foundation
import SystemPackage

/// One end of a pipe. Child processes do not inherit it, and it is closed only once. Used by one thread at a time.
final class PipeEnd {
    /// The result of a write.
    enum Written {
        case done(Int)
        case wouldBlock
        case failed(Int32)
    }

    /// The open end. Nil once it is closed or given away.
    private var file: FileDescriptor?

    private init(_ file: FileDescriptor) { self.file = file }

    deinit { close() }

    /// The descriptor. -1 once it is closed or given away.
    var descriptor: Int32 { file?.rawValue ?? -1 }

    /// Creates a pipe.
    static func pair() throws(ProgramFailure) -> (read: PipeEnd, write: PipeEnd) {
        let pair: (read: PipeEnd, write: PipeEnd)
        do {
            let ends = try FileDescriptor.pipe()
            pair = (PipeEnd(ends.readEnd), PipeEnd(ends.writeEnd))
        } catch {
            throw ProgramFailure("cannot be given a pipe", systemError: (error as? Errno)?.rawValue ?? EIO)
        }
        for end in [pair.read.descriptor, pair.write.descriptor] {
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
        defer { file = nil }
        return descriptor
    }

    /// Closes the descriptor.
    func close() {
        try? file?.close()
        file = nil
    }

    /// True when no process has the pipe's reading end open any more.
    var isBroken: Bool {
        var entry = pollfd(fd: descriptor, events: 0, revents: 0)
        return unsafe systemPoll(&entry, 1, 0) == 1 && entry.revents & Int16(POLLERR) != 0
    }

    /// Writes as many bytes as fit. If the reader is gone, returns an error number; the process gets no SIGPIPE.
    func write(_ bytes: RawSpan) -> Written {
        guard let file else { return .failed(EBADF) }
        do {
            return .done(
                try withoutBrokenPipeSignal {
                    unsafe try bytes.withUnsafeBytes { unsafe try file.write($0, retryOnInterrupt: false) }
                })
        } catch {
            return error == .wouldBlock || error == .interrupted ? .wouldBlock : .failed(error.rawValue)
        }
    }

    /// Reads the available bytes, and closes this end at the end of the input.
    func drain(into tail: inout ByteTail) {
        guard let file else { return }
        // Bounded, so that a program with endless output does not hold up the reader.
        for _ in 0..<16 {
            do {
                let count = try unsafe withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 16384) { buffer in
                    let count = unsafe try file.read(
                        into: UnsafeMutableRawBufferPointer(buffer), retryOnInterrupt: false)
                    unsafe tail.append(buffer.prefix(count))
                    return count
                }
                if count == 0 { return close() }
            } catch {
                let number = error as? Errno
                if number != .wouldBlock && number != .interrupted { close() }
                return
            }
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
private func withoutBrokenPipeSignal(_ body: () throws -> Int) throws(Errno) -> Int {
    #if canImport(Darwin)
        // The descriptor is set to send no signal.
        return try Result(catching: body).mapError { $0 as? Errno ?? .ioError }.get()
    #else
        var signals = sigset_t(), before = sigset_t(), pending = sigset_t()
        unsafe sigemptyset(&signals)
        unsafe sigaddset(&signals, SIGPIPE)
        unsafe sigpending(&pending)
        let wasPending = unsafe sigismember(&pending, SIGPIPE) == 1
        unsafe pthread_sigmask(SIG_BLOCK, &signals, &before)
        let result = Result(catching: body).mapError { $0 as? Errno ?? .ioError }
        if case .failure(.brokenPipe) = result, !wasPending {
            var now = timespec()
            _ = unsafe sigtimedwait(&signals, nil, &now)
        }
        unsafe pthread_sigmask(SIG_SETMASK, &before, nil)
        return try result.get()
    #endif
}

/// Calls `poll(2)`. The name avoids a clash with the function above.
private func systemPoll(_ entries: UnsafeMutablePointer<pollfd>, _ count: nfds_t, _ milliseconds: Int32) -> Int32 {
    unsafe poll(entries, count, milliseconds)
}
