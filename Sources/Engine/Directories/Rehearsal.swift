import CallreelCore
import Foundation

/// Tests a directory by doing, without a call, everything a call needs there. Blocks.
///
/// The rehearsal makes a call's directory, replaces its manifest, and writes, reads and publishes a file.
/// At the end, it removes all of them.
struct Rehearsal {
    /// Facts about a directory after a successful rehearsal.
    struct Outcome: Sendable {
        let room: FileSystem.Room?
        /// Device number of the directory's file system.
        let device: UInt64?
    }

    /// Prefix of all names made by a rehearsal.
    static let prefix = "probe-"
    /// The prefix of the directories in which ``SinkProbe`` opens sinks. They have no lock.
    static let openingPrefix = "opening-"

    /// The directory under test.
    let root: String
    let mode: Int
    /// Name for everything made by the rehearsal.
    /// A program uses the same name each time, so leftovers do not pile up if removal fails.
    let name: String
    /// True when a missing directory may be made.
    var mayMake = false
    /// True when the `.partial` directory may be made. Callreel makes it once.
    /// If it is missing later, its disk may be unmounted.
    var isFirst = true

    /// Returns if every step succeeded. Otherwise throws the reason in words.
    func run() throws(DiskError) -> Outcome {
        if !FileSystem.isDirectory(root) {
            guard mayMake else {
                throw DiskError(
                    "\(root) is missing but must exist; is its disk mounted?",
                    underlying: ENOENT)
            }
            try FileSystem.makeDirectories(root, mode: mode)
        }
        let outcome = Outcome(room: FileSystem.room(root), device: FileSystem.device(root))
        do throws(DiskError) {
            try rehearse()
        } catch {
            throw DiskError(Self.words(error, root: root, room: outcome.room), underlying: error.underlying)
        }
        return outcome
    }

    private func rehearse() throws(DiskError) {
        if isFirst { try FileSystem.makeDirectories(partial, below: root, mode: mode) }
        guard FileSystem.isDirectory(partial) else {
            throw DiskError("\(partial) is missing; is its disk mounted?", underlying: ENOENT)
        }
        removeTraces()
        defer { removeTraces() }
        // A call's directory gets its name once its manifest exists.
        // Each manifest of a running call replaces the last one.
        let lock = try DirectoryLock.make(call, mode: mode) { [manifest] new throws(DiskError) in
            for _ in 0..<2 { try replace(new + "/" + manifest) }
        }
        try replace(call + "/" + manifest)
        try write(file)
        // Publication reads each file again to hash it.
        _ = try FileSystem.measure(file)
        // If the name still exists from an earlier rehearsal, that rehearsal tested the publication.
        _ = try FileSystem.link(file, as: published)
        withExtendedLifetime(lock) {}
    }

    /// Brings a file and its name to stable storage, as at the end of a call. Blocks as long as the disk is busy.
    func synchronize() throws(DiskError) {
        removeTraces()
        defer { removeTraces() }
        do throws(DiskError) {
            let lock = try DirectoryLock.make(call, mode: mode)
            try replace(call + "/" + manifest, durably: true)
            try FileSystem.synchronizeDirectory(call)
            withExtendedLifetime(lock) {}
        } catch {
            throw DiskError(
                Self.words(error, root: root, room: FileSystem.room(root)), underlying: error.underlying)
        }
    }

    private var partial: String { root + "/" + RecordingLayout.partialDirectoryName }
    private var call: String { partial + "/" + name }
    private var file: String { call + "/file" }
    private var manifest: String { "file.json" }
    private var published: String { root + "/." + name }

    /// Removes all traces of this rehearsal and of the last one.
    private func removeTraces() {
        FileSystem.removeName(published)
        for directory in [partial + "/" + DirectoryLock.newPrefix + name, call] where FileSystem.exists(directory) {
            for file in [manifest, manifest + ".new", "file"] { FileSystem.removeName(directory + "/" + file) }
            FileSystem.removeEmptyDirectory(directory)
        }
    }

    private func replace(_ path: String, durably: Bool = false) throws(DiskError) {
        // Some file systems keep smaller files in the inode. This one needs a block.
        let content = Data(repeating: 0x55, count: 4096)
        try FileSystem.replace(path, with: content, mode: 0o600, through: path + ".new", durably: durably)
    }

    private func write(_ path: String) throws(DiskError) {
        let file = try NewFile(path, mode: 0o600)
        try file.write(Data(repeating: 0x55, count: 4096).bytes)
    }

    /// Describes the cause of a failure in an operator's words.
    static func words(_ error: DiskError, root: String, room: FileSystem.Room?) -> String {
        switch error.underlying {
        case ENOSPC where room?.files == 0: "cannot create a file under \(root): no inode is free"
        case ENOSPC: "no space is left under \(root)"
        case EDQUOT: "the disk quota of this user is used up under \(root)"
        case EROFS: "\(root) is on a read-only file system"
        case EMFILE: "this program has too many open files: raise its limit (ulimit -n)"
        case ENFILE: "the system has too many open files: raise fs.file-max"
        case EACCES: "this user may not write to \(root): \(error)"
        default: error.description
        }
    }

    /// Removes the traces of rehearsals by programs that have died.
    /// A running rehearsal holds the lock of its directory. Blocks.
    static func removeLeftovers(in root: String) {
        let partial = root + "/" + RecordingLayout.partialDirectoryName
        let names = FileSystem.names(in: partial)
        var running: Set<String> = []
        for name in names
        where [prefix, DirectoryLock.newPrefix + prefix, openingPrefix].contains(where: name.hasPrefix) {
            let directory = partial + "/" + name
            // A directory being made has no lock at first, so only an old one is removed.
            // Without real locks, age decides as well.
            let isOld = FileSystem.isOld(directory) || FileSystem.isBeforeBoot(FileSystem.modified(directory))
            guard isOld || name.hasPrefix(prefix), let lock = try? DirectoryLock(existing: directory),
                lock.isReal || isOld
            else {
                running.insert(name)
                continue
            }
            FileSystem.removeTree(directory)
            withExtendedLifetime(lock) {}
        }
        for name in FileSystem.names(in: root)
        where name.hasPrefix("." + prefix) {
            if !running.contains(String(name.dropFirst())) { FileSystem.removeName(root + "/" + name) }
        }
    }
}
