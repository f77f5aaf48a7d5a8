import Foundation

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// Does once, without a call, all that a call needs of a directory: it begins one, replaces its manifest, writes, reads and publishes a file,
/// and removes all of it. Blocks.
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
    /// The name of all that it makes. One name for all rehearsals of a program: where nothing can be removed, they do not pile up.
    let name: String
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
        if isFirst { try FileSystem.makeDirectories(partial, below: root, mode: mode) }
        guard FileSystem.isDirectory(partial) else { throw RecordingError("\(partial) is missing; is its disk mounted?", underlying: ENOENT) }
        removeTraces()
        defer { removeTraces() }
        // A call's directory gets its name when its manifest is there; the manifest of a running call replaces the one before.
        let lock = try DirectoryLock.make(call, mode: mode) { [manifest] new throws(RecordingError) in
            for _ in 0..<2 { try replace(new + "/" + manifest) }
        }
        try replace(call + "/" + manifest)
        try write(file)
        // Files are read again to be hashed.
        _ = try FileSystem.measure(file)
        // Where the last name could not be removed, publishing was rehearsed with it.
        _ = try FileSystem.link(file, as: published)
        withExtendedLifetime(lock) {}
    }

    /// Brings a file and its name to stable storage, as at the end of a call. Takes as long as the disk is busy.
    func synchronize() throws(RecordingError) {
        removeTraces()
        defer { removeTraces() }
        do throws(RecordingError) {
            try FileSystem.makeDirectory(call, mode: mode)
            try replace(call + "/" + manifest, durably: true)
            try FileSystem.synchronizeDirectory(call)
        } catch {
            throw RecordingError(Self.words(error, root: root, room: FileSystem.room(root)), underlying: error.underlying)
        }
    }

    private var partial: String { root + "/" + RecordingStore.partialDirectoryName }
    private var call: String { partial + "/" + name }
    private var file: String { call + "/file" }
    private var manifest: String { "file.json" }
    private var published: String { root + "/." + name }

    /// Removes what this rehearsal or the last one made.
    private func removeTraces() {
        FileSystem.removeName(published)
        for directory in [partial + "/" + DirectoryLock.newPrefix + name, call] where FileSystem.exists(directory) {
            for file in [manifest, manifest + ".new", "file"] { FileSystem.removeName(directory + "/" + file) }
            FileSystem.removeEmptyDirectory(directory)
        }
    }

    private func replace(_ path: String, durably: Bool = false) throws(RecordingError) {
        // A file system that keeps small files in the inode needs a block for this one.
        let content = Data(repeating: 0x55, count: 4096)
        try FileSystem.replace(path, with: content, mode: 0o600, through: path + ".new", durably: durably)
    }

    private func write(_ path: String) throws(RecordingError) {
        do throws(SinkError) {
            let file = try OutputFile(name: path.lastPathComponent, directory: path.parentPath, mode: 0o600)
            try file.write(Data(repeating: 0x55, count: 4096).bytes)
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
