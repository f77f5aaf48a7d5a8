import Crypto
import Foundation

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// The few file operations that recordings need, each with an error that names its path. All of them may block.
enum FileSystem {
    /// Makes a directory and those above it where they are missing.
    /// - Parameter root: a directory above it that is never made. If it is missing, its disk is not mounted.
    static func makeDirectories(_ path: String, below root: String? = nil, mode: mode_t) throws(RecordingError) {
        if isDirectory(path) { return }
        if path == root { throw RecordingError("\(path) is missing; is its disk mounted?", underlying: ENOENT) }
        let parent = path.parentPath
        if !parent.isEmpty, parent != path { try makeDirectories(parent, below: root, mode: mode) }
        do throws(RecordingError) {
            try makeDirectory(path, mode: mode)
        } catch  where error.underlying == EEXIST {
            // Another call made it a moment ago.
        }
        guard isDirectory(path) else { throw RecordingError("\(path) is not a directory", underlying: ENOTDIR) }
        try synchronizeDirectory(parent.isEmpty ? "." : parent)
    }

    /// Makes one directory. It inherits the group and the setgid bit of the directory above it.
    static func makeDirectory(_ path: String, mode: mode_t) throws(RecordingError) {
        guard unsafe mkdir(path, mode) == 0 else { throw RecordingError("cannot make the directory \(path)", underlying: errno) }
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { throw RecordingError("cannot examine \(path)", underlying: errno) }
        // The configuration decides who may read, not the umask. chmod(2) takes the setgid bit away from a process outside
        // the group, so it is called only where the umask took something.
        guard status.st_mode & 0o777 != mode else { return }
        let inherited = status.st_mode & (S_ISUID | S_ISGID | S_ISVTX)
        guard unsafe chmod(path, mode | inherited) == 0 else { throw RecordingError("cannot set the mode of \(path)", underlying: errno) }
    }

    /// The permission bits of directories: those of the files, with search added for everyone who may read.
    static func directoryMode(forFiles mode: Int) -> mode_t { mode_t(mode | (mode & 0o444) >> 2 | 0o300) }

