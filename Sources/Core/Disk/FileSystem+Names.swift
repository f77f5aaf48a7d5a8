import Foundation

// Directories, and the names of files.
extension FileSystem {
    /// Creates a directory and its missing ancestors.
    /// - Parameter root: an ancestor never created here. If it is missing, its disk is not mounted.
    package static func makeDirectories(_ path: String, below root: String? = nil, mode: Int) throws(DiskError) {
        if isDirectory(path) { return }
        if path == root { throw DiskError("\(path) is missing; is its disk mounted?", underlying: ENOENT) }
        let parent = path.parentPath
        if !parent.isEmpty, parent != path { try makeDirectories(parent, below: root, mode: mode) }
        do throws(DiskError) {
            try makeDirectory(path, mode: mode)
        } catch  where error.underlying == EEXIST {
            // Another call has just created it.
        }
        guard isDirectory(path) else { throw DiskError("\(path) is not a directory", underlying: ENOTDIR) }
        try synchronizeDirectory(parent.isEmpty ? "." : parent)
    }

    /// Creates one directory. The directory inherits the group and the setgid bit of its parent.
    package static func makeDirectory(_ path: String, mode: Int) throws(DiskError) {
        let disk = disk
        try saying("cannot create the directory \(path)") { () throws(ErrorNumber) in
            try disk.makeDirectory(path, mode: mode)
        }
        let found = try saying("cannot examine \(path)") { () throws(ErrorNumber) in
            try disk.status(path, followsLinks: true).mode
        }
        // The configuration sets the permissions, not the umask. For a process outside the group,
        // chmod(2) clears the setgid bit. So it is called only if the umask cleared a bit.
        guard found & 0o777 != mode else { return }
        let inherited = found & 0o7000
        try saying("cannot set the mode of \(path)") { () throws(ErrorNumber) in
            try disk.setMode(path, mode | inherited)
        }
    }

    /// Returns the permission bits of directories: the bits of files,
    /// plus search permission for everyone with read permission.
    package static func directoryMode(forFiles mode: Int) -> Int { mode | (mode & 0o444) >> 2 | 0o300 }

    /// Gives a file a second, unused name. Returns false if the name is taken.
    ///
    /// If the file system has no hard links, like exFAT, moves the file instead,
    /// by a rename that cannot replace a file.
    package static func link(_ path: String, as name: String) throws(DiskError) -> Bool {
        let disk = disk
        let failure: Int32
        do throws(ErrorNumber) {
            try disk.link(path, as: name)
            return true
        } catch {
            failure = error.value
        }
        if failure == EEXIST { return false }
        guard Self.meansNoLinks(failure) else {
            throw DiskError("cannot publish \(path) as \(name)", underlying: failure)
        }
        do throws(ErrorNumber) {
            try disk.renameExclusively(path, to: name)
            return true
        } catch {
            switch error.value {
            case EEXIST: return false
            case EINVAL, ENOSYS, EPERM:
                throw DiskError(
                    "cannot publish \(path) as \(name): its file system has no hard links and no RENAME_NOREPLACE",
                    underlying: failure)
            default: throw DiskError("cannot publish \(path) as \(name)", underlying: error.value)
            }
        }
    }

    /// Removes a name given by ``link(_:as:)``. The file has its first name again.
    package static func takeBack(_ name: String, of path: String) {
        if exists(path) { removeName(name) } else { try? disk.renameExclusively(name, to: path) }
    }

    /// Returns true if `link(2)` failed because the file system has no hard links.
    private static func meansNoLinks(_ number: Int32) -> Bool {
        number == EPERM || number == EOPNOTSUPP || number == ENOTSUP || number == ENOSYS
    }

    /// Renames a file or directory. Replaces a file of the new name.
    /// - Parameter failing: the reason of a failure, in words.
    package static func rename(_ path: String, to name: String, failing reason: @autoclosure () -> String)
        throws(DiskError)
    {
        try saying(reason()) { () throws(ErrorNumber) in try disk.rename(path, to: name) }
    }

    /// Removes one name of a file. Ignores errors, such as a missing file.
    package static func removeName(_ path: String) { try? disk.removeName(path) }

    /// Removes a directory if it is empty. Ignores errors.
    package static func removeEmptyDirectory(_ path: String) { try? disk.removeDirectory(path) }

    /// Removes a directory with all its content, or a file. Follows no links. Ignores errors.
    package static func removeTree(_ path: String) {
        guard let kind = try? FileStatus(path, followsLinks: false).kind else { return }
        guard kind == .directory else { return removeName(path) }
        for name in names(in: path) { removeTree(path + "/" + name) }
        removeEmptyDirectory(path)
    }

    /// Brings the names in a directory to stable storage.
    package static func synchronizeDirectory(_ path: String) throws(DiskError) {
        let directory = try saying("cannot open the directory \(path)") { () throws(ErrorNumber) in
            try disk.open(path, FileOpening(.directory))
        }
        do throws(ErrorNumber) {
            try directory.synchronize()
        } catch {
            // EINVAL: the file system cannot sync a directory, and has no stronger guarantee to give.
            guard error.value == EINVAL else {
                throw DiskError("cannot sync the directory \(path)", underlying: error.value)
            }
        }
    }
}
