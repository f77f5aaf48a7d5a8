import CallreelCore

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// A file left by an earlier process, open for reading. Writing needs ``change(_:)``.
///
/// Nothing in such a file is trusted. Readers state how many bytes they want and get at most the bytes in the file.
final class StoredFile {
    /// The file's path.
    let path: String
    /// The file's length when it was opened.
    let byteCount: Int
    /// The open descriptor, for a decoder that reads the file itself. The decoder must keep this object alive.
    let descriptor: Int32

    /// Opens a regular file for reading. Follows a link only if `followsLinks` is true.
    /// Never blocks on a pipe or device.
    convenience init(_ path: String, followsLinks: Bool = false) throws(SinkError) {
        try self.init(path, flags: followsLinks ? O_RDONLY : O_RDONLY | O_NOFOLLOW)
    }

    private init(_ path: String, flags: Int32) throws(SinkError) {
        self.path = path
        descriptor = unsafe open(path, flags | O_CLOEXEC | O_NONBLOCK)
        var status = stat()
        guard descriptor >= 0, unsafe fstat(descriptor, &status) == 0 else {
            byteCount = 0
            throw SinkError(.open, "cannot open \(path)", underlying: errno)
        }
        byteCount = Int(status.st_size)
        guard status.st_mode & S_IFMT == S_IFREG else { throw SinkError(.open, "\(path) is not a regular file") }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// Returns the bytes from an offset on. Returns fewer than requested only at the end of the file.
    func bytes(at offset: Int, count: Int) throws(SinkError) -> [UInt8] {
        let wanted = max(0, min(count, byteCount - offset))
        var failure: Int32?
        let result = unsafe [UInt8](unsafeUninitializedCapacity: wanted) { buffer, done in
            while done < wanted {
                let got = unsafe pread(descriptor, buffer.baseAddress! + done, wanted - done, off_t(offset + done))
                if got < 0, errno == EINTR { continue }
                if got <= 0 {
                    failure = got < 0 ? errno : nil
                    return
                }
                done += got
            }
        }
        if let failure { throw SinkError(.open, "cannot read \(path)", underlying: failure) }
        return result
    }

    /// Brings the file to stable storage. Blocks.
    func synchronize() throws(SinkError) {
        guard fsync(descriptor) == 0 else { throw SinkError(.finish, "cannot sync \(path)", underlying: errno) }
    }

    /// Runs a repair that writes to the file, and then brings the file to stable storage.
    /// Only here is the file opened for writing.
    func change(_ body: (borrowing Writer) throws(SinkError) -> Void) throws(SinkError) {
        let writable = try StoredFile(path, flags: O_RDWR | O_NOFOLLOW)
        guard writable.byteCount == byteCount else { throw SinkError(.open, "\(path) changed during the repair") }
        try body(Writer(file: writable))
        try writable.synchronize()
    }

    /// The changes that a repair may make to a file. Each is one system call, so a repair knows
    /// every state between two steps.
    struct Writer: ~Copyable {
        fileprivate let file: StoredFile

        /// Cuts the file to a length.
        func truncate(to length: Int) throws(SinkError) {
            guard ftruncate(file.descriptor, off_t(length)) == 0 else {
                throw SinkError(.write, "cannot cut \(file.path)", underlying: errno)
            }
        }

        /// Writes a few bytes at an offset in one system call.
        func write(_ bytes: [UInt8], at offset: Int) throws(SinkError) {
            while true {
                let count = unsafe pwrite(file.descriptor, bytes, bytes.count, off_t(offset))
                if count == bytes.count { return }
                if count < 0, errno == EINTR { continue }
                throw SinkError(.write, "cannot write \(file.path)", underlying: count < 0 ? errno : EIO)
            }
        }

        /// Brings the earlier writes to stable storage. Blocks.
        func synchronize() throws(SinkError) { try file.synchronize() }
    }
}

extension StoredFile {
    /// Returns the error for a file that ended before any audio. A repair leaves such a file alone.
    func withoutAudio(_ reason: String) -> SinkError { SinkError(.open, "cannot find audio in \(path): \(reason)") }

    /// Returns the error for a file with unreadable or unexpected content.
    func damaged(_ reason: String) -> SinkError { SinkError(.open, "\(path): \(reason)") }
}
