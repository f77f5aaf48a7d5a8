import CallreelCore

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// A file that is open for reading. It is closed where it was read: closing may block too.
final class OpenFile: Sendable {
    private let path: String
    private let descriptor: Int32
    private let closer: DirectoryReader

    /// Opens a file, which `closer` will close. Blocks.
    init(_ path: String, closer: DirectoryReader) throws(RecordingError) {
        descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw RecordingError("cannot open \(path)", underlying: errno) }
        self.path = path
        self.closer = closer
    }

    deinit {
        let descriptor = descriptor
        closer.later { close(descriptor) }
    }

    /// Reads up to so many bytes from a position on, and at least one. Blocks.
    func read(_ count: Int, at position: Int) throws(RecordingError) -> [UInt8] {
        var result = 0
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            repeat {
                unsafe result = pread(descriptor, buffer.baseAddress, count, off_t(position))
            } while result < 0 && errno == EINTR
            filled = max(0, result)
        }
        guard result >= 0 else { throw RecordingError("cannot read \(path)", underlying: errno) }
        guard result > 0 else { throw RecordingError("\(path) has become shorter while it was read") }
        return bytes
    }
}
