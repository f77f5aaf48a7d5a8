import Foundation

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// Locks a directory against other programs, until the last reference is released or the process ends in any way.
package final class DirectoryLock: Sendable {
    private let descriptor: Int32

    /// Prefix of a directory's name while the directory is being created.
    package static let newPrefix = "new-"

    /// Creates a directory, locked from the moment it has its name.
    /// If another program finds it unlocked, its owner is gone.
    /// - Parameter fill: adds the content required before the directory has its name.
    package static func make(_ path: String, mode: Int, fill: (String) throws(DiskError) -> Void = { _ in })
        throws(DiskError) -> DirectoryLock
    {
        let parent = path.parentPath
        // The parent is never created here: if it is missing, its disk is no longer mounted.
        guard FileSystem.isDirectory(parent) else {
            throw DiskError("\(parent) is missing; is its disk mounted?", underlying: ENOENT)
        }
        let new = "\(parent)/\(newPrefix)\(path.lastPathComponent)"
        try FileSystem.makeDirectory(new, mode: mode)
        do throws(DiskError) {
            guard let lock = try DirectoryLock(existing: new) else {
                throw DiskError("another program has locked \(new)")
            }
            try fill(new)
            guard unsafe rename(new, path) == 0 else {
                throw DiskError("cannot rename \(new) to \(path)", underlying: errno)
            }
            return lock
        } catch {
            FileSystem.removeEmptyDirectory(new)
            throw error
        }
    }

    /// True when the file system supports locks. Otherwise only the lease of the call's server protects the directory.
    package let isReal: Bool

    /// Takes the lock. Returns nil if another program holds it, or if the directory is gone.
    package init?(existing path: String) throws(DiskError) {
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
            default: throw DiskError("cannot lock \(path)", underlying: errno)
            }
        }
    }

    private static func open(_ path: String) throws(DiskError) -> Int32 {
        let descriptor = unsafe systemOpen(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw DiskError("cannot open the directory \(path)", underlying: errno) }
        return descriptor
    }

    deinit { if descriptor >= 0 { close(descriptor) } }
}

/// `open(2)`, under a name not hidden by a method called `open`.
private func systemOpen(_ path: UnsafePointer<CChar>, _ flags: Int32) -> Int32 { unsafe open(path, flags) }
