import Crypto
package import Foundation

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// The few file operations needed by recordings, each with an error naming its path. All of them may block.
package enum FileSystem {
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
        guard unsafe mkdir(path, mode_t(mode)) == 0 else {
            throw DiskError("cannot create the directory \(path)", underlying: errno)
        }
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { throw DiskError("cannot examine \(path)", underlying: errno) }
        // The configuration sets the permissions, not the umask. For a process outside the group,
        // chmod(2) clears the setgid bit. So it is called only if the umask cleared a bit.
        guard Int(status.st_mode & 0o777) != mode else { return }
        let inherited = status.st_mode & (S_ISUID | S_ISGID | S_ISVTX)
        guard unsafe chmod(path, mode_t(mode) | inherited) == 0 else {
            throw DiskError("cannot set the mode of \(path)", underlying: errno)
        }
    }

    /// Returns the permission bits of directories: the bits of files,
    /// plus search permission for everyone with read permission.
    package static func directoryMode(forFiles mode: Int) -> Int { mode | (mode & 0o444) >> 2 | 0o300 }

    /// Returns true if the path leads to a directory.
    package static func isDirectory(_ path: String) -> Bool {
        var status = stat()
        return unsafe stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    /// Returns true if the path exists, even as a dangling link.
    package static func exists(_ path: String) -> Bool {
        var status = stat()
        return unsafe lstat(path, &status) == 0
    }

    /// Returns the permission bits of a file, or nil if the file cannot be examined.
    package static func mode(of path: String) -> Int? {
        var status = stat()
        return unsafe stat(path, &status) == 0 ? Int(status.st_mode & 0o777) : nil
    }

    /// Returns true if the path is a regular file of zero bytes.
    package static func isEmptyFile(_ path: String) -> Bool {
        var status = stat()
        return unsafe lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG && status.st_size == 0
    }

    /// The free space under a directory.
    package struct Room: Equatable {
        /// Bytes free to write.
        package var bytes: Int
        /// Files free to create. Nil if the file system does not count them.
        package var files: Int?
    }

    /// Returns the free space under a directory, or nil if the system does not report it.
    package static func room(_ path: String) -> Room? {
        var status = statvfs()
        guard unsafe statvfs(path, &status) == 0 else { return nil }
        return room(
            blocks: UInt64(status.f_bavail), blockSize: UInt64(status.f_frsize), files: UInt64(status.f_favail),
            totalFiles: UInt64(status.f_files))
    }

    /// Returns the free space from the values of `statvfs(3)`. A file system may report any values.
    package static func room(blocks: UInt64, blockSize: UInt64, files: UInt64, totalFiles: UInt64) -> Room {
        // Some file systems report a negative number while blocks reserved for root are in use.
        let blocks = Int64(bitPattern: blocks) < 0 ? 0 : blocks
        let (product, overflows) = blocks.multipliedReportingOverflow(by: blockSize)
        return Room(
            bytes: overflows ? .max : Int(clamping: product),
            files: totalFiles == 0 ? nil : Int64(bitPattern: files) < 0 ? 0 : Int(clamping: files))
    }

    /// Returns the bytes free to write under a directory, or nil if the system does not report them.
    package static func freeBytes(_ path: String) -> Int? { room(path)?.bytes }

    /// Returns the number of a path's file system, or nil if there is nothing at the path.
    package static func device(_ path: String) -> UInt64? {
        var status = stat()
        return unsafe stat(path, &status) == 0 ? UInt64(truncatingIfNeeded: status.st_dev) : nil
    }

    /// Creates a file of zeros with all its blocks on the disk. If that fails, leaves no file.
    package static func allocate(_ path: String, bytes: Int, mode: Int) {
        do throws(DiskError) {
            let file = try NewFile(path, mode: mode)
            // Written, not only reserved: some file systems cannot reserve space, but every one can write.
            try file.write(Data(count: bytes).bytes)
            try file.close()
        } catch {
            removeName(path)
        }
    }

    /// Returns a file's length in bytes, or nil if the file cannot be examined.
    package static func size(_ path: String) -> Int? {
        var status = stat()
        return unsafe stat(path, &status) == 0 ? Int(status.st_size) : nil
    }

    /// Returns the time of a file's last change, or nil if the file cannot be examined.
    package static func modified(_ path: String) -> Date? {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { return nil }
        #if canImport(Darwin)
            let time = status.st_mtimespec
        #else
            let time = status.st_mtim
        #endif
        return Date(timeIntervalSince1970: Double(time.tv_sec) + Double(time.tv_nsec) / 1e9)
    }

    /// Returns true if a directory last changed more than a minute ago.
    package static func isOld(_ path: String) -> Bool { modified(path).map { $0.timeIntervalSinceNow < -60 } ?? false }

    /// Returns true if two paths lead to one directory, by any links.
    package static func isSameDirectory(_ one: String, _ other: String) -> Bool {
        var first = stat(), second = stat()
        return unsafe stat(one, &first) == 0 && stat(other, &second) == 0 && first.st_ino == second.st_ino
            && first.st_dev == second.st_dev
    }

    /// Returns true if two paths name one file. Does not follow symbolic links.
    package static func isSameFile(_ one: String, _ other: String) -> Bool {
        var first = stat(), second = stat()
        return unsafe lstat(one, &first) == 0 && lstat(other, &second) == 0 && first.st_ino == second.st_ino
            && first.st_dev == second.st_dev
    }

    /// Replaces a file atomically: readers see the old content or the new.
    ///
    /// The new content is on stable storage before the file is replaced.
    /// Otherwise XFS and btrfs leave an empty file after a power cut.
    /// - Parameter durably: false for a file of no value after a power cut.
    package static func replace(
        _ path: String, with data: Data, mode: Int, through temporary: String, durably: Bool = true
    ) throws(DiskError) {
        unsafe unlink(temporary)
        do throws(DiskError) {
            let file = try NewFile(temporary, mode: mode)
            try file.write(data.bytes)
            if durably { try file.close() }
        } catch {
            unsafe unlink(temporary)
            throw error
        }
        guard unsafe rename(temporary, path) == 0 else {
            throw DiskError("cannot replace \(path)", underlying: errno)
        }
    }

    /// Gives a file a second, unused name. Returns false if the name is taken.
    ///
    /// If the file system has no hard links, like exFAT, moves the file instead,
    /// by a rename that cannot replace a file.
    package static func link(_ path: String, as name: String) throws(DiskError) -> Bool {
        if unsafe Self.systemLink(path, name) == 0 { return true }
        let failure = errno
        if failure == EEXIST { return false }
        guard Self.meansNoLinks(failure) else {
            throw DiskError("cannot publish \(path) as \(name)", underlying: failure)
        }
        if ExclusiveRename.rename(path, name) { return true }
        if errno == EEXIST { return false }
        if errno == EINVAL || errno == ENOSYS || errno == EPERM {
            throw DiskError(
                "cannot publish \(path) as \(name): its file system has no hard links and no RENAME_NOREPLACE",
                underlying: failure)
        }
        throw DiskError("cannot publish \(path) as \(name)", underlying: errno)
    }

    /// Removes a name given by ``link(_:as:)``. The file has its first name again.
    package static func takeBack(_ name: String, of path: String) {
        if exists(path) { removeName(name) } else { _ = ExclusiveRename.rename(name, path) }
    }

    /// Returns true if `link(2)` failed because the file system has no hard links.
    private static func meansNoLinks(_ number: Int32) -> Bool {
        number == EPERM || number == EOPNOTSUPP || number == ENOTSUP || number == ENOSYS
    }

    private static func systemLink(_ path: UnsafePointer<CChar>, _ name: UnsafePointer<CChar>) -> Int32 {
        #if canImport(Darwin)
            unsafe Darwin.link(path, name)
        #elseif canImport(Musl)
            unsafe Musl.link(path, name)
        #else
            unsafe Glibc.link(path, name)
        #endif
    }

    /// Removes one name of a file. Ignores errors, such as a missing file.
    package static func removeName(_ path: String) {
        unsafe unlink(path)
    }

    /// Removes a directory if it is empty. Ignores errors.
    package static func removeEmptyDirectory(_ path: String) {
        unsafe rmdir(path)
    }

    /// Brings a file's present content to stable storage.
    package static func synchronize(_ path: String) throws(DiskError) {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else { throw DiskError("cannot open \(path)", underlying: errno) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw DiskError("cannot sync \(path)", underlying: errno) }
    }

    /// Brings the names in a directory to stable storage.
    package static func synchronizeDirectory(_ path: String) throws(DiskError) {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw DiskError("cannot open the directory \(path)", underlying: errno) }
        defer { close(descriptor) }
        // EINVAL: the file system cannot sync a directory, and has no stronger guarantee to give.
        guard fsync(descriptor) == 0 || errno == EINVAL else {
            throw DiskError("cannot sync the directory \(path)", underlying: errno)
        }
    }

    /// Brings a file to stable storage, and returns its length in bytes and its SHA-256.
    package static func seal(_ path: String) throws(DiskError) -> (bytes: Int, sha256: String) {
        try measure(path, durably: true)
    }

    /// Returns a file's length in bytes and its SHA-256.
    /// - Parameter durably: true to bring the file to stable storage first.
    package static func measure(_ path: String, durably: Bool = false) throws(DiskError) -> (bytes: Int, sha256: String)
    {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else { throw DiskError("cannot open \(path)", underlying: errno) }
        defer { close(descriptor) }
        guard !durably || fsync(descriptor) == 0 else { throw DiskError("cannot sync \(path)", underlying: errno) }
        var hash = SHA256()
        var total = 0
        var buffer = [UInt8](repeating: 0, count: 1 << 18)
        while true {
            let count = unsafe buffer.withUnsafeMutableBytes { unsafe read(descriptor, $0.baseAddress!, $0.count) }
            if count < 0 {
                if errno == EINTR { continue }
                throw DiskError("cannot read \(path)", underlying: errno)
            }
            if count == 0 { break }
            unsafe buffer.withUnsafeBytes {
                unsafe hash.update(bufferPointer: UnsafeRawBufferPointer(rebasing: $0[..<count]))
            }
            total += count
        }
        return (total, hash.finalize().map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined())
    }
}
