import Foundation

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// Holds a directory against other programs, until the last copy is gone or the process ends in whatever way.
final class DirectoryLock: Sendable {
    private let descriptor: Int32

    /// What stands before the name of a directory that is being made.
    static let newPrefix = "new-"

    /// Makes a directory that is locked from the moment that it has its name: whoever finds it free knows that its program is gone.
    /// - Parameter fill: puts into it what must be there when it has its name.
    static func make(_ path: String, mode: mode_t, fill: (String) throws(RecordingError) -> Void = { _ in }) throws(RecordingError) -> DirectoryLock {
        let parent = path.parentPath
        // Its parent is never made here: where it is missing, its disk is not mounted any more.
        guard FileSystem.isDirectory(parent) else { throw RecordingError("\(parent) is missing; is its disk mounted?", underlying: ENOENT) }
        let new = "\(parent)/\(newPrefix)\(path.lastPathComponent)"
        try FileSystem.makeDirectory(new, mode: mode)
        do throws(RecordingError) {
            guard let lock = try DirectoryLock(existing: new) else { throw RecordingError("another program holds \(new)") }
            try fill(new)
            guard unsafe rename(new, path) == 0 else { throw RecordingError("cannot rename \(new) to \(path)", underlying: errno) }
            return lock
        } catch {
            FileSystem.removeEmptyDirectory(new)
            throw error
        }
    }

    /// Whether the file system has locks. Where it has none, the lease of the call's server is all that protects it.
    let isReal: Bool

    /// Takes the lock, or returns nil when another program holds it, or when the directory has gone.
    init?(existing path: String) throws(RecordingError) {
        do {
            descriptor = try Self.open(path)
        } catch  where error.underlying == ENOENT {
            return nil
        }
        while true {
            if flock(descriptor, LOCK_EX | LOCK_NB) == 0 {
                isReal = true
                return
            }
            switch errno {
            case EINTR: continue
            case EWOULDBLOCK:
                isReal = false
                return nil
            case ENOSYS, EOPNOTSUPP, ENOTSUP, ENOLCK, EINVAL:
                isReal = false
                return
            default: throw RecordingError("cannot lock \(path)", underlying: errno)
            }
        }
    }

    private static func open(_ path: String) throws(RecordingError) -> Int32 {
        let descriptor = unsafe systemOpen(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw RecordingError("cannot open the directory \(path)", underlying: errno) }
        return descriptor
    }

    deinit { if descriptor >= 0 { close(descriptor) } }
}

/// `open(2)`, under a name that a method called `open` does not hide.
private func systemOpen(_ path: UnsafePointer<CChar>, _ flags: Int32) -> Int32 { unsafe open(path, flags) }
