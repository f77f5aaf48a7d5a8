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

    /// What follows the name of a manifest while it is replaced and published.
    static let manifestEndings = ["", ".new", ".final", ".final.new"]

    /// The recordings directory, without a slash at its end.
    package let directory: String
    /// How recordings are named.
    package let template: NameTemplate
    /// Permission bits of published files; directories get the same with search added for everyone who may read.
    package var fileMode: Int
    /// Called after each step of publishing and recovery; nil but in tests.
    var onStep: (@Sendable (StoreStep) -> Void)?

    private var directoryMode: mode_t { FileSystem.directoryMode(forFiles: fileMode) }

    /// Describes a store; ``prepare()`` makes it.
    package init(directory: String, template: NameTemplate, fileMode: Int = 0o640) {
        self.directory = directory.count > 1 && directory.hasSuffix("/") ? String(directory.dropLast()) : directory
        self.template = template
        self.fileMode = fileMode
    }

    /// Makes the directories and proves that recordings can be made and published there.
    package func prepare() throws(RecordingError) {
        let partial = directory + "/" + Self.partialDirectoryName
        try FileSystem.makeDirectories(partial, mode: directoryMode)
        let probe = partial + "/probe-" + RecordingID().description
        defer {
            FileSystem.removeName(probe)
            FileSystem.removeName(probe + "-2")
        }
        try FileSystem.replace(probe, with: Data("probe".utf8), mode: 0o600, durably: true, through: probe + "-new")
        guard try FileSystem.link(probe, as: probe + "-2") else { throw RecordingError("\(probe)-2 exists already", underlying: EEXIST) }
        // The published name will stand in the recordings directory itself, or below it.
        let published = directory + "/." + (probe as NSString).lastPathComponent
        defer { FileSystem.removeName(published) }
        guard try FileSystem.link(probe, as: published) else { throw RecordingError("\(published) exists already", underlying: EEXIST) }
        keepReserve()
    }

    /// Bytes that are set aside, so that the manifests of running calls can be written when the disk is full.
    private static let reserveSize = 1 << 20
    /// Free bytes from which on nothing is set aside.
    private static let plenty = 1 << 30

    private var reserve: String { directory + "/" + Self.partialDirectoryName + "/reserve" }

    /// Sets the reserve aside where it is missing and the disk is not far from full: a small part of a small disk.
    func keepReserve() {
        guard let free = FileSystem.freeBytes(directory), free < Self.plenty, !FileSystem.exists(reserve) else { return }
        FileSystem.allocate(reserve, bytes: min(Self.reserveSize, free / 64), mode: mode_t(fileMode))
    }

    /// Gives the reserve to whoever needs a little room to finish a recording.
    func spendReserve() { FileSystem.removeName(reserve) }

    /// The directory under which a sink's files appear, as an absolute path; nil is the recordings directory itself.
    func root(_ path: String?) -> String? {
        guard let path else { return nil }
        let absolute = URL(fileURLWithPath: path).standardizedFileURL.path
        let isHome = absolute == URL(fileURLWithPath: directory).standardizedFileURL.path || FileSystem.isSameDirectory(absolute, directory)
        return isHome ? nil : absolute
    }

    /// Tells a test that a step was taken.
    func reach(_ step: StoreStep) { onStep?(step) }

    /// Where a file of a running call stands.
    func path(_ file: CallFile, of id: RecordingID) -> String {
        PartialRecording.directory(of: id, in: file.root ?? directory) + "/" + file.name
    }

    /// Where a published file stands.
    static func path(_ file: Recording.File, in directory: String) -> String { (file.directory ?? directory) + "/" + file.name }

    /// Makes the directory of a new call and puts its first manifest there.
    func begin(_ manifest: Recording) throws(RecordingError) -> PartialRecording {
        keepReserve()
        let place = PartialRecording.directory(of: manifest.id, in: directory)
        let lock = try DirectoryLock.make(place, mode: directoryMode)
        let partial = PartialRecording(id: manifest.id, name: manifest.name, partName: manifest.partName, directory: place, lock: lock)
        try save(manifest, in: partial)
        return partial
    }

    /// Replaces the manifest of a running call. It survives the death of the process; a running call's manifest is
    /// not worth a wait for the disk.
    func save(_ manifest: Recording, in partial: PartialRecording) throws(RecordingError) {
        try FileSystem.replace(
            partial.manifestPath, with: try encode(manifest), mode: mode_t(fileMode), durably: false, through: partial.manifestPath + ".new")
    }

    /// Brings a finished call's files to stable storage and measures them.
    ///
    /// This is done once: after a failed sync the system may report success the next time without having the data. A file
    /// that cannot be sealed makes its sink fail and stays where it is; the others are published without it.
    /// - Parameter files: for each sink of the manifest, its files.
    func seal(_ manifest: Recording, files: [[CallFile]], in partial: PartialRecording) -> SealedRecording {
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
                    let found = try FileSystem.seal(path(file, of: partial.id))
                    reach(.sealed)
                    sealed.files.append(file)
                    sealed.manifest.sinks[index].files.append(
                        Recording.File(
                            name: file.name, directory: file.root, bytes: found.bytes, frames: file.frames, start: file.start.map(FramePosition.init),
                            sha256: found.sha256))
                } catch {
                    gone.append(file)
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
        for root in Set(sealed.files.compactMap(\.root)) {
            do throws(RecordingError) {
                try FileSystem.makeDirectories(parent(of: partial.name, root), mode: directoryMode)
            } catch {
                sealed.drop(root, error)
            }
        }
        try FileSystem.makeDirectories(parent(of: partial.name, nil), mode: directoryMode)
        var attempt = 1
        while true {
            let name = attempt == 1 ? partial.name : "\(partial.name)-\(attempt)"
            switch try tryPublish(sealed, as: name, from: partial) {
            case .taken: attempt += 1
            case .refused(let root, let error): sealed.drop(root, error)
            case .published(let final):
                do throws(RecordingError) {
                    // The new names are on the disk before the old ones go.
                    try FileSystem.synchronizeDirectory(parent(of: name, nil))
                    // Not before: another program that has to finish this call must find what its manifest names.
                    for file in sealed.empty { FileSystem.removeName(path(file, of: partial.id)) }
                    if !keepPartial, sealed.isComplete { discard(partial, files: sealed.files, roots: sealed.roots) }
                } catch {
                    // The partial names stay, for the next start to look at.
                }
                return final
            }
        }
    }

    private func parent(of name: String, _ root: String?) -> String { ((root ?? directory) + "/" + name as NSString).deletingLastPathComponent }

    private enum Attempt {
        case published(Recording)
        /// A file of that name exists that is not one of ours.
        case taken
        /// A sink's own directory did not take its files.
        case refused(root: String, RecordingError)
    }

    /// Publishes under one name. A name is also free where a program that died while it published has left links to the very same files.
    private func tryPublish(_ sealed: SealedRecording, as name: String, from partial: PartialRecording) throws(RecordingError) -> Attempt {
        var final = sealed.manifest
        final.name = name
        final.partName = nil
        for sink in final.sinks.indices {
            for file in final.sinks[sink].files.indices {
                final.sinks[sink].files[file].name = partial.publishedName(final.sinks[sink].files[file].name, as: name)
            }
        }
        let ready = partial.manifestPath + ".final"
        let target = directory + "/" + name + ".json"
        if FileSystem.exists(target) { return .taken }
        var linked: [String] = []
        // Whatever goes wrong, the partial directories still have every file; only our second names for them go.
        func giveUp() { linked.forEach(FileSystem.removeName) }
        // Directories that are not the manifest's come first: what they refuse is left out of it.
        for root in Set(sealed.files.map(\.root)).sorted(by: { ($0 ?? "") > ($1 ?? "") }) {
            do throws(RecordingError) {
                for file in sealed.files where file.root == root {
                    let published = (root ?? directory) + "/" + partial.publishedName(file.name, as: name)
                    let source = path(file, of: partial.id)
                    guard try FileSystem.link(source, as: published) || FileSystem.isSameFile(source, published) else {
                        giveUp()
                        return .taken
                    }
                    linked.append(published)
                    reach(.linked)
                }
                try FileSystem.synchronizeDirectory(parent(of: name, root))
            } catch {
                giveUp()
                guard let root else { throw error }
                return .refused(root: root, error)
            }
        }
        do throws(RecordingError) {
            try FileSystem.replace(ready, with: try encode(final), mode: mode_t(fileMode), durably: true, through: ready + ".new")
            reach(.prepared)
            guard try FileSystem.link(ready, as: target) else {
                giveUp()
                return .taken
            }
        } catch {
            giveUp()
            throw error
        }
        reach(.published)
        FileSystem.removeName(ready)
        return .published(final)
    }

    /// Publishes further files of a call whose manifest stands already.
    func add(_ files: [CallFile], from partial: PartialRecording, to name: String) throws(RecordingError) -> [Recording.File] {
        var added: [Recording.File] = []
        for file in files {
            let source = path(file, of: partial.id), published = partial.publishedName(file.name, as: name)
            let root = file.root ?? directory
            let sealed = try FileSystem.seal(source)
            try FileSystem.makeDirectories(parent(of: name, file.root), mode: directoryMode)
            guard try FileSystem.link(source, as: root + "/" + published) || FileSystem.isSameFile(source, root + "/" + published) else {
                throw RecordingError("\(root)/\(published) exists and is not \(source)", underlying: EEXIST)
            }
            added.append(
                Recording.File(
                    name: published, directory: file.root, bytes: sealed.bytes, frames: file.frames, start: file.start.map(FramePosition.init),
                    sha256: sealed.sha256))
            reach(.linked)
        }
        for root in Set(files.map(\.root)) { try FileSystem.synchronizeDirectory(parent(of: name, root)) }
        return added
    }

    /// Takes the partial names away from a call whose files are published under their final names. The manifest goes last:
    /// as long as it stands, it says where the others are.
    func discard(_ partial: PartialRecording, files: [CallFile], roots: Set<String>) {
        for file in files {
            FileSystem.removeName(path(file, of: partial.id))
            reach(.released)
        }
        for root in roots { FileSystem.removeEmptyDirectory(PartialRecording.directory(of: partial.id, in: root)) }
        for ending in Self.manifestEndings.reversed() { FileSystem.removeName(partial.manifestPath + ending) }
        reach(.released)
        FileSystem.removeEmptyDirectory(partial.directory)
        reach(.discarded)
    }

    /// Reads a published manifest.
    package func manifest(named name: String) throws -> Recording {
        try Recording(manifest: Data(contentsOf: URL(fileURLWithPath: "\(directory)/\(name).json")))
    }

    /// Replaces a published manifest with one that says more: facts that the carrier sent after the call.
    func update(_ manifest: Recording) throws(RecordingError) {
        let target = "\(directory)/\(manifest.name).json"
        try FileSystem.replace(
            target, with: try encode(manifest), mode: mode_t(fileMode), durably: true,
            through: "\(directory)/\(Self.partialDirectoryName)/\(manifest.id).json")
        try FileSystem.synchronizeDirectory((target as NSString).deletingLastPathComponent)
    }

    private func encode(_ manifest: Recording) throws(RecordingError) -> Data {
        do { return try manifest.encoded() } catch { throw RecordingError("cannot write a manifest: \(error)") }
    }
}
