import Foundation
import Synchronization
import SystemPackage

/// A sink's file that another program writes. It has two names: the sink's, and one in a directory for the program.
///
/// The program knows only its own name. When the program has ended, Callreel removes that name and its directory, so
/// that no process can open the file any more. If some process still has the file open for writing, Callreel puts a
/// copy under the sink's name. So a process left running cannot change the published file.
package struct LentFile: Sendable {
    /// Prefix and suffix that make the name of the program's directory from the file's name.
    private static let mark = (prefix: ".", suffix: ".program")

    /// Largest number of bytes in a file's holes, which are not stored on the disk: 1 GiB.
    private static let holeLimit = 1 << 30

    /// The sink's file.
    package let path: String
    /// The file's path for the program.
    package let lentPath: String
    private let name: String
    /// The program's directory.
    private let directory: String

    /// Describes the file at a path. Nothing is created yet.
    package init(_ path: String) {
        self.path = path
        let cut = path.lastIndex(of: "/")
        name = cut.map { String(path[path.index(after: $0)...]) } ?? path
        directory = (cut.map { String(path[...$0]) } ?? "") + "\(Self.mark.prefix)\(name)\(Self.mark.suffix)"
        lentPath = "\(directory)/\(name)"
    }

    /// The program's directory exists.
    package var isLent: Bool { FileSystem.exists(directory) }

    /// Gives the file its second name. On a file system without hard links, the program gets an empty file of its own.
    package func lend() throws(SinkError) {
        do throws(ErrorNumber) {
            try FileSystem.disk.makeDirectory(directory, mode: 0o700)
        } catch {
            throw SinkError(.open, "cannot create \(directory)", underlying: error.value)
        }
        do throws(DiskError) {
            _ = try FileSystem.link(path, as: lentPath)
        } catch {
            guard [EPERM, EOPNOTSUPP, ENOSYS, EMLINK].contains(error.underlying) else {
                throw SinkError(.open, error)
            }
            try OutputFile(name: name, directory: directory, mode: FileSystem.mode(of: path) ?? 0o600).close()
        }
    }

    /// Takes the file back in its present state, and syncs it to stable storage. Removes the rest of the program's
    /// directory.
    /// - Parameters:
    ///   - mode: the file's new permission bits; nil keeps the old ones.
    ///   - keepsLinks: true if other names of the file are Callreel's own, and no reason to copy it.
    /// - Returns: true if some process still had the file open for writing.
    package func takeBack(mode: Int? = nil, keepsLinks: Bool = false) throws(SinkError) -> Bool {
        defer { removeDirectory() }
        let disk = FileSystem.disk, theirs: FileStatus
        do throws(ErrorNumber) {
            theirs = try disk.status(lentPath, followsLinks: false)
        } catch {
            throw SinkError(.finish, "cannot open \(lentPath)", underlying: error.value)
        }
        guard theirs.kind == .file else { throw SinkError(.finish, "\(lentPath) is not a regular file") }
        // A file with larger holes takes hours to read and holds no audio.
        let size = theirs.bytes, stored = theirs.storedBytes
        guard size - stored <= Self.holeLimit else {
            throw SinkError(.finish, "\(lentPath) states \(size) bytes, but only \(stored) are on the disk")
        }
        Self.makeChangeable(lentPath)
        // The program may have put another file in the place of its own.
        let isSame = FileSystem.isSameFile(path, lentPath)
        do throws(ErrorNumber) {
            if isSame { try disk.removeName(lentPath) } else { try disk.rename(lentPath, to: path) }
        } catch {
            throw SinkError(.finish, "cannot move \(lentPath) back", underlying: error.value)
        }
        let writers = FileWriters.of(path)
        let hasOtherName = !keepsLinks && ((try? disk.status(path, followsLinks: false).links) ?? 2) > 1
        if hasOtherName || FileWriters.of(path, countsReaders: true) != .none { try replaceByCopy() }
        if let mode, FileSystem.mode(of: path) != mode {
            do throws(ErrorNumber) {
                try disk.setMode(path, mode)
            } catch {
                throw SinkError(.finish, "cannot set the mode of \(path)", underlying: error.value)
            }
        }
        do throws(DiskError) {
            try FileSystem.synchronize(path)
        } catch {
            throw SinkError(.finish, error)
        }
        return writers == .some
    }

    /// Removes attributes that prevent moving a file: "immutable" and "append only" (ioctl_iflags(2)).
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

    /// Runs a call of swift-system, and adds words to its error.
    private static func saying<Result>(_ words: String, _ call: () throws -> Result) throws(SinkError) -> Result {
        do throws(ErrorNumber) { return try ErrorNumber.from(call) } catch {
            throw SinkError(.finish, words, underlying: error.value)
        }
    }

    /// Replaces the file by a copy: at once if the file system shares blocks, otherwise byte by byte.
    private func replaceByCopy() throws(SinkError) {
        let source = try Self.saying("cannot open \(path)") {
            try FileDescriptor.open(FilePath(path), .readOnly, options: [.closeOnExec, .noFollow])
        }
        defer { try? source.close() }
        let status = try Self.saying("cannot examine \(path)") { try Stat(source) }
        let copy = try OutputFile(
            name: ".copy-\(UUID().uuidString)", directory: directory, mode: Int(status.mode.rawValue & 0o7777))
        // If Callreel may not set the group, the directory's own is as good.
        _ = fchown(copy.descriptor, uid_t.max, status.groupID.rawValue)
        if !Self.shareBlocks(of: source.rawValue, with: copy.descriptor) {
            var rest = Int(status.size)
            var buffer = [UInt8](repeating: 0, count: 1 << 20)
            while rest > 0 {
                let count = try Self.saying("cannot read \(path)") {
                    unsafe try buffer.withUnsafeMutableBytes {
                        unsafe try source.read(into: UnsafeMutableRawBufferPointer(rebasing: $0.prefix(rest)))
                    }
                }
                if count == 0 { break }
                try unsafe copy.write(buffer.span.extracting(first: count).bytes)
                rest -= count
            }
        }
        // After a crash, the time of the last write tells when the call ended.
        let times = [status.st_atim, status.st_mtim]
        _ = unsafe futimens(copy.descriptor, times)
        let name = copy.path
        try copy.close()
        do throws(DiskError) {
            try FileSystem.rename(name, to: path, failing: "cannot replace \(path)")
        } catch {
            throw SinkError(.finish, error)
        }
    }

    private static func shareBlocks(of source: Int32, with copy: Int32) -> Bool {
        #if os(Linux)
            // `FICLONE` (ioctl_ficlone(2)).
            return ioctl(copy, 0x4004_9409, source) == 0
        #else
            return false
        #endif
    }

    /// Removes the program's directory with all its content. No recording uses any of it.
    private func removeDirectory() {
        // A process left running may add a file at this moment.
        for _ in 0..<3 {
            FileSystem.removeTree(directory)
            if !isLent { return }
        }
    }
}

