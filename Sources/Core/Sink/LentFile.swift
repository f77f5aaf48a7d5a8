import Foundation
import Synchronization

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// A sink's file that another program writes, under two names: the sink's, and one in a directory of the program's own.
///
/// The program knows its own name only. When it is over, that name and its directory go, so that nothing can open the file any more. Where
/// some process still has it open for writing, the sink's name gets a copy. So nothing that is left running can change what is published.
package struct LentFile: Sendable {
    /// What stands before and behind the name of the file in that of the program's directory.
    private static let mark = (prefix: ".", suffix: ".program")

    /// Bytes of a file that may be missing on the disk, as in one that the system stores without its zeros.
    private static let holeLimit = 1 << 30

    /// The sink's file.
    package let path: String
    /// The name that the program is told.
    package let lentPath: String
    private let name: String
    /// Where the program's directory stands.
    private let directory: String

    /// Describes the file at a path; nothing is made yet.
    package init(_ path: String) {
        self.path = path
        let cut = path.lastIndex(of: "/")
        name = cut.map { String(path[path.index(after: $0)...]) } ?? path
        directory = (cut.map { String(path[...$0]) } ?? "") + "\(Self.mark.prefix)\(name)\(Self.mark.suffix)"
        lentPath = "\(directory)/\(name)"
    }

    /// Whether the program's directory is there.
    package var isLent: Bool { FileSystem.exists(directory) }

    /// Gives the file its second name. Where the file system has no such names, the program gets an empty file of its own.
    package func lend() throws(SinkError) {
        guard unsafe mkdir(directory, 0o700) == 0 else { throw SinkError(.open, "cannot make \(directory)", underlying: errno) }
        do throws(RecordingError) {
            _ = try FileSystem.link(path, as: lentPath)
        } catch {
            guard [EPERM, EOPNOTSUPP, ENOSYS, EMLINK].contains(error.underlying) else {
                throw SinkError(.open, error.reason, underlying: error.underlying)
            }
            try OutputFile(name: name, directory: directory, mode: mode_t(FileSystem.mode(of: path) ?? 0o600)).close()
        }
    }

    /// Takes the file back, as it is now, and brings it to stable storage. What else stands in the program's directory goes.
    /// - Parameters:
    ///   - mode: the permission bits that the file is to have; nil keeps those that it has.
    ///   - keepsLinks: whether other names of the file are ours, and no reason to copy it.
    /// - Returns: whether some process still had it open for writing.
    package func takeBack(mode: Int? = nil, keepsLinks: Bool = false) throws(SinkError) -> Bool {
        defer { removeDirectory() }
        var theirs = stat(), ours = stat()
        guard unsafe lstat(lentPath, &theirs) == 0 else { throw SinkError(.finish, "cannot open \(lentPath)", underlying: errno) }
        guard theirs.st_mode & S_IFMT == S_IFREG else { throw SinkError(.finish, "\(lentPath) is not a regular file") }
        // Such a file takes hours to read and says nothing.
        let size = Int(theirs.st_size), stored = Int(theirs.st_blocks) * 512
        guard size - stored <= Self.holeLimit else {
            throw SinkError(.finish, "\(lentPath) says that it has \(size) bytes, and \(stored) are on the disk")
        }
        Self.makeChangeable(lentPath)
        // The program may have put another file in the place of its own.
        let isSame = FileSystem.isSameFile(path, lentPath)
        guard unsafe (isSame ? unlink(lentPath) : rename(lentPath, path)) == 0 else {
            throw SinkError(.finish, "cannot take \(lentPath) back", underlying: errno)
        }
        let writers = FileWriters.of(path)
        let hasOtherName = unsafe !keepsLinks && (lstat(path, &ours) != 0 || ours.st_nlink > 1)
        if hasOtherName || FileWriters.of(path, countsReaders: true) != .none { try replaceByCopy() }
        if let mode, FileSystem.mode(of: path) != mode, unsafe chmod(path, mode_t(mode)) != 0 {
            throw SinkError(.finish, "cannot set the mode of \(path)", underlying: errno)
        }
        do throws(RecordingError) {
            try FileSystem.synchronize(path)
        } catch {
            throw SinkError(.finish, error.reason, underlying: error.underlying)
        }
        return writers == .some
    }

    /// Takes away what keeps a file from being moved: the attributes "immutable" and "append only" (ioctl_iflags(2)).
    private static func makeChangeable(_ path: String) {
        #if os(Linux)
            let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
            guard descriptor >= 0 else { return }
            defer { close(descriptor) }
            // `FS_IOC_GETFLAGS` and `FS_IOC_SETFLAGS`, with `FS_APPEND_FL` and `FS_IMMUTABLE_FL`.
            var flags: Int = 0
            guard unsafe ioctl(descriptor, 0x8008_6601, &flags) == 0, flags & 0x30 != 0 else { return }
            flags &= ~0x30
            _ = unsafe ioctl(descriptor, 0x4008_6602, &flags)
        #endif
    }

    /// Puts a copy in the file's place: at once where the file system shares blocks, else byte by byte.
    private func replaceByCopy() throws(SinkError) {
        let source = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard source >= 0 else { throw SinkError(.finish, "cannot open \(path)", underlying: errno) }
        defer { close(source) }
        var status = stat()
        guard unsafe fstat(source, &status) == 0 else { throw SinkError(.finish, "cannot examine \(path)", underlying: errno) }
        let copy = try OutputFile(name: ".copy-\(UUID().uuidString)", directory: directory, mode: status.st_mode & 0o7777)
        // Where the group is not ours to give, the directory's own is as good.
        _ = fchown(copy.descriptor, uid_t.max, status.st_gid)
        if !Self.shareBlocks(of: source, with: copy.descriptor) {
            var rest = Int(status.st_size)
            var buffer = [UInt8](repeating: 0, count: 1 << 20)
            while rest > 0 {
                let count = unsafe read(source, &buffer, min(rest, buffer.count))
                if count < 0, errno == EINTR { continue }
                guard count >= 0 else { throw SinkError(.finish, "cannot read \(path)", underlying: errno) }
                if count == 0 { break }
                try unsafe copy.write(buffer.span.extracting(first: count).bytes)
                rest -= count
            }
        }
        // When it was written says when the call ended, after a crash.
        #if canImport(Darwin)
            let times = [status.st_atimespec, status.st_mtimespec]
        #else
            let times = [status.st_atim, status.st_mtim]
        #endif
        _ = unsafe futimens(copy.descriptor, times)
        let name = copy.path
        try copy.close()
        guard unsafe rename(name, path) == 0 else { throw SinkError(.finish, "cannot replace \(path)", underlying: errno) }
    }

    private static func shareBlocks(of source: Int32, with copy: Int32) -> Bool {
        #if os(Linux)
            // `FICLONE` (ioctl_ficlone(2)).
            return ioctl(copy, 0x4004_9409, source) == 0
        #else
            return false
        #endif
    }

    /// Removes the program's directory with all that stands in it, which no recording is made of.
    private func removeDirectory() {
        // Something may be put there at this moment by what is left running.
        for _ in 0..<3 {
            try? FileManager.default.removeItem(atPath: directory)
            if !isLent { return }
        }
    }
}

