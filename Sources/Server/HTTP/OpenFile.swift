import CallreelCore
import CallreelEngine
import Foundation

/// A file open for reading. It is closed on the directory's reader threads, because closing may block, too.
final class OpenFile: Sendable {
    private let path: String
    private let descriptor: Int32
    private let closer: DirectoryReader

    /// Opens a file. Blocks.
    /// - Parameter closer: the reader whose threads close the file.
    init(_ path: String, closer: DirectoryReader) throws(DiskError) {
        descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw DiskError("cannot open \(path)", underlying: errno) }
        self.path = path
        self.closer = closer
    }

    deinit {
        let descriptor = descriptor
        closer.later { close(descriptor) }
    }

    /// Reads at least one byte and at most `count`, from a position on. Blocks.
    func read(_ count: Int, at position: Int) throws(DiskError) -> [UInt8] {
        var result = 0
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            repeat {
                unsafe result = pread(descriptor, buffer.baseAddress, count, off_t(position))
            } while result < 0 && errno == EINTR
            filled = max(0, result)
        }
        guard result >= 0 else { throw DiskError("cannot read \(path)", underlying: errno) }
        guard result > 0 else { throw DiskError("\(path) became shorter during the read") }
        return bytes
    }
}