extension LentFile {
    /// Time limit for programs that still write after their server died, for all files of this process together.
    private static let patience = Duration.seconds(10)
    /// The end of that time; nil until the first wait.
    private static let patienceEnd = Mutex<ContinuousClock.Instant?>(nil)

    /// Returns the lent files in a call's directory.
    package static func all(in directory: String) -> [LentFile] {
        FileSystem.names(in: directory).filter { isDirectoryName($0) }.map {
            LentFile("\(directory)/\($0.dropFirst(mark.prefix.count).dropLast(mark.suffix.count))")
        }
    }

    /// Returns true if a name in a call's directory is that of a program's directory, and not of a recording's file.
    package static func isDirectoryName(_ name: String) -> Bool {
        name.hasPrefix(mark.prefix) && name.hasSuffix(mark.suffix)
            && name.utf8.count > mark.prefix.utf8.count + mark.suffix.utf8.count
    }

    /// Takes back a file lent by a process that died. A program that still writes to it gets a little time to end.
    package func recover() throws(SinkError) {
        guard isLent else { return }
        while FileWriters.of(lentPath) == .some {
            let end = Self.patienceEnd.withLock { end in
                let limit = end ?? Clocks.current.now + Self.patience
                end = limit
                return limit
            }
            guard Clocks.current.now < end else { break }
            usleep(50_000)
        }
        if FileSystem.exists(lentPath) {
            _ = try takeBack(keepsLinks: true)
        } else {
            // An earlier recovery was interrupted here, or the program has removed its file.
            if FileWriters.of(path) != .none, FileSystem.exists(path) { try replaceByCopy() }
            removeDirectory()
        }
    }
}
