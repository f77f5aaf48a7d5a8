import CallreelCore
import Foundation

/// A file left by an earlier process, open for reading. Writing needs ``change(_:)``.
///
/// Nothing in such a file is trusted. Readers state how many bytes they want and get at most the bytes in the file.
final class StoredFile {
    /// The file's path.
    let path: String
    /// The file's length when it was opened.
    let byteCount: Int
    /// The open file, for a decoder that reads the file itself. The decoder must keep this object alive.
    let file: any DiskFile

    /// The file can be read through a descriptor. On a simulated disk, it cannot.
    var hasDescriptor: Bool { file.descriptor >= 0 }

    /// Opens a regular file for reading. Follows a link only if `followsLinks` is true.
    /// Never blocks on a pipe or device.
    convenience init(_ path: String, followsLinks: Bool = false) throws(SinkError) {
        try self.init(path, FileOpening(.read, followsLinks: followsLinks, waits: false))
    }

    private init(_ path: String, _ opening: FileOpening) throws(SinkError) {
        self.path = path
        let status: FileStatus
        do throws(ErrorNumber) {
            file = try FileSystem.disk.open(path, opening)
            status = try file.status()
        } catch {
            throw SinkError(.open, "cannot open \(path)", underlying: error.value)
        }
        byteCount = status.bytes
        guard status.kind == .file else { throw SinkError(.open, "\(path) is not a regular file") }
    }

    /// Returns the bytes from an offset on. Returns fewer than requested only at the end of the file.
    func bytes(at offset: Int, count: Int) throws(SinkError) -> [UInt8] {
        let wanted = max(0, min(count, byteCount - offset))
        var failure: Int32?
        let result = unsafe [UInt8](unsafeUninitializedCapacity: wanted) { buffer, done in
            while done < wanted {
                do throws(ErrorNumber) {
                    let rest = unsafe UnsafeMutableRawBufferPointer(
                        start: buffer.baseAddress! + done, count: wanted - done)
                    let got = unsafe try file.read(at: offset + done, into: rest)
                    if got <= 0 { return }
                    done += got
                } catch {
                    failure = error.value
                    return
                }
            }
        }
        if let failure { throw SinkError(.open, "cannot read \(path)", underlying: failure) }
        return result
    }

    /// Brings the file to stable storage. Blocks.
    func synchronize() throws(SinkError) {
        do throws(ErrorNumber) { try file.synchronize() } catch {
            throw SinkError(.finish, "cannot sync \(path)", underlying: error.value)
        }
    }

    /// Runs a repair that writes to the file, and then brings the file to stable storage.
    /// Only here is the file opened for writing.
    func change(_ body: (borrowing Writer) throws(SinkError) -> Void) throws(SinkError) {
        let writable = try StoredFile(path, FileOpening(.change, followsLinks: false, waits: false))
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
            do throws(ErrorNumber) { try file.file.truncate(to: length) } catch {
                throw SinkError(.write, "cannot cut \(file.path)", underlying: error.value)
            }
        }

        /// Writes a few bytes at an offset in one system call.
        func write(_ bytes: [UInt8], at offset: Int) throws(SinkError) {
            do throws(ErrorNumber) {
                guard try unsafe file.file.write(bytes.span.bytes, at: offset) == bytes.count else {
                    throw ErrorNumber(EIO)
                }
            } catch {
                throw SinkError(.write, "cannot write \(file.path)", underlying: error.value)
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