extension LentFile {
    /// Time that this process waits, once for all files together, for programs that a dead server left behind and that still write.
    private static let patience = Duration.seconds(10)
    /// When that is over; nil until something was waited for.
    private static let patienceEnd = Mutex<ContinuousClock.Instant?>(nil)

    /// The files in a call's directory that are lent.
    package static func all(in directory: String) -> [LentFile] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
        return names.filter { isDirectoryName($0) }.sorted().map {
            LentFile("\(directory)/\($0.dropFirst(mark.prefix.count).dropLast(mark.suffix.count))")
        }
    }

    /// Whether something in a call's directory is the directory of a program, and no file of the recording.
    package static func isDirectoryName(_ name: String) -> Bool {
        name.hasPrefix(mark.prefix) && name.hasSuffix(mark.suffix) && name.utf8.count > mark.prefix.utf8.count + mark.suffix.utf8.count
    }

    /// Takes back a file that a dead process had lent. A program that still writes to it gets a little time to end.
    package func recover() throws(SinkError) {
        guard isLent else { return }
        while FileWriters.of(lentPath) == .some {
            let end = Self.patienceEnd.withLock { end in
                let limit = end ?? .now + Self.patience
                end = limit
                return limit
            }
            guard .now < end else { break }
            usleep(50_000)
        }
        if FileSystem.exists(lentPath) {
            _ = try takeBack(keepsLinks: true)
        } else {
            // An earlier recovery was ended here, or the program has removed its file.
            if FileWriters.of(path) != .none, FileSystem.exists(path) { try replaceByCopy() }
            removeDirectory()
        }
    }
}
