import Synchronization

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// A file or directory open in this process. It is closed exactly once.
final class SystemFile: DiskFile {
    let descriptor: Int32
    private let isOpen = Atomic(true)

    /// Takes over a descriptor.
    init(_ descriptor: Int32) { self.descriptor = descriptor }

    deinit { if isOpen.load(ordering: .relaxed) { _ = systemClose(descriptor) } }

    func status() throws(ErrorNumber) -> FileStatus {
        var status = stat()
        try check(unsafe fstat(descriptor, &status))
        return FileStatus(status)
    }

    func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(ErrorNumber) -> Int {
        while true {
            let count = unsafe pread(descriptor, buffer.baseAddress, buffer.count, off_t(offset))
            if count >= 0 { return count }
            guard errno == EINTR else { throw ErrorNumber(errno) }
        }
    }

    func append(_ bytes: RawSpan) throws(ErrorNumber) {
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
        if let failure { throw ErrorNumber(failure) }
    }

    func write(_ bytes: RawSpan, at offset: Int) throws(ErrorNumber) -> Int {
        while true {
            let count = unsafe bytes.withUnsafeBytes {
                unsafe pwrite(descriptor, $0.baseAddress, $0.count, off_t(offset))
            }
            if count >= 0 { return count }
            guard errno == EINTR else { throw ErrorNumber(errno) }
        }
    }

    func truncate(to length: Int) throws(ErrorNumber) { try check(ftruncate(descriptor, off_t(length))) }

    func setMode(_ mode: Int) throws(ErrorNumber) { try check(fchmod(descriptor, mode_t(mode))) }

    func synchronize() throws(ErrorNumber) { try check(fsync(descriptor)) }

    func lock() throws(ErrorNumber) -> FileLocking {
        while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
            switch errno {
            case EINTR: continue
            case EWOULDBLOCK: return .held
            case ENOSYS, EOPNOTSUPP, ENOTSUP, ENOLCK, EINVAL: return .unsupported
            default: throw ErrorNumber(errno)
            }
        }
        return .taken
    }

    func close() throws(ErrorNumber) {
        guard isOpen.exchange(false, ordering: .relaxed) else { return }
        try check(systemClose(descriptor))
    }

    private func check(_ result: Int32) throws(ErrorNumber) {
        guard result == 0 else { throw ErrorNumber(errno) }
    }
}

/// `write(2)`, under a name that a method called `write` does not hide.
private func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawPointer, _ count: Int) -> Int {
    unsafe write(descriptor, bytes, count)
}

/// `close(2)`, under a name that a method called `close` does not hide.
private func systemClose(_ descriptor: Int32) -> Int32 { close(descriptor) }
