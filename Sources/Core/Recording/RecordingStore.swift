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
public struct RecordingStore: Sendable {
    /// The directory of unfinished recordings, under the recordings directory.
    public static let partialDirectoryName = ".partial"

    /// What follows the name of a manifest while it is replaced and published.
    static let manifestEndings = ["", ".new", ".final", ".final.new"]

    /// The recordings directory, without a slash at its end.
    public let directory: String
    /// How recordings are named.
    public let template: NameTemplate
    /// Permission bits of published files; directories get the same with search added for everyone who may read.
    public let fileMode: Int

    private var directoryMode: mode_t { mode_t(fileMode | (fileMode & 0o444) >> 2 | 0o300) }

    /// Describes a store; ``prepare()`` makes it.
    public init(directory: String, template: NameTemplate, fileMode: Int = 0o640) {
        self.directory = directory.count > 1 && directory.hasSuffix("/") ? String(directory.dropLast()) : directory
        self.template = template
        self.fileMode = fileMode
    }

    /// Makes the directories and proves that recordings can be made and published there.
    public func prepare() throws(RecordingError) {
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
    }

    /// Makes the directory of a new call and puts its first manifest there.
    func begin(_ manifest: Recording) throws(RecordingError) -> PartialRecording {
        let place = PartialRecording.directory(of: manifest.id, in: directory)
        try FileSystem.makeDirectories(place, mode: directoryMode)
        let partial = PartialRecording(id: manifest.id, name: manifest.name, directory: place, lock: try DirectoryLock(new: place))
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
    /// - Parameter files: for each sink of the manifest, the names of its files in the partial directory.
    func seal(_ manifest: Recording, files: [[String]], framesByFile: [[String: Int]], in partial: PartialRecording) -> SealedRecording {
        var sealed = SealedRecording(manifest: manifest)
        for (index, names) in files.enumerated() {
            sealed.manifest.sinks[index].files = []
            for name in names {
                do throws(RecordingError) {
                    let found = try FileSystem.seal(partial.directory + "/" + name)
                    sealed.files.append(name)
                    sealed.manifest.sinks[index].files.append(
                        Recording.File(name: name, bytes: found.bytes, frames: framesByFile[index][name], sha256: found.sha256))
                } catch {
                    sealed.isComplete = false
                    sealed.manifest.sinks[index].state = .failed
                    sealed.manifest.sinks[index].error = sealed.manifest.sinks[index].error ?? error.description
                    sealed.manifest.sinks[index].blame = sealed.manifest.sinks[index].blame ?? .destination
                }
            }
        }
        return sealed
    }

    /// Publishes a sealed call, and returns its manifest with the published names.
    ///
    /// Nothing is replaced: a name that is taken gets a number. On an error everything stays in the partial directory
    /// as it was, and publishing can be tried again. Once the manifest stands, the call is published, and nothing that
    /// fails afterwards is an error.
    /// - Parameter keepPartial: leave the partial directory alone, because it holds files that are not published.
    func publish(_ sealed: SealedRecording, from partial: PartialRecording, keepPartial: Bool) throws(RecordingError) -> Recording {
        let parent = (directory + "/" + partial.name as NSString).deletingLastPathComponent
        try FileSystem.makeDirectories(parent, mode: directoryMode)
        for attempt in 1... {
            let name = attempt == 1 ? partial.name : "\(partial.name)-\(attempt)"
            guard let final = try tryPublish(sealed, as: name, from: partial) else { continue }
            do throws(RecordingError) {
                // The new names are on the disk before the old ones go.
                try FileSystem.synchronizeDirectory(parent)
                if !keepPartial, sealed.isComplete { discard(partial, files: sealed.files) }
            } catch {
                // The partial names stay, for the next start to look at.
            }
            return final
        }
        throw RecordingError("no free name for \(partial.name)")
    }

    /// Publishes under one name, or returns nil when any file of that name exists that is not one of ours: a program that
    /// died while it published has left links to the very same files.
    private func tryPublish(
        _ sealed: SealedRecording, as name: String, from partial: PartialRecording
    ) throws(RecordingError) -> Recording? {
        var final = sealed.manifest
        final.name = name
        for sink in final.sinks.indices {
            for file in final.sinks[sink].files.indices {
                final.sinks[sink].files[file].name = partial.publishedName(final.sinks[sink].files[file].name, as: name)
            }
        }
        let ready = partial.manifestPath + ".final"
        let target = directory + "/" + name + ".json"
        if FileSystem.exists(target) { return nil }
        let parent = (target as NSString).deletingLastPathComponent
        var linked: [String] = []
        do {
            for file in sealed.files {
                let published = directory + "/" + partial.publishedName(file, as: name)
                let source = partial.directory + "/" + file
                guard try FileSystem.link(source, as: published) || FileSystem.isSameFile(source, published) else {
                    linked.forEach(FileSystem.removeName)
                    return nil
                }
                linked.append(published)
            }
            try FileSystem.synchronizeDirectory(parent)
            try FileSystem.replace(ready, with: try encode(final), mode: mode_t(fileMode), durably: true, through: ready + ".new")
            guard try FileSystem.link(ready, as: target) else {
                linked.forEach(FileSystem.removeName)
                return nil
            }
        } catch {
            // The partial directory still has every file; only our second names for them go.
            linked.forEach(FileSystem.removeName)
            throw error
        }
        FileSystem.removeName(ready)
        return final
    }

    /// Publishes further files of a call whose manifest stands already.
    func add(_ files: [String], frames: [String: Int], from partial: PartialRecording, to name: String) throws(RecordingError) -> [Recording.File] {
        var added: [Recording.File] = []
        for file in files {
            let source = partial.directory + "/" + file, published = partial.publishedName(file, as: name)
            let sealed = try FileSystem.seal(source)
            guard try FileSystem.link(source, as: directory + "/" + published) || FileSystem.isSameFile(source, directory + "/" + published) else {
                throw RecordingError("\(published) exists and is not \(source)", underlying: EEXIST)
            }
            added.append(Recording.File(name: published, bytes: sealed.bytes, frames: frames[file], sha256: sealed.sha256))
        }
        try FileSystem.synchronizeDirectory((directory + "/" + name as NSString).deletingLastPathComponent)
        return added
    }

    /// Takes the partial names away from a call whose files are published under their final names.
    func discard(_ partial: PartialRecording, files: [String]) {
        for file in files { FileSystem.removeName(partial.directory + "/" + file) }
        for ending in Self.manifestEndings { FileSystem.removeName(partial.manifestPath + ending) }
        FileSystem.removeEmptyDirectory(partial.directory)
    }

    /// Reads a published manifest.
    public func manifest(named name: String) throws -> Recording {
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

/// A finished call whose files are on stable storage and measured, under the names that they have in the partial directory.
struct SealedRecording: Sendable {
    var manifest: Recording
    /// The files to publish.
    var files: [String] = []
    /// Whether these are all of the call's files.
    var isComplete = true
}

/// The place of a running call's files, held by this program as long as the value lives.
struct PartialRecording: Sendable {
    let id: RecordingID
    /// The name that the recording shall have, relative to the recordings directory.
    let name: String
    /// Where the files stand.
    let directory: String
    /// Says to other programs that the call is running.
    let lock: DirectoryLock

    /// Where the files of a running call stand.
    static func directory(of id: RecordingID, in store: String) -> String { "\(store)/\(RecordingStore.partialDirectoryName)/\(id)" }

    /// The beginning of every file's name.
    var stem: String { (name as NSString).lastPathComponent }

    /// The manifest so far.
    var manifestPath: String { "\(directory)/\(stem).json" }

    /// Whether a file is the manifest, or on its way to become it.
    func isManifest(_ file: String) -> Bool { RecordingStore.manifestEndings.contains { file == "\(stem).json\($0)" } }

    /// What a file is called once it is published.
    func publishedName(_ file: String, as name: String) -> String { name + file.dropFirst(stem.count) }
}
