#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// A new file that a sink writes and owns. It has the mode chosen by the operator, and is closed exactly once.
public struct OutputFile: ~Copyable, Sendable {
    /// The file's name in the call's directory.
    public let name: String
    /// The file's path while the call runs.
    public let path: String
    /// The open descriptor, for C libraries that write by themselves. Do not close it: this value does.
    public private(set) var descriptor: Int32

    /// Creates a file. Fails if the name is taken.
    init(name: String, directory: String, mode: mode_t) throws(SinkError) {
        self.name = name
        path = directory + "/" + name
        descriptor = unsafe open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode)
        guard descriptor >= 0 else { throw SinkError(.open, "cannot create \(path)", underlying: errno) }
        // The configuration decides who may read a recording, not the process's umask.
        guard fchmod(descriptor, mode) == 0 else {
            throw SinkError(.open, "cannot set the mode of \(path)", underlying: errno)
        }
    }

    /// Appends all the bytes, or fails. A failure is final: some of the bytes may have been written.
    public func write(_ bytes: RawSpan) throws(SinkError) {
        let failure: Int32? = unsafe bytes.withUnsafeBytes { buffer in
            var rest = unsafe buffer[...]
            while unsafe !rest.isEmpty {
                let written = unsafe systemWrite(descriptor, rest.base.baseAddress! + rest.startIndex, rest.count)
                if written < 0 {
                    if errno == EINTR { continue }
                    return errno
                }
                // A regular file always takes at least one byte. With any other, this loop would be endless.
                if written == 0 { return EIO }
                unsafe rest = rest.dropFirst(written)
            }
            return nil
        }
        if let failure { throw SinkError(.write, "cannot write \(path)", underlying: failure) }
    }

    /// Appends a text as UTF-8, in the way of ``write(_:)-(RawSpan)``.
    public func write(_ text: String) throws(SinkError) { try unsafe write(Array(text.utf8).span.bytes) }

    /// Syncs the bytes written so far to stable storage.
    public func synchronize() throws(SinkError) {
        guard fsync(descriptor) == 0 else { throw SinkError(.finish, "cannot sync \(path)", underlying: errno) }
    }

    /// The file's length in bytes.
    public func byteCount() throws(SinkError) -> Int {
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else {
            throw SinkError(.finish, "cannot examine \(path)", underlying: errno)
        }
        return Int(status.st_size)
    }

    /// Syncs the file to stable storage and closes it. Reports the errors of both.
    public consuming func close() throws(SinkError) {
        let synced = fsync(descriptor) == 0 ? nil : errno
        let closed = systemClose(descriptor) == 0 ? nil : errno
        descriptor = -1
        if let failure = synced ?? closed { throw SinkError(.finish, "cannot close \(path)", underlying: failure) }
    }

    deinit {
        if descriptor >= 0 { _ = systemClose(descriptor) }
    }
}

/// `write(2)`, under a name that a method called `write` does not hide.
private func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawPointer, _ count: Int) -> Int {
    unsafe write(descriptor, bytes, count)
}

/// `close(2)`, under a name that a method called `close` does not hide.
private func systemClose(_ descriptor: Int32) -> Int32 { close(descriptor) }
