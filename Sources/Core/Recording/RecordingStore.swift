import Foundation
import Synchronization

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// The recordings directory: the place of a call's files, both while they grow and after publication.
///
/// A call's files are made in `.partial/<id>/`, on the same file system.
/// At the end they are synced, hashed and given their published names, never replacing a file. The manifest comes last.
/// All functions may block.
package struct RecordingStore: Sendable {
    /// The directory of unfinished recordings, under the recordings directory.
    package static let partialDirectoryName = ".partial"

    /// The place for files that cannot be repaired, below the directory in which they were to appear.
    static let unrepairedDirectory = ".callreel/unrepaired"

    /// Suffixes of a manifest's file name while it is replaced and published.
    static let manifestEndings = ["", ".new", ".final", ".final.new"]

    /// The recordings directory, without a slash at its end.
    package let directory: String
    /// The template for recordings' names.
    package let template: NameTemplate
    /// Permission bits of published files. Directories get the same bits, plus search permission for all who may read.
    package var fileMode: Int
    /// Callreel never creates the directory. If it is missing, its disk is not mounted.
    package let mustExist: Bool
    /// Called after each step of publishing and recovery. Nil except in tests.
    var onStep: (@Sendable (StoreStep) -> Void)?
    /// Runs disk calls in sinks' own directories.
    var access = DirectoryAccess()
    /// The lease of this program, named in the manifests of its running calls; nil if it has none.
    package var lease: Lease?

    var directoryMode: mode_t { FileSystem.directoryMode(forFiles: fileMode) }

    /// The directory of unfinished recordings.
    package var partialDirectory: String { directory + "/" + Self.partialDirectoryName }

    /// Describes a store. ``prepare()`` creates it.
    package init(directory: String, template: NameTemplate, fileMode: Int = 0o640, mustExist: Bool = false) {
        self.directory = directory.count > 1 && directory.hasSuffix("/") ? String(directory.dropLast()) : directory
        self.template = template
        self.fileMode = fileMode
        self.mustExist = mustExist
    }

    /// Makes the directories, and tests that recordings can be made and published there.
    package func prepare() throws(RecordingError) {
        _ = try Rehearsal(root: directory, mode: directoryMode, name: Rehearsal.prefix + RecordingID().description, mayMake: !mustExist).run()
    }

    /// Bytes set aside, so that the manifests of running calls can be written when a disk or quota is full.
    private static let reserveSize = 1 << 20

    private var reserve: String { partialDirectory + "/reserve" }

    /// Sets the reserve aside if it is missing: 1 MiB, or 1/64 of the free space if that is less.
    func keepReserve() {
        guard let free = FileSystem.freeBytes(directory), !FileSystem.exists(reserve) else { return }
        FileSystem.allocate(reserve, bytes: min(Self.reserveSize, free / 64), mode: mode_t(fileMode))
    }

    /// Frees the reserve, so that a recording can be finished on a full disk.
    func spendReserve() { FileSystem.removeName(reserve) }

    /// Returns the directory under which a sink's files appear, as an absolute path.
    /// Returns nil for the recordings directory itself.
    func root(_ path: String?) -> String? {
        guard let path else { return nil }
        let absolute = absolute(path)
        let isHome = absolute == self.absolute(directory) || FileSystem.isSameDirectory(absolute, directory)
        return isHome ? nil : absolute
    }

    /// Returns the absolute form of a path, without `.` and `..`. Touches no disk.
    package func absolute(_ path: String) -> String { Self.absolute(path, from: FileManager.default.currentDirectoryPath) }

    /// Returns the absolute form of a path, without `.`, `..` and doubled slashes. Does not follow links.
    /// Touches no disk.
    package static func absolute(_ path: String, from current: String) -> String {
        var names: [Substring] = []
        for name in (path.hasPrefix("/") ? path : current + "/" + path).split(separator: "/") {
            switch name {
            case ".": continue
            case "..": _ = names.popLast()
            default: names.append(name)
            }
        }
        return "/" + names.joined(separator: "/")
    }

    /// Tells a test that a step is done.
    func reach(_ step: StoreStep) { onStep?(step) }

    /// Returns the path of a running call's file.
    func path(_ file: CallFile, of id: RecordingID) -> String {
        PartialRecording.directory(of: id, in: file.root ?? directory) + "/" + file.name
    }

    /// Returns the path of a published file.
    static func path(_ file: Recording.File, in directory: String) -> String { (file.directory ?? directory) + "/" + file.name }

    /// Makes the directory of a new call, and puts its first manifest there.
    /// Brings neither to stable storage, because there is no audio yet.
    func begin(_ manifest: Recording) throws(RecordingError) -> PartialRecording {
        let place = PartialRecording.directory(of: manifest.id, in: directory)
        let file = PartialRecording.manifestName(manifest.name)
        // A call's directory always has a manifest. From it, other hosts know that the call runs.
        let lock = try DirectoryLock.make(place, mode: directoryMode) { new throws(RecordingError) in
            do throws(RecordingError) {
                try save(manifest, as: new + "/" + file, durably: false)
            } catch {
                FileSystem.removeName(new + "/" + file)
                throw error
            }
        }
        return PartialRecording(id: manifest.id, name: manifest.name, partName: manifest.partName, directory: place, lock: lock)
    }

    /// Replaces the manifest of a running call. The manifest and the names beside it survive a power cut,
    /// because the audio is worth little without them.
    /// - Parameter isFirst: true if the call's directory itself may not be on stable storage yet.
    func save(_ manifest: Recording, in partial: PartialRecording, isFirst: Bool = false) throws(RecordingError) {
        try save(manifest, as: partial.manifestPath, durably: true)
        try FileSystem.synchronizeDirectory(partial.directory)
        if isFirst { try FileSystem.synchronizeDirectory(partialDirectory) }
    }

    private func save(_ manifest: Recording, as path: String, durably: Bool) throws(RecordingError) {
        var manifest = manifest
        if let lease { manifest.owner = lease.current }
        // Recovery keeps the boot of the call.
        manifest.boot = manifest.boot ?? Lease.boot
        try FileSystem.replace(path, with: try encode(manifest), mode: mode_t(fileMode), through: path + ".new", durably: durably)
    }

    /// Brings a finished call's files to stable storage and measures them.
    ///
    /// This is done once: after a failed sync, the system may report success the next time without having the data.
    /// If a file cannot be sealed, its sink fails and the file stays where it is.
    /// The other files are published without it.
    /// - Parameter files: for each sink of the manifest, its files.
    /// - Throws: an error if the system is short of descriptors or memory, or if the disk is unmounted.
    ///   Sealing can then be tried again.
    func seal(_ manifest: Recording, files: [[CallFile]], in partial: PartialRecording) throws(RecordingError) -> SealedRecording {
        var sealed = SealedRecording(manifest: manifest, roots: manifest.roots)
        for (index, files) in files.enumerated() {
            sealed.manifest.sinks[index].files = []
            sealed.manifest.sinks[index].directories = nil
            var gone: [CallFile] = []
            // No program plays a file without audio. If the sink reports audio but all its files are empty, they stay:
            // they show the loss.
            let dropsEmpty = manifest.sinks[index].held == 0 || files.contains { $0.frames != 0 }
            for file in files {
                if file.frames == 0, dropsEmpty {
                    sealed.empty.append(file)
                    continue
                }
                do throws(RecordingError) {
                    let path = path(file, of: partial.id)
                    let found = try access.run(in: file.root) { () throws(RecordingError) in try FileSystem.seal(path) }
                    reach(.sealed)
                    sealed.files.append(file)
                    sealed.manifest.sinks[index].files.append(
                        Recording.File(
                            name: file.name, directory: file.root, bytes: found.bytes, frames: file.frames, start: file.start.map(FramePosition.init),
                            sha256: found.sha256))
                } catch {
                    // The file could not be opened, so nothing of it was synced. Sealing can be tried again.
                    if error.isTransient, sealed.isComplete, gone.isEmpty { throw error }
                    // The disk was unmounted. After a remount, all files are there.
                    if error.isMissing, file.root == nil, FileStatus.isMissing(partial.directory) { throw error }
                    gone.append(file)
                    if error.underlying != ETIMEDOUT { sealed.broken.append(file) }
                    sealed.manifest.sinks[index].fail(error)
                }
            }
            guard !gone.isEmpty else { continue }
            sealed.isComplete = false
            sealed.manifest.lose(gone.map { ($0.start, $0.frames ?? 0) }, of: index)
        }
        return sealed
    }

    /// Publishes a sealed call, and returns its manifest with the published names.
    ///
    /// No file is replaced: if a name is taken, the recording's name gets a number.
    /// After an error, everything is still in the partial directories, and publishing can be tried again.
    /// Once the manifest has its published name, the call is published, and later failures are not errors.
    ///
    /// If a sink's own directory refuses files, they stay where they are and their sink fails.
    /// The other files are published.
    /// - Parameter keepPartial: true to keep the partial directory, because it holds unpublished files.
    func publish(_ sealed: SealedRecording, from partial: PartialRecording, keepPartial: Bool) throws(RecordingError) -> Recording {
        var sealed = sealed
        // The manifest comes first. From it, the next start knows the call after any later failure.
        try saveFinal(sealed.manifest(as: partial.name, from: partial), in: partial)
        var isSaved = true
        for root in Set(sealed.files.compactMap(\.root)) {
            do throws(RecordingError) {
                let parent = parent(of: partial.name, root)
                try access.run(in: root) { [directoryMode] () throws(RecordingError) in
                    try FileSystem.makeDirectories(parent, below: root, mode: directoryMode)
                }
            } catch {
                sealed.drop(root, error)
                isSaved = false
            }
        }
        try FileSystem.makeDirectories(parent(of: partial.name, nil), below: directory, mode: directoryMode)
        var attempt = 1
        while true {
            let name = attempt == 1 ? partial.name : "\(partial.name)-\(attempt)"
            // The manifest is saved before any file gets its name.
            // Without hard links, it tells to which call renamed files belong.
            if !isSaved { try saveFinal(sealed.manifest(as: name, from: partial), in: partial) }
            isSaved = false
            switch try tryPublish(sealed, as: name, from: partial) {
            case .taken: attempt += 1
            case .refused(let root, let error): sealed.drop(root, error)
            case .published(let final):
                do throws(RecordingError) {
                    // The new names must be on the disk before the old ones are removed.
                    try FileSystem.synchronizeDirectory(parent(of: name, nil))
                    // Not earlier: another program that finishes this call must find all files named in its manifest.
                    dropNames(partial, of: sealed.empty, roots: [])
                    if !keepPartial, sealed.isComplete {
                        discard(partial, files: sealed.files, roots: sealed.roots)
                    } else {
                        // If an operator deletes the recording, it must not come back from here.
                        dropNames(partial, of: sealed.files, roots: sealed.roots)
                    }
                } catch {
                    // The partial names stay for the next start to remove.
                }
                return final
            }
        }
    }

    private func parent(of name: String, _ root: String?) -> String { ((root ?? directory) + "/" + name).parentPath }

    private enum Attempt {
        case published(Recording)
        /// Another file has this name.
        case taken
        /// A sink's own directory refused its files.
        case refused(root: String, RecordingError)
    }

    /// Publishes under one name. A name also counts as free if a program died while publishing and left links to the
    /// same files there.
    private func tryPublish(_ sealed: SealedRecording, as name: String, from partial: PartialRecording) throws(RecordingError) -> Attempt {
        let final = sealed.manifest(as: name, from: partial)
        let target = directory + "/" + name + ".json"
        if FileSystem.exists(target) { return .taken }
        var given: [GivenNames] = []
        // After any failure, the partial directories have every file. Only the other names of these files are removed.
        func giveUp() {
            for names in given { try? access.run(in: names.root) { () throws(RecordingError) in names.takeBack() } }
        }
        // The sinks' own directories come first: files that they refuse are left out of the manifest.
        for root in Set(sealed.files.map(\.root)).sorted(by: { ($0 ?? "") > ($1 ?? "") }) {
            let names = GivenNames(
                root: root, parent: parent(of: name, root),
                names: sealed.files.filter { $0.root == root }.map { file in
                    GivenNames.Name(
                        source: path(file, of: partial.id), target: (root ?? directory) + "/" + partial.publishedName(file.name, as: name),
                        sha256: sealed.manifest.sinks.lazy.flatMap(\.files).first { $0.name == file.name && $0.directory == root }?.sha256)
                })
            do throws(RecordingError) {
                let isFree = try access.run(in: root, undo: { $0 ? names.takeBack() : () }) { [onStep] () throws(RecordingError) in
                    try names.give { onStep?(.linked) }
                }
                guard isFree else {
                    giveUp()
                    return .taken
                }
                given.append(names)
            } catch {
                giveUp()
                guard let root else { throw error }
                return .refused(root: root, error)
            }
        }
        do throws(RecordingError) {
            guard try FileSystem.link(finalPath(partial), as: target) else {
                giveUp()
                return .taken
            }
        } catch {
            giveUp()
            throw error
        }
        reach(.published)
        FileSystem.removeName(finalPath(partial))
        return .published(final)
    }

    /// Returns the path at which a finished call's manifest waits for its published name.
    func finalPath(_ partial: PartialRecording) -> String { partial.manifestPath + ".final" }

    private func saveFinal(_ manifest: Recording, in partial: PartialRecording) throws(RecordingError) {
        let path = finalPath(partial)
        try FileSystem.replace(path, with: try encode(manifest), mode: mode_t(fileMode), through: path + ".new")
        try FileSystem.synchronizeDirectory(partial.directory)
        reach(.prepared)
    }

    /// Publishes further files of a call whose manifest is already published.
    func add(_ files: [CallFile], from partial: PartialRecording, to name: String) throws(RecordingError) -> [Recording.File] {
        var added: [Recording.File] = []
        for file in files {
            let source = path(file, of: partial.id), published = partial.publishedName(file.name, as: name)
            let root = file.root ?? directory, parent = parent(of: name, file.root)
            let sealed = try access.run(in: file.root) { [directoryMode] () throws(RecordingError) in
                let sealed = try FileSystem.seal(source)
                try FileSystem.makeDirectories(parent, below: root, mode: directoryMode)
                let names = GivenNames(root: file.root, parent: parent, names: [.init(source: source, target: root + "/" + published, sha256: nil)])
                guard try names.give({}) else { throw RecordingError("\(root)/\(published) exists and is not \(source)", underlying: EEXIST) }
                return sealed
            }
            added.append(
                Recording.File(
                    name: published, directory: file.root, bytes: sealed.bytes, frames: file.frames, start: file.start.map(FramePosition.init),
                    sha256: sealed.sha256))
            reach(.linked)
        }
        return added
    }

    /// Removes the partial names of a call with published files.
    /// The manifest goes last, because it tells where the other files are.
    func discard(_ partial: PartialRecording, files: [CallFile], roots: Set<String>) {
        dropNames(partial, of: files, roots: roots)
        for ending in Self.manifestEndings.reversed() { FileSystem.removeName(partial.manifestPath + ending) }
        reach(.released)
        FileSystem.removeEmptyDirectory(partial.directory)
        reach(.discarded)
    }

    /// Removes the partial names of published files. Keeps the rest of the call's directories for files still to be
    /// published.
    func dropNames(_ partial: PartialRecording, of files: [CallFile], roots: Set<String>) {
        for file in files where file.root == nil {
            FileSystem.removeName(path(file, of: partial.id))
            reach(.released)
        }
        for root in roots.union(files.compactMap(\.root)) {
            let names = files.filter { $0.root == root }.map { path($0, of: partial.id) }
            let directory = PartialRecording.directory(of: partial.id, in: root)
            // If the directory does not answer, the names stay. The next start removes them.
            try? access.run(in: root) { [onStep] () throws(RecordingError) in
                for name in names {
                    FileSystem.removeName(name)
                    onStep?(.released)
                }
                FileSystem.removeEmptyDirectory(directory)
            }
        }
    }

    /// Reads a published manifest.
    package func manifest(named name: String) throws -> Recording {
        try Recording(manifest: Data(contentsOf: URL(fileURLWithPath: "\(directory)/\(name).json")))
    }

    /// Replaces a published manifest to add facts that the carrier sent after the call.
    func update(_ manifest: Recording) throws(RecordingError) {
        let target = "\(directory)/\(manifest.name).json"
        try FileSystem.replace(
            target, with: try encode(manifest), mode: mode_t(fileMode), through: "\(partialDirectory)/\(manifest.id).json")
        try FileSystem.synchronizeDirectory(target.parentPath)
    }

    private func encode(_ manifest: Recording) throws(RecordingError) -> Data {
        do { return try manifest.encoded() } catch { throw RecordingError("cannot write a manifest: \(error)") }
    }
}
