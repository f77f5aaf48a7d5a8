import Foundation

/// Locks a directory against other programs, until the last reference is released or the process ends in any way.
package final class DirectoryLock: Sendable {
    private let directory: any DiskFile

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
            try FileSystem.rename(new, to: path, failing: "cannot rename \(new) to \(path)")
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
        do throws(ErrorNumber) {
            directory = try FileSystem.disk.open(path, FileOpening(.directory))
        } catch {
            if error.value == ENOENT { return nil }
            throw DiskError("cannot open the directory \(path)", underlying: error.value)
        }
        let directory = directory
        switch try FileSystem.saying("cannot lock \(path)", { () throws(ErrorNumber) in try directory.lock() }) {
        case .taken: isReal = true
        case .held: return nil
        case .unsupported: isReal = false
        }
    }
}
