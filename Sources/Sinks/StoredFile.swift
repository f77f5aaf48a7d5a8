import CallreelCore

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// A file that an earlier process left, open to be looked at; writing to it takes ``change(_:)``.
///
/// Nothing in such a file is believed: whoever reads it says how much it wants, and gets no more than there is.
final class StoredFile {
    /// Where it stands.
    let path: String
    /// Its length when it was opened.
    let byteCount: Int
    /// The open descriptor, for a decoder that reads by itself as long as it keeps this object.
    let descriptor: Int32

    /// Opens a regular file for reading. A link is not followed unless that is asked for, and nothing that could block is waited for.
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

    /// The bytes from a place on: as many as asked for, fewer only where the file ends.
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

    /// Returns when the file as it stands is on stable storage.
    func synchronize() throws(SinkError) {
        guard fsync(descriptor) == 0 else { throw SinkError(.finish, "cannot sync \(path)", underlying: errno) }
    }

    /// Lets a repair write, and brings the file to stable storage when it is done. The file is opened for writing only here.
    func change(_ body: (borrowing Writer) throws(SinkError) -> Void) throws(SinkError) {
        let writable = try StoredFile(path, flags: O_RDWR | O_NOFOLLOW)
        guard writable.byteCount == byteCount else { throw SinkError(.open, "\(path) changed while it was examined") }
        try body(Writer(file: writable))
        try writable.synchronize()
    }

    /// What a repair may do to a file. Each step is one system call, so that a repair knows what can stand between two of them.
    struct Writer: ~Copyable {
        fileprivate let file: StoredFile

        /// Cuts the file.
        func truncate(to length: Int) throws(SinkError) {
            guard ftruncate(file.descriptor, off_t(length)) == 0 else { throw SinkError(.write, "cannot cut \(file.path)", underlying: errno) }
        }

        /// Writes a few bytes at a place, all at once.
        func write(_ bytes: [UInt8], at offset: Int) throws(SinkError) {
            while true {
                let count = unsafe pwrite(file.descriptor, bytes, bytes.count, off_t(offset))
                if count == bytes.count { return }
                if count < 0, errno == EINTR { continue }
                throw SinkError(.write, "cannot write \(file.path)", underlying: count < 0 ? errno : EIO)
            }
        }

        /// Returns when what was written so far is on stable storage.
        func synchronize() throws(SinkError) { try file.synchronize() }
    }
}

extension StoredFile {
    /// The error for a file that ended before anything in it could be called audio, which a repair leaves alone.
    func withoutAudio(_ reason: String) -> SinkError { SinkError(.open, "no audio can be found in \(path): \(reason)") }

    /// The error for a file that cannot be understood, or holds something else than it should.
    func damaged(_ reason: String) -> SinkError { SinkError(.open, "\(path): \(reason)") }
}