    /// Whether a directory stands at the path.
    static func isDirectory(_ path: String) -> Bool {
        var status = stat()
        return unsafe stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    /// Whether anything stands at the path, be it a dangling link.
    static func exists(_ path: String) -> Bool {
        var status = stat()
        return unsafe lstat(path, &status) == 0
    }

    /// The permission bits of a file.
    static func mode(of path: String) -> Int? {
        var status = stat()
        return unsafe stat(path, &status) == 0 ? Int(status.st_mode & 0o777) : nil
    }

    /// Whether a file is there and has not a single byte.
    static func isEmptyFile(_ path: String) -> Bool {
        var status = stat()
        return unsafe lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG && status.st_size == 0
    }

    /// Room that is left under a directory.
    struct Room: Equatable {
        /// Bytes that may still be written.
        var bytes: Int
        /// Files that may still be made; nil where the file system does not count them.
        var files: Int?
    }

    /// The room that is left under a directory, or nil where the system does not say.
    static func room(_ path: String) -> Room? {
        var status = statvfs()
        guard unsafe statvfs(path, &status) == 0 else { return nil }
        return room(
            blocks: UInt64(status.f_bavail), blockSize: UInt64(status.f_frsize), files: UInt64(status.f_favail), totalFiles: UInt64(status.f_files))
    }

    /// The room that the numbers of `statvfs(3)` mean. They come from a file system and may be anything.
    static func room(blocks: UInt64, blockSize: UInt64, files: UInt64, totalFiles: UInt64) -> Room {
        // Where blocks that are reserved for root are in use, some file systems report a negative number.
        let blocks = Int64(bitPattern: blocks) < 0 ? 0 : blocks
        let (product, overflows) = blocks.multipliedReportingOverflow(by: blockSize)
        return Room(
            bytes: overflows ? .max : Int(clamping: product), files: totalFiles == 0 ? nil : Int64(bitPattern: files) < 0 ? 0 : Int(clamping: files))
    }

    /// Bytes that may still be written under a directory.
    static func freeBytes(_ path: String) -> Int? { room(path)?.bytes }

    /// The file system that a path is on, or nil where nothing stands there.
    static func device(_ path: String) -> UInt64? {
        var status = stat()
        return unsafe stat(path, &status) == 0 ? UInt64(truncatingIfNeeded: status.st_dev) : nil
    }

    /// Makes a file of zeros that really takes its room on the disk, or none.
    static func allocate(_ path: String, bytes: Int, mode: mode_t) {
        do throws(SinkError) {
            let file = try OutputFile(name: path.lastPathComponent, directory: path.parentPath, mode: mode)
            // Written and not only reserved: not every file system can do that, and none refuses this.
            try file.write(Data(count: bytes).bytes)
            try file.close()
        } catch {
            removeName(path)
        }
    }

    /// A file's length in bytes.
    static func size(_ path: String) -> Int? {
        var status = stat()
        return unsafe stat(path, &status) == 0 ? Int(status.st_size) : nil
    }

    /// When a file was last changed.
    static func modified(_ path: String) -> Date? {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { return nil }
        #if canImport(Darwin)
            let time = status.st_mtimespec
        #else
            let time = status.st_mtim
        #endif
        return Date(timeIntervalSince1970: Double(time.tv_sec) + Double(time.tv_nsec) / 1e9)
    }

    /// Whether a directory was last changed more than a minute ago.
    static func isOld(_ path: String) -> Bool { modified(path).map { $0.timeIntervalSinceNow < -60 } ?? false }

    /// Whether two paths lead to one directory, by whatever links.
    static func isSameDirectory(_ one: String, _ other: String) -> Bool {
        var first = stat(), second = stat()
        return unsafe stat(one, &first) == 0 && stat(other, &second) == 0 && first.st_ino == second.st_ino && first.st_dev == second.st_dev
    }

    /// Whether two paths lead to one file.
    static func isSameFile(_ one: String, _ other: String) -> Bool {
        var first = stat(), second = stat()
        return unsafe lstat(one, &first) == 0 && lstat(other, &second) == 0 && first.st_ino == second.st_ino && first.st_dev == second.st_dev
    }

    /// Writes a file whole or not at all: readers see the old content or the new one.
    ///
    /// The content is on stable storage before the file is replaced. Without that, XFS and btrfs have an empty file after a power cut.
    /// - Parameter durably: false for a file that is worth nothing after a power cut.
    static func replace(
        _ path: String, with data: Data, mode: mode_t, through temporary: String, durably: Bool = true
    ) throws(RecordingError) {
        unsafe unlink(temporary)
        do throws(SinkError) {
            let name = temporary.lastPathComponent, directory = temporary.parentPath
            let file = try OutputFile(name: name, directory: directory, mode: mode)
            try file.write(data.bytes)
            if durably { try file.close() }
        } catch {
            unsafe unlink(temporary)
            throw RecordingError(error.reason, underlying: error.underlying)
        }
        guard unsafe rename(temporary, path) == 0 else { throw RecordingError("cannot replace \(path)", underlying: errno) }
    }

    /// Gives a file a second name, which must be free. Returns false when it is taken.
    ///
    /// Where the file system has no hard links, such as exFAT, the file is renamed instead, by a rename that cannot replace.
    static func link(_ path: String, as name: String) throws(RecordingError) -> Bool {
        if unsafe Self.systemLink(path, name) == 0 { return true }
        let failure = errno
        if failure == EEXIST { return false }
        guard Self.meansNoLinks(failure) else { throw RecordingError("cannot publish \(path) as \(name)", underlying: failure) }
        if ExclusiveRename.rename(path, name) { return true }
        if errno == EEXIST { return false }
        if errno == EINVAL || errno == ENOSYS || errno == EPERM {
            throw RecordingError(
                "cannot publish \(path) as \(name): its file system has neither hard links nor a rename that never replaces", underlying: failure)
        }
        throw RecordingError("cannot publish \(path) as \(name)", underlying: errno)
    }

    /// Takes back a name that ``link(_:as:)`` gave. The file has its first name again.
    static func takeBack(_ name: String, of path: String) {
        if exists(path) { removeName(name) } else { _ = ExclusiveRename.rename(name, path) }
    }

    /// Whether `link(2)` failed because the file system has no hard links.
    private static func meansNoLinks(_ number: Int32) -> Bool { number == EPERM || number == EOPNOTSUPP || number == ENOTSUP || number == ENOSYS }

    private static func systemLink(_ path: UnsafePointer<CChar>, _ name: UnsafePointer<CChar>) -> Int32 {
        #if canImport(Darwin)
            unsafe Darwin.link(path, name)
        #elseif canImport(Musl)
            unsafe Musl.link(path, name)
        #else
            unsafe Glibc.link(path, name)
        #endif
    }

    /// Takes a name away from a file that has another one, or removes an empty directory. Missing is fine.
    static func removeName(_ path: String) {
        unsafe unlink(path)
    }

    /// Removes a directory if it is empty.
    static func removeEmptyDirectory(_ path: String) {
        unsafe rmdir(path)
    }

    /// Returns when what a file holds now is on stable storage.
    static func synchronize(_ path: String) throws(RecordingError) {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else { throw RecordingError("cannot open \(path)", underlying: errno) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw RecordingError("cannot sync \(path)", underlying: errno) }
    }

    /// Returns when the names in a directory are on stable storage.
    static func synchronizeDirectory(_ path: String) throws(RecordingError) {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw RecordingError("cannot open the directory \(path)", underlying: errno) }
        defer { close(descriptor) }
        // A file system that cannot sync a directory says EINVAL; it has no stronger promise to give.
        guard fsync(descriptor) == 0 || errno == EINVAL else { throw RecordingError("cannot sync the directory \(path)", underlying: errno) }
    }

    /// A file's length and SHA-256, after it was brought to stable storage.
    static func seal(_ path: String) throws(RecordingError) -> (bytes: Int, sha256: String) {
        try measure(path, durably: true)
    }

    /// A file's length and SHA-256.
    static func measure(_ path: String, durably: Bool = false) throws(RecordingError) -> (bytes: Int, sha256: String) {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else { throw RecordingError("cannot open \(path)", underlying: errno) }
        defer { close(descriptor) }
        guard !durably || fsync(descriptor) == 0 else { throw RecordingError("cannot sync \(path)", underlying: errno) }
        var hash = SHA256()
        var total = 0
        var buffer = [UInt8](repeating: 0, count: 1 << 18)
        while true {
            let count = unsafe buffer.withUnsafeMutableBytes { unsafe read(descriptor, $0.baseAddress!, $0.count) }
            if count < 0 {
                if errno == EINTR { continue }
                throw RecordingError("cannot read \(path)", underlying: errno)
            }
            if count == 0 { break }
            unsafe buffer.withUnsafeBytes { unsafe hash.update(bufferPointer: UnsafeRawBufferPointer(rebasing: $0[..<count])) }
            total += count
        }
        return (total, hash.finalize().map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined())
    }
}
