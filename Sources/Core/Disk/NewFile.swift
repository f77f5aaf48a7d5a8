#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// A file created for writing. It is closed exactly once.
package struct NewFile: ~Copyable, Sendable {
    /// The file's path.
    package let path: String
    /// The open descriptor. Do not close it: this value does.
    package private(set) var descriptor: Int32

    /// Creates a file. Fails if the name is taken.
    package init(_ path: String, mode: Int) throws(DiskError) {
        self.path = path
        descriptor = unsafe open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode_t(mode))
        guard descriptor >= 0 else { throw DiskError("cannot create \(path)", underlying: errno) }
        // The configuration decides who may read a recording, not the process's umask.
        guard fchmod(descriptor, mode_t(mode)) == 0 else {
            throw DiskError("cannot set the mode of \(path)", underlying: errno)
        }
    }

    /// Appends all the bytes, or fails. A failure is final: some of the bytes may have been written.
    package func write(_ bytes: RawSpan) throws(DiskError) {
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
        if let failure { throw DiskError("cannot write \(path)", underlying: failure) }
    }

    /// Syncs the bytes written so far to stable storage.
    package func synchronize() throws(DiskError) {
        guard fsync(descriptor) == 0 else { throw DiskError("cannot sync \(path)", underlying: errno) }
    }

    /// The file's length in bytes.
    package func byteCount() throws(DiskError) -> Int {
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else {
            throw DiskError("cannot examine \(path)", underlying: errno)
        }
        return Int(status.st_size)
    }

    /// Syncs the file to stable storage and closes it. Reports the errors of both.
    package consuming func close() throws(DiskError) {
        let synced = fsync(descriptor) == 0 ? nil : errno
        let closed = systemClose(descriptor) == 0 ? nil : errno
        descriptor = -1
        if let failure = synced ?? closed { throw DiskError("cannot close \(path)", underlying: failure) }
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
