import Foundation

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// Does once, without a call, all that a call needs of a directory: it begins, writes and publishes a file, and removes it. Blocks.
struct Rehearsal {
    /// What was found of a directory in which everything could be done.
    struct Outcome: Sendable {
        let room: FileSystem.Room?
        /// The file system that the directory is on.
        let device: UInt64?
    }

    /// What stands before the names of everything that a rehearsal makes.
    static let prefix = "probe-"

    /// The directory.
    let root: String
    let mode: mode_t
    /// Whether the directory may be made where it is missing.
    var mayMake = false
    /// Whether the `.partial` directory may be made. It is once, and then stands as long as the disk is mounted.
    var isFirst = true

    /// Returns when everything could be done, or says in words why not.
    func run() throws(RecordingError) -> Outcome {
        if !FileSystem.isDirectory(root) {
            guard mayMake else {
                throw RecordingError("\(root) is missing and is not made, because it must exist; is its disk mounted?", underlying: ENOENT)
            }
            try FileSystem.makeDirectories(root, mode: mode)
        }
        let outcome = Outcome(room: FileSystem.room(root), device: FileSystem.device(root))
        do throws(RecordingError) {
            try rehearse()
        } catch {
            throw RecordingError(Self.words(error, root: root, room: outcome.room), underlying: error.underlying)
        }
        return outcome
    }

    private func rehearse() throws(RecordingError) {
        let partial = root + "/" + RecordingStore.partialDirectoryName
        if isFirst { try FileSystem.makeDirectories(partial, below: root, mode: mode) }
        let name = Self.prefix + RecordingID().description
        let call = partial + "/" + name, file = call + "/file", published = root + "/." + name
        defer {
            FileSystem.removeName(published)
            FileSystem.removeName(file)
            FileSystem.removeEmptyDirectory(call)
        }
        guard FileSystem.isDirectory(partial) else { throw RecordingError("\(partial) is missing; is its disk mounted?", underlying: ENOENT) }
        try FileSystem.makeDirectory(call, mode: mode)
        let lock = try DirectoryLock(existing: call)
        try write(file, in: call)
        guard try FileSystem.link(file, as: published) else { throw RecordingError("\(published) exists already", underlying: EEXIST) }
        withExtendedLifetime(lock) {}
    }

    private func write(_ path: String, in directory: String) throws(RecordingError) {
        do throws(SinkError) {
            let file = try OutputFile(name: path.lastPathComponent, directory: directory, mode: 0o600)
            // A file system that keeps small files in the inode needs a block for this one.
            try file.write(Data(repeating: 0x55, count: 4096).bytes)
            // Later ones wait for no disk: a busy one is not a broken one.
            if isFirst { try file.synchronize() }
        } catch {
            throw RecordingError(error.reason, underlying: error.underlying)
        }
    }

    /// The cause of a failure in an operator's words.
    static func words(_ error: RecordingError, root: String, room: FileSystem.Room?) -> String {
        switch error.underlying {
        case ENOSPC where room?.files == 0: "no file can be made under \(root): its file system has no free inode"
        case ENOSPC: "no space is left under \(root)"
        case EDQUOT: "the disk quota of this user is used up under \(root)"
        case EROFS: "\(root) is on a read-only file system"
        case EMFILE: "this program has as many files open as it may: raise its limit (ulimit -n)"
        case ENFILE: "the system has as many files open as it can (fs.file-max)"
        case EACCES: "\(root) may not be written by this user: \(error)"
        default: error.description
        }
    }

    /// Removes what rehearsals of programs left that were killed during one.
    static func removeLeftovers(in root: String) {
        let partial = root + "/" + RecordingStore.partialDirectoryName
        func isLeftover(_ directory: String, _ name: String) -> Bool {
            (name.hasPrefix(prefix) || name.hasPrefix("." + prefix) || name.hasPrefix(DirectoryLock.newPrefix + prefix))
                && FileSystem.isOld(directory + "/" + name)
        }
        for name in (try? FileManager.default.contentsOfDirectory(atPath: partial)) ?? [] where isLeftover(partial, name) {
            for file in (try? FileManager.default.contentsOfDirectory(atPath: partial + "/" + name)) ?? [] {
                FileSystem.removeName("\(partial)/\(name)/\(file)")
            }
            FileSystem.removeEmptyDirectory(partial + "/" + name)
        }
        for name in (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? [] where isLeftover(root, name) {
            FileSystem.removeName(root + "/" + name)
        }
    }
}
