import Foundation
package import Logging

/// Finishes recordings that a program left behind when it died, without a word or in the middle of publishing.
///
/// Each interrupted call has a directory of its own under `.partial`. Its files are made whole by the sinks that wrote
/// them, and published with the state `recovered`. Nothing is deleted but second names of files that are published: what
/// cannot be understood stays where it is and is named. It may be ended at any point and run again.
package struct Recovery: Sendable {
    /// What was found of one interrupted call.
    package struct Finding: Sendable {
        /// The call's directory.
        package let directory: String
        /// The published name, or nil when nothing was published.
        package var name: String?
        /// For each file: its name, its frames where they are known, and what was done or is wrong.
        package var files: [(name: String, frames: Int?, note: String)] = []
        /// Why the call, or a part of it, stays where it is.
        package var problems: [String] = []
    }

    private let store: RecordingStore
    private let registry: SinkRegistry
    private let logger: Logger

    /// Prepares a recovery of the interrupted calls of a store, by the sinks of a registry, which can make their files whole.
    package init(store: RecordingStore, registry: SinkRegistry, logger: Logger) {
        self.store = store
        self.registry = registry
        self.logger = logger
    }

    /// Looks at every interrupted call. Blocks. Calls that run, in this program or another, are not touched.
    /// - Parameters:
    ///   - dryRun: only look, and say what would be done.
    ///   - onRecovery: told of each recording that was published.
    package func run(dryRun: Bool = false, onRecovery: (Recording) -> Void = { _ in }) -> [Finding] {
        let partial = store.directory + "/" + RecordingStore.partialDirectoryName
        let names = ((try? FileManager.default.contentsOfDirectory(atPath: partial)) ?? []).sorted()
        return names.compactMap { name in
            let directory = partial + "/" + name
            guard let id = RecordingID(name) else {
                // Being made now, or when a program died.
                if !dryRun, name.hasPrefix(DirectoryLock.newPrefix), FileSystem.isOld(directory) { FileSystem.removeEmptyDirectory(directory) }
                return nil
            }
            var finding = Finding(directory: directory)
            do throws(RecordingError) {
                guard let lock = try DirectoryLock(existing: directory) else { return nil }
                guard try recover(id, directory, lock, dryRun: dryRun, &finding, onRecovery) else { return nil }
            } catch {
                finding.problems.append(error.description)
            }
            report(finding, dryRun: dryRun)
            return finding
        }
    }

    private func report(_ finding: Finding, dryRun: Bool) {
        guard !dryRun else { return }
        if let name = finding.name { logger.notice("an interrupted call was recovered", metadata: ["recording": "\(name)"]) }
        for problem in finding.problems {
            logger.error("a part of an interrupted call stays where it is", metadata: ["directory": "\(finding.directory)", "reason": "\(problem)"])
        }
    }

    /// Recovers one call. Returns false when there is nothing to say about it.
    private func recover(
        _ id: RecordingID, _ directory: String, _ lock: DirectoryLock, dryRun: Bool, _ finding: inout Finding, _ onRecovery: (Recording) -> Void
    ) throws(RecordingError) -> Bool {
        let files = ((try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []).sorted()
        guard !files.isEmpty else {
            // A program died after it made the directory, or before it removed it.
            if !dryRun { FileSystem.removeEmptyDirectory(directory) }
            return false
        }
        guard var manifest = self.manifest(id, in: directory, files) else {
            throw RecordingError("\(directory) has no manifest, so nobody knows what its \(files.count) files are")
        }
        let partial = PartialRecording(id: id, name: manifest.name, partName: manifest.partName, directory: directory, lock: lock)
        let store = RecordingStore(
            directory: store.directory, template: store.template, fileMode: FileSystem.mode(of: partial.manifestPath) ?? store.fileMode)
        let all = self.files(of: manifest, files, store, &finding)
        if let published = published(id, wanted: manifest.name) {
            return try finish(published, manifest, partial, all, store, dryRun: dryRun, &finding, onRecovery)
        }
        var owned = ownership(of: all, in: manifest, partial)
        for index in manifest.sinks.indices {
            repair(&manifest.sinks[index], files: &owned[index], manifest.format, partial, store, dryRun: dryRun, &finding)
        }
        leftovers(all, owned.flatMap { $0 }, partial, store, &finding)
        settle(&manifest, files: owned.flatMap { $0 }.map { store.path($0, of: id) })
        guard !dryRun else {
            finding.name = manifest.name
            return true
        }
        let sealed = store.seal(manifest, files: owned, in: partial)
        finding.problems += zip(sealed.manifest.sinks, manifest.sinks).filter { $0.state == .failed && $1.state != .failed }.compactMap(\.0.error)
        let result = try store.publish(sealed, from: partial, keepPartial: !finding.problems.isEmpty)
        finding.name = result.name
        onRecovery(result)
        return true
    }

    /// The manifest of a call that was still running, or was being published.
    private func manifest(_ id: RecordingID, in directory: String, _ files: [String]) -> Recording? {
        for file in files where file.hasSuffix(".json") || file.hasSuffix(".json.new") {
            guard let data = try? Data(contentsOf: URL(fileURLWithPath: directory + "/" + file)), let manifest = try? Recording(manifest: data)
            else { continue }
            if manifest.id == id { return manifest }
        }
        return nil
    }

    /// The manifest of this call if it is published already.
    private func published(_ id: RecordingID, wanted: String) -> Recording? {
        for attempt in 1... {
            let name = attempt == 1 ? wanted : "\(wanted)-\(attempt)"
            guard FileSystem.exists("\(store.directory)/\(name).json") else { return nil }
            if let manifest = try? store.manifest(named: name), manifest.id == id { return manifest }
        }
        return nil
    }

    /// The files of a call, in the recordings directory and in those of its sinks. A directory that cannot be looked at is named:
    /// what is there is left for another time.
    private func files(of manifest: Recording, _ home: [String], _ store: RecordingStore, _ finding: inout Finding) -> [CallFile] {
        var files = home.map { CallFile(name: $0) }
        for root in manifest.roots.sorted() {
            let directory = PartialRecording.directory(of: manifest.id, in: root)
            do {
                files += try FileManager.default.contentsOfDirectory(atPath: directory).sorted().map { CallFile(root: root, name: $0) }
            } catch  where FileSystem.isDirectory(root) && !FileSystem.exists(directory) {
                // No file was made there.
            } catch {
                finding.problems.append("\(directory) cannot be read: \(error.localizedDescription)")
            }
        }
        return files
    }

    /// Which files belong to which sink: as the manifest of the running call says; a file that was made in its last moment, by its
    /// place or its name.
    private func ownership(of files: [CallFile], in manifest: Recording, _ partial: PartialRecording) -> [[CallFile]] {
        let stem = partial.stem
        var owned = manifest.sinks.map { sink in sink.files.map { CallFile(root: $0.directory, name: $0.name) }.filter(files.contains) }
        for file in files where !owned.joined().contains(file) && !partial.isManifest(file.name) {
            let here = manifest.sinks.indices.filter { file.root != nil && manifest.sinks[$0].directories?.contains(file.root ?? "") == true }
            let index =
                (here.count == 1 && file.name.hasPrefix("\(stem).") ? here.first : nil)
                ?? manifest.sinks.firstIndex { file.name.hasPrefix("\(stem).\($0.name).") }
                ?? manifest.sinks.firstIndex { (file.name as NSString).pathExtension == $0.type && file.name.hasPrefix("\(stem).") }
            if let index { owned[index].append(file) }
        }
        return owned
    }

    /// Makes a sink's files whole. A file that its sink cannot make whole stays where it is, and its sink has failed.
    private func repair(
        _ sink: inout Recording.Sink, files: inout [CallFile], _ format: AudioFormat,
        _ partial: PartialRecording, _ store: RecordingStore, dryRun: Bool, _ finding: inout Finding
    ) {
        sink.state = .recovered
        var whole: [CallFile] = []
        for var file in files {
            do throws(SinkError) {
                let result = try registry[sink.type]?.repair(store.path(file, of: partial.id), sink.format ?? format, dryRun)
                file.frames = result?.frames
                whole.append(file)
                finding.files.append((file.name, result?.frames, result.map { $0.change ?? "is whole" } ?? unrepaired(sink.type)))
            } catch {
                sink.state = .failed
                sink.error = error.description
                sink.blame = error.blame
                finding.problems.append(error.description)
            }
        }
        files = whole
        sink.written = format.frames(files.reduce(0) { $0 + ($1.frames ?? 0) }, of: sink.format ?? format)
    }

    /// What becomes of a file that nobody could look into.
    private func unrepaired(_ type: String) -> String {
        let reason = registry[type] == nil ? "this program has no sink \"\(type)\"" : "sinks of type \"\(type)\" offer no repair"
        return "is published as it stands: \(reason)"
    }

    /// Names what nobody has claimed.
    private func leftovers(_ files: [CallFile], _ owned: [CallFile], _ partial: PartialRecording, _ store: RecordingStore, _ finding: inout Finding) {
        let claimed = Set(owned.map { store.path($0, of: partial.id) })
        for file in files where !partial.isManifest(file.name) {
            let path = store.path(file, of: partial.id)
            if claimed.contains(path) || finding.problems.contains(where: { $0.contains(path) }) { continue }
            finding.problems.append("\(path) belongs to no sink of this call")
        }
    }

    /// Closes the accounts: the call is as long as its longest file.
    private func settle(_ manifest: inout Recording, files: [String]) {
        manifest.framesReceived = max(manifest.framesReceived, manifest.sinks.map(\.written).max() ?? 0)
        let paused = manifest.pauses.reduce(into: 0) { $0 += $1.count }
        for index in manifest.sinks.indices {
            let written = manifest.sinks[index].written
            switch manifest.sinks[index].onPause ?? .silence {
            case .silence:
                let masked = manifest.pauses.reduce(into: 0) { $0 += $1.clamped(to: 0..<written).count }
                if masked > 0 { manifest.sinks[index].masked = masked }
                manifest.sinks[index].written -= masked
            case .skip:
                let skipped = min(paused, manifest.framesReceived - written)
                if skipped > 0 { manifest.sinks[index].skipped = skipped }
            case .record: break
            }
            manifest.sinks[index].lost = manifest.framesReceived - manifest.sinks[index].accounted
        }
        if manifest.endedAt == nil {
            manifest.endedAt = files.compactMap(FileSystem.modified).max() ?? manifest.startedAt
            manifest.endReason = "interrupted: the program ended while the call was running"
        }
    }

    /// Finishes what a program left that died after it had published: second names go, and files of a sink that was
    /// given up are added.
    private func finish(
        _ published: Recording, _ interim: Recording, _ partial: PartialRecording, _ files: [CallFile], _ store: RecordingStore, dryRun: Bool,
        _ finding: inout Finding,
        _ onRecovery: (Recording) -> Void
    ) throws(RecordingError) -> Bool {
        var manifest = published
        finding.name = published.name
        let done = files.filter { file in
            let name = partial.publishedName(file.name, as: published.name)
            return FileSystem.isSameFile(store.path(file, of: partial.id), (file.root ?? store.directory) + "/" + name)
        }
        let rest = files.filter { !done.contains($0) && !partial.isManifest($0.name) }
        var owned = ownership(of: rest, in: interim, partial)
        for index in manifest.sinks.indices where !owned[index].isEmpty {
            let before = manifest.sinks[index]
            repair(&manifest.sinks[index], files: &owned[index], manifest.format, partial, store, dryRun: dryRun, &finding)
            guard !dryRun else { continue }
            manifest.sinks[index].written += before.written
            manifest.sinks[index].files += try store.add(owned[index], from: partial, to: published.name)
            manifest.sinks[index].lost = 0
            manifest.sinks[index].lost = max(0, manifest.framesReceived - manifest.sinks[index].accounted)
        }
        leftovers(rest, owned.flatMap { $0 }, partial, store, &finding)
        guard !dryRun else { return true }
        if !owned.allSatisfy(\.isEmpty) {
            try store.update(manifest)
            onRecovery(manifest)
        }
        if finding.problems.isEmpty { store.discard(partial, files: done + owned.flatMap { $0 }, roots: interim.roots) }
        return true
    }
}
