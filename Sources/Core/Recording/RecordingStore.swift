import Foundation
import Synchronization

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// The recordings directory: where a call's files grow, and where they appear when they are complete.
///
/// A call's files are made in `.partial/<id>/`, on the same file system. At the end they are synced, hashed and given
/// their published names without ever replacing a file; the manifest comes last. All functions may block.
package struct RecordingStore: Sendable {
    /// The directory of unfinished recordings, under the recordings directory.
    package static let partialDirectoryName = ".partial"

    /// The place for files that cannot be repaired, under the directory that they were to appear in.
    static let unrepairedDirectory = ".callreel/unrepaired"

    /// What follows the name of a manifest while it is replaced and published.
    static let manifestEndings = ["", ".new", ".final", ".final.new"]

    /// The recordings directory, without a slash at its end.
    package let directory: String
    /// How recordings are named.
    package let template: NameTemplate
    /// Permission bits of published files; directories get the same with search added for everyone who may read.
    package var fileMode: Int
    /// Whether the directory is never made: where it is missing, its disk is not mounted.
    package let mustExist: Bool
    /// Called after each step of publishing and recovery; nil but in tests.
    var onStep: (@Sendable (StoreStep) -> Void)?
    /// Where disk calls in a sink's own directory run.
    var access = DirectoryAccess()
    /// The lease of this program, which the manifests of its running calls name; nil where it has none.
    package var lease: Lease?

    var directoryMode: mode_t { FileSystem.directoryMode(forFiles: fileMode) }

    /// The directory of unfinished recordings.
    package var partialDirectory: String { directory + "/" + Self.partialDirectoryName }

    /// Describes a store; ``prepare()`` makes it.
    package init(directory: String, template: NameTemplate, fileMode: Int = 0o640, mustExist: Bool = false) {
        self.directory = directory.count > 1 && directory.hasSuffix("/") ? String(directory.dropLast()) : directory
        self.template = template
        self.fileMode = fileMode
        self.mustExist = mustExist
    }

    /// Makes the directories and proves that recordings can be made and published there.
    package func prepare() throws(RecordingError) {
        _ = try Rehearsal(root: directory, mode: directoryMode, name: Rehearsal.prefix + RecordingID().description, mayMake: !mustExist).run()
    }

    /// Bytes that are set aside, so that the manifests of running calls can be written when the disk or a quota is full.
    private static let reserveSize = 1 << 20

    private var reserve: String { partialDirectory + "/reserve" }

    /// Sets the reserve aside where it is missing: a small part of a small disk.
    func keepReserve() {
        guard let free = FileSystem.freeBytes(directory), !FileSystem.exists(reserve) else { return }
        FileSystem.allocate(reserve, bytes: min(Self.reserveSize, free / 64), mode: mode_t(fileMode))
    }

    /// Gives the reserve to whatever needs a little room to finish a recording.
    func spendReserve() { FileSystem.removeName(reserve) }

    /// The directory under which a sink's files appear, as an absolute path; nil is the recordings directory itself.
    func root(_ path: String?) -> String? {
        guard let path else { return nil }
        let absolute = absolute(path)
        let isHome = absolute == self.absolute(directory) || FileSystem.isSameDirectory(absolute, directory)
        return isHome ? nil : absolute
    }

    /// A path from the root directory on, without `.` and `..`. Touches no disk.
    package func absolute(_ path: String) -> String { Self.absolute(path, from: FileManager.default.currentDirectoryPath) }

    /// A path from the root directory on, without `.`, `..` and doubled slashes. Links are not followed. Touches no disk.
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

    /// Tells a test that a step was taken.
    func reach(_ step: StoreStep) { onStep?(step) }

    /// Where a file of a running call stands.
    func path(_ file: CallFile, of id: RecordingID) -> String {
        PartialRecording.directory(of: id, in: file.root ?? directory) + "/" + file.name
    }

    /// Where a published file stands.
    static func path(_ file: Recording.File, in directory: String) -> String { (file.directory ?? directory) + "/" + file.name }

    /// Makes the directory of a new call and puts its first manifest there. None of it is on stable storage yet: there is no audio either.
    func begin(_ manifest: Recording) throws(RecordingError) -> PartialRecording {
        let place = PartialRecording.directory(of: manifest.id, in: directory)
        let file = PartialRecording.manifestName(manifest.name)
        // A directory of a call is never without its manifest, by which another host knows that the call runs.
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

    /// Replaces the manifest of a running call. The manifest and the names beside it survive a power cut: without the manifest, the
    /// call's audio is worth little.
    /// - Parameter isFirst: whether the call's directory itself may not be on stable storage yet.
    func save(_ manifest: Recording, in partial: PartialRecording, isFirst: Bool = false) throws(RecordingError) {
        try save(manifest, as: partial.manifestPath, durably: true)
        try FileSystem.synchronizeDirectory(partial.directory)
        if isFirst { try FileSystem.synchronizeDirectory(partialDirectory) }
    }

    private func save(_ manifest: Recording, as path: String, durably: Bool) throws(RecordingError) {
        var manifest = manifest
        if let lease { manifest.owner = lease.current }
        // Recovery keeps the one of the call.
        manifest.boot = manifest.boot ?? Lease.boot
        try FileSystem.replace(path, with: try encode(manifest), mode: mode_t(fileMode), through: path + ".new", durably: durably)
    }

    /// Brings a finished call's files to stable storage and measures them.
    ///
    /// This is done once: after a failed sync the system may report success the next time without having the data. A file
    /// that cannot be sealed makes its sink fail and stays where it is; the others are published without it. An error means that the
    /// system has no descriptors to spare, and that nothing was done.
    /// - Parameter files: for each sink of the manifest, its files.
    func seal(_ manifest: Recording, files: [[CallFile]], in partial: PartialRecording) throws(RecordingError) -> SealedRecording {
        var sealed = SealedRecording(manifest: manifest, roots: manifest.roots)
        for (index, files) in files.enumerated() {
            sealed.manifest.sinks[index].files = []
            sealed.manifest.sinks[index].directories = nil
            var gone: [CallFile] = []
            // Nothing plays a file without audio. Where a sink says that it took some, the file shows that it is not there.
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
                    // Nothing was synced yet of a file that could not be opened, so that it may be tried again.
                    if error.isTransient, sealed.isComplete, gone.isEmpty { throw error }
                    // Its disk was unmounted. When it is back, all of it is there.
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
    /// Nothing is replaced: a name that is taken gets a number. On an error everything stays in the partial directories
    /// as it was, and publishing can be tried again. Once the manifest stands, the call is published, and nothing that
    /// fails afterwards is an error. Files that cannot appear in a directory of their sink's own stay where they are, their
    /// sink has failed, and the others are published.
    /// - Parameter keepPartial: leave the partial directory alone, because it holds files that are not published.
    func publish(_ sealed: SealedRecording, from partial: PartialRecording, keepPartial: Bool) throws(RecordingError) -> Recording {
        var sealed = sealed
        // First of all, the account: whatever happens from here on, the next start knows what the call was.
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
            // Before any file has its name: where there are no hard links, it says whose the renamed files are.
            if !isSaved { try saveFinal(sealed.manifest(as: name, from: partial), in: partial) }
            isSaved = false
            switch try tryPublish(sealed, as: name, from: partial) {
            case .taken: attempt += 1
            case .refused(let root, let error): sealed.drop(root, error)
            case .published(let final):
                do throws(RecordingError) {
                    // The new names are on the disk before the old ones go.
                    try FileSystem.synchronizeDirectory(parent(of: name, nil))
                    // Not before: another program that has to finish this call must find what its manifest names.
                    dropNames(partial, of: sealed.empty, roots: [])
                    if !keepPartial, sealed.isComplete {
                        discard(partial, files: sealed.files, roots: sealed.roots)
                    } else {
                        // A recording that is deleted by hand does not come back from here.
                        dropNames(partial, of: sealed.files, roots: sealed.roots)
                    }
                } catch {
                    // The partial names stay, for the next start to look at.
                }
                return final
            }
        }
    }

    private func parent(of name: String, _ root: String?) -> String { ((root ?? directory) + "/" + name).parentPath }

    private enum Attempt {
        case published(Recording)
        /// A file of that name exists that is not one of ours.
        case taken
        /// A sink's own directory did not take its files.
        case refused(root: String, RecordingError)
    }

    /// Publishes under one name. A name is also free where a program that died while it published has left links to the very same files.
    private func tryPublish(_ sealed: SealedRecording, as name: String, from partial: PartialRecording) throws(RecordingError) -> Attempt {
        let final = sealed.manifest(as: name, from: partial)
        let target = directory + "/" + name + ".json"
        if FileSystem.exists(target) { return .taken }
        var given: [GivenNames] = []
        // Whatever goes wrong, the partial directories have every file; only our other names for them go.
        func giveUp() {
            for names in given { try? access.run(in: names.root) { () throws(RecordingError) in names.takeBack() } }
        }
        // Directories that are not the manifest's come first: what they refuse is left out of it.
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

    /// Where the manifest of a finished call waits for its published name.
    func finalPath(_ partial: PartialRecording) -> String { partial.manifestPath + ".final" }

    private func saveFinal(_ manifest: Recording, in partial: PartialRecording) throws(RecordingError) {
        let path = finalPath(partial)
        try FileSystem.replace(path, with: try encode(manifest), mode: mode_t(fileMode), through: path + ".new")
        try FileSystem.synchronizeDirectory(partial.directory)
        reach(.prepared)
    }

    /// Publishes further files of a call whose manifest stands already.
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

    /// Takes the partial names away from a call whose files are published under their final names. The manifest goes last:
    /// as long as it stands, it says where the others are.
    func discard(_ partial: PartialRecording, files: [CallFile], roots: Set<String>) {
        dropNames(partial, of: files, roots: roots)
        for ending in Self.manifestEndings.reversed() { FileSystem.removeName(partial.manifestPath + ending) }
        reach(.released)
        FileSystem.removeEmptyDirectory(partial.directory)
        reach(.discarded)
    }

    /// Takes the partial names of published files away, and leaves the rest of the call's directories for what is still to come.
    func dropNames(_ partial: PartialRecording, of files: [CallFile], roots: Set<String>) {
        for file in files where file.root == nil {
            FileSystem.removeName(path(file, of: partial.id))
            reach(.released)
        }
        for root in roots.union(files.compactMap(\.root)) {
            let names = files.filter { $0.root == root }.map { path($0, of: partial.id) }
            let directory = PartialRecording.directory(of: partial.id, in: root)
            // A directory that does not answer keeps them; the next start takes them away.
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

    /// Replaces a published manifest with one that says more: facts that the carrier sent after the call.
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
