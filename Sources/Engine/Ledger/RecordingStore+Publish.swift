import CallreelCore
import Foundation

// Publishing gives a finished call its names, and takes its partial names away.
extension RecordingStore {
    /// Publishes a sealed call, and returns its manifest with the published names.
    ///
    /// No file is replaced: if a name is taken, the recording's name gets a number.
    /// After an error, everything is still in the partial directories, and publishing can be tried again.
    /// Once the manifest has its published name, the call is published, and later failures are not errors.
    ///
    /// If a sink's own directory refuses files, they stay where they are and their sink fails.
    /// The other files are published.
    /// - Parameter keepPartial: true to keep the partial directory, because it holds unpublished files.
    func publish(_ sealed: SealedRecording, from partial: PartialRecording, keepPartial: Bool) throws(DiskError)
        -> Recording
    {
        var sealed = sealed
        // The manifest comes first. From it, the next start knows the call after any later failure.
        try saveFinal(sealed.manifest(as: partial.name), in: partial)
        var isSaved = true
        for root in Set(sealed.files.compactMap(\.root)) {
            do throws(DiskError) {
                let parent = parent(of: partial.name, root)
                try access.run(in: root) { [directoryMode] () throws(DiskError) in
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
            if !isSaved { try saveFinal(sealed.manifest(as: name), in: partial) }
            isSaved = false
            switch try tryPublish(sealed, as: name, from: partial) {
            case .taken: attempt += 1
            case .refused(let root, let error): sealed.drop(root, error)
            case .published(let final):
                do throws(DiskError) {
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
        case refused(root: String, DiskError)
    }

    /// Publishes under one name. A name also counts as free if a program died while publishing and left links to the
    /// same files there.
    private func tryPublish(_ sealed: SealedRecording, as name: String, from partial: PartialRecording)
        throws(DiskError) -> Attempt
    {
        let final = try sealed.manifest(as: name)
        let target = directory + "/" + name + ".json"
        if FileSystem.exists(target) { return .taken }
        var given: [GivenNames] = []
        // After any failure, the partial directories have every file. Only the other names of these files are removed.
        func giveUp() {
            for names in given { try? access.run(in: names.root) { () throws(DiskError) in names.takeBack() } }
        }
        // The sinks' own directories come first: files that they refuse are left out of the manifest.
        for root in Set(sealed.files.map(\.root)).sorted(by: { ($0 ?? "") > ($1 ?? "") }) {
            let names = GivenNames(
                root: root, parent: parent(of: name, root),
                names: sealed.files.filter { $0.root == root }.map { file in
                    GivenNames.Name(
                        source: path(file, of: partial.id),
                        target: (root ?? directory) + "/" + partial.publishedName(file.name, as: name),
                        sha256: sealed.ledger.sinks.lazy.flatMap(\.files).first {
                            $0.name == file.name && $0.directory == root
                        }?.sha256)
                })
            do throws(DiskError) {
                let isFree = try access.run(in: root, undo: { $0 ? names.takeBack() : () }) {
                    [onStep] () throws(DiskError) in
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
        do throws(DiskError) {
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
    func finalPath(_ partial: PartialRecording) -> String { partial.ledgerPath + ".final" }

    private func saveFinal(_ manifest: Recording, in partial: PartialRecording) throws(DiskError) {
        let path = finalPath(partial)
        try FileSystem.replace(path, with: try encode(manifest), mode: fileMode, through: path + ".new")
        try FileSystem.synchronizeDirectory(partial.directory)
        reach(.prepared)
    }

    /// Publishes further files of a call whose manifest is already published.
    func add(_ files: [CallFile], from partial: PartialRecording, to name: String) throws(DiskError) -> [Recording
        .File]
    {
        var added: [Recording.File] = []
        for file in files {
            let source = path(file, of: partial.id), published = partial.publishedName(file.name, as: name)
            let root = file.root ?? directory, parent = parent(of: name, file.root)
            let sealed = try access.run(in: file.root) { [directoryMode] () throws(DiskError) in
                let sealed = try FileSystem.seal(source)
                try FileSystem.makeDirectories(parent, below: root, mode: directoryMode)
                let names = GivenNames(
                    root: file.root, parent: parent,
                    names: [.init(source: source, target: root + "/" + published, sha256: nil)])
                guard try names.give({}) else {
                    throw DiskError("\(root)/\(published) exists and is not \(source)", underlying: EEXIST)
                }
                return sealed
            }
            added.append(
                Recording.File(
                    name: published, directory: file.root, bytes: sealed.bytes, frames: file.frames,
                    start: file.start.map(FramePosition.init),
                    sha256: sealed.sha256))
            reach(.linked)
        }
        return added
    }

    /// Removes the partial names of a call with published files.
    /// The ledger goes last, because it tells where the other files are.
    ///
    /// If a name cannot be removed, the ledger stays. Without it, the next start would not know that the file is
    /// published, and would publish it again.
    func discard(_ partial: PartialRecording, files: [CallFile], roots: Set<String>) {
        let areGone = dropNames(partial, of: files, roots: roots)
        guard areGone, let names = try? FileSystem.list(partial.directory),
            names.allSatisfy({ partial.isLedger($0.name) })
        else { return }
        for ending in RecordingLayout.manifestEndings.reversed() {
            FileSystem.removeName(partial.ledgerPath + ending)
        }
        reach(.released)
        FileSystem.removeEmptyDirectory(partial.directory)
        reach(.discarded)
    }

    /// Removes the partial names of published files. Keeps the rest of the call's directories for files still to be
    /// published.
    /// - Returns: true if the call has nothing left in the sinks' own directories.
    @discardableResult
    func dropNames(_ partial: PartialRecording, of files: [CallFile], roots: Set<String>) -> Bool {
        var areGone = true
        for file in files where file.root == nil {
            FileSystem.removeName(path(file, of: partial.id))
            reach(.released)
        }
        for root in roots.union(files.compactMap(\.root)) {
            let names = files.filter { $0.root == root }.map { path($0, of: partial.id) }
            let directory = RecordingLayout.partialDirectory(of: partial.id, in: root)
            // If the directory does not answer, the names stay. The next start removes them.
            let isGone = try? access.run(in: root) { [onStep] () throws(DiskError) in
                for name in names {
                    FileSystem.removeName(name)
                    onStep?(.released)
                }
                FileSystem.removeEmptyDirectory(directory)
                // Another disk than the ledger's may lose the removal in a power cut, and the ledger tells of it.
                try FileSystem.synchronizeDirectory(directory.parentPath)
                return FileStatus.isMissing(directory)
            }
            areGone = areGone && isGone == true
        }
        return areGone
    }
}
