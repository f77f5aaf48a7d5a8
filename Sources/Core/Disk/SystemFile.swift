import Foundation
import Synchronization
import SystemPackage

/// A file or directory open in this process. It is closed exactly once.
final class SystemFile: DiskFile {
    private let file: FileDescriptor
    private let isOpen = Atomic(true)

    /// Takes over a descriptor.
    init(_ file: FileDescriptor) { self.file = file }

    deinit { if isOpen.load(ordering: .relaxed) { try? file.close() } }

    var descriptor: Int32 { file.rawValue }

    func status() throws(ErrorNumber) -> FileStatus { FileStatus(try ErrorNumber.from { try Stat(file) }) }

    func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(ErrorNumber) -> Int {
        try ErrorNumber.from { unsafe try file.read(fromAbsoluteOffset: Int64(offset), into: buffer) }
    }

    func append(_ bytes: RawSpan) throws(ErrorNumber) {
        try ErrorNumber.from {
            unsafe try bytes.withUnsafeBytes { buffer in
                var done = 0
                while done < buffer.count {
                    let written = unsafe try file.write(UnsafeRawBufferPointer(rebasing: buffer[done...]))
                    // A regular file always takes at least one byte. With any other, this loop would be endless.
                    if written == 0 { throw Errno.ioError }
                    done += written
                }
            }
        }
    }

    func write(_ bytes: RawSpan, at offset: Int) throws(ErrorNumber) -> Int {
        try ErrorNumber.from {
            unsafe try bytes.withUnsafeBytes { unsafe try file.write(toAbsoluteOffset: Int64(offset), $0) }
        }
    }

    func truncate(to length: Int) throws(ErrorNumber) {
        try ErrorNumber.from { try file.resize(to: Int64(length), retryOnInterrupt: true) }
    }

    func setMode(_ mode: Int) throws(ErrorNumber) { try ErrorNumber.check(fchmod(descriptor, mode_t(mode))) }

    func synchronize() throws(ErrorNumber) { try ErrorNumber.check(fsync(descriptor)) }

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
        try ErrorNumber.from { try file.close() }
    }
}

extension ErrorNumber {
    /// Runs a call of swift-system. Its errors are all of type `Errno`.
    static func from<Result>(_ call: () throws -> Result) throws(ErrorNumber) -> Result {
        do { return try call() } catch { throw ErrorNumber((error as? Errno)?.rawValue ?? EIO) }
    }

    /// Throws the system's number if a system call has failed.
    static func check(_ result: Int32) throws(ErrorNumber) {
        guard result == 0 else { throw ErrorNumber(errno) }
    }
}

extension FileStatus {
    /// Takes over the facts of the system.
    init(_ status: Stat) {
        let kind: Kind =
            switch status.type {
            case .directory: .directory
            case .regular: .file
            case .symbolicLink: .link
            default: .other
            }
        let time = status.st_mtim
        self.init(
            identity: Identity(
                device: UInt64(truncatingIfNeeded: status.deviceID.rawValue),
                number: UInt64(truncatingIfNeeded: status.inode.rawValue)),
            kind: kind,
            size: Size(
                bytes: Int(status.size), stored: Int(status.sizeAllocated), block: Int(status.preferredIOBlockSize)),
            modified: Moment(seconds: Int(time.tv_sec), nanoseconds: Int(time.tv_nsec)),
            mode: Int(status.mode.rawValue & 0o7777), links: status.linkCount)
    }
}
