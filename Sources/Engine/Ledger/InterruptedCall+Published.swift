import CallreelCore
import Foundation

// An interrupted call already published, with files left behind.
extension InterruptedCall {
    /// Returns the published manifest of this call, or nil if there is none.
    ///
    /// Its name may have a number. Recordings with lower numbers may have been deleted since.
    func published(as ledger: CallLedger) throws(DiskError) -> Recording? {
        if let name = ledger.publishedAs, let published = try published(named: name) { return published }
        let folder = ledger.name.parentPath, stem = ledger.name.lastPathComponent
        let entries: [FileSystem.Entry]
        do throws(DiskError) {
            entries = try FileSystem.list(folder.isEmpty ? store.directory : "\(store.directory)/\(folder)")
        } catch {
            guard error.isMissing else { throw error }
            return nil
        }
        for entry in entries where entry.name.hasPrefix(stem) && entry.name.hasSuffix(".json") {
            let name = (folder.isEmpty ? "" : folder + "/") + entry.name.dropLast(".json".count)
            if let published = try published(named: name) { return published }
        }
        return nil
    }

    /// Returns the published manifest of a name if it is that of this call, otherwise nil.
    /// - Throws: an error if the manifest is there and cannot be read. If the call counted as not published, recovery
    ///   would take its published names back, and publish it again.
    func published(named name: String) throws(DiskError) -> Recording? {
        let path = "\(store.directory)/\(name).json"
        let data: Data
        do throws(DiskError) {
            data = try FileSystem.contents(path)
        } catch {
            if error.isMissing || FileSystem.isDirectory(path) { return nil }
            throw error
        }
        return (try? Recording(json: data)).flatMap { $0.id == id ? $0 : nil }
    }

    /// Returns the call's files in a sink's own directory, as far as they can be listed. Omits directories of programs.
    func files(in root: String) -> [CallFile] {
        let entries = (try? FileSystem.list(RecordingLayout.partialDirectory(of: id, in: root))) ?? []
        return entries.filter { !LentFile.isDirectoryName($0.name) }.map { CallFile(root: root, name: $0.name) }
    }

    /// Returns true if the recording was published and is now gone.
    /// Its remaining files wait until an operator settles the call.
    func wasDeleted(_ ledger: CallLedger, _ names: [String], _ finding: inout Recovery.Finding) throws(DiskError)
        -> Bool
    {
        guard let name = ledger.publishedAs, try published(as: ledger) == nil else { return false }
        finding.name = name
        guard settles, !dryRun else {
            finding.problems.append(
                "\(store.directory)/\(name).json was published but is missing now: its other files wait")
            return true
        }
        var files = names.map { CallFile(name: $0) }
        for root in ledger.roots { files += self.files(in: root) }
        try setAsideAll(files, &finding)
        return true
    }

    /// Finishes the work of a program killed after publishing:
    /// removes second names, and adds the files of abandoned sinks.
    ///
    /// A file counts as published if the manifest names it. Links do not matter.
    func finish(
        _ published: Recording, _ ledger: CallLedger, _ partial: PartialRecording, _ files: [CallFile],
        _ finding: inout Recovery.Finding, _ onRecovery: (Recording) -> Void
    ) throws(DiskError) {
        var account = CallLedger(reopening: published)
        finding.name = published.name
        finding.outcome = .wasPublished
        let named = Set(published.sinks.flatMap(\.files).map { CallFile(root: $0.directory, name: $0.name) })
        func isNamed(_ file: CallFile) -> Bool {
            named.contains(CallFile(root: file.root, name: partial.publishedName(file.name, as: published.name)))
        }
        let done = files.filter { file in
            guard isNamed(file) else { return false }
            return isPublishedFile(file, as: partial.publishedName(file.name, as: published.name), published)
        }
        for file in files where isNamed(file) && !done.contains(file) {
            finding.problems.append("\(store.path(file, of: id)) differs from the file in \(published.name).json")
        }
        var rest = files.filter { !isNamed($0) }
        var interim = ledger
        let empty = takeEmpty(&rest, of: &interim)
        if !dryRun, !empty.isEmpty {
            try leave(interim, as: published.name, partial)
            remove(empty)
        }
        let isDone = Set(
            interim.sinks.flatMap(\.files).map { CallFile(root: $0.directory, name: $0.name) }.filter(isNamed))
        let missing = settles ? [] : missing(of: interim, files, published: isDone)
        finding.problems += missing.map(\.reason)
        var owned = ownership(of: rest, in: interim, partial)
        var hasChanged = false
        for index in interim.sinks.indices where !owned[index].isEmpty {
            guard let target = account.sinks.firstIndex(where: { $0.name == interim.sinks[index].name }) else {
                owned[index] = []
                continue
            }
            repair(&interim.sinks[index], files: &owned[index], account.format, &finding)
            guard !dryRun, !owned[index].isEmpty else { continue }
            account.sinks[target].files += try store.add(owned[index], from: partial, to: published.name).map(
                CallLedger.File.init(reopening:))
            settle(&account, target, like: interim.sinks[index])
            hasChanged = true
        }
        leftovers(rest, owned.flatMap { $0 }, &finding)
        guard !dryRun else { return }
        let events = account.events.count
        try setAside(
            files.filter { !done.contains($0) && !empty.contains($0) }, owned.flatMap { $0 }, &account, &finding)
        if hasChanged || account.events.count > events {
            let manifest = try account.manifest(as: published.name)
            try store.update(manifest)
            store.reach(.updated)
            onRecovery(manifest)
        }
        // Published files need no other name. If an operator deletes the recording, it must not come back from here.
        for file in done + owned.flatMap({ $0 }) {
            FileSystem.removeName(store.path(file, of: id))
            store.reach(.released)
        }
        if finding.problems.isEmpty {
            store.discard(partial, files: [], roots: interim.roots)
        } else {
            try leave(interim, as: published.name, partial)
        }
    }

    /// Adds the content of late files to a published sink's account.
    private func settle(_ account: inout CallLedger, _ index: Int, like interim: CallLedger.Sink) {
        var sink = account.sinks[index]
        func both(_ list: KeyPath<SinkRanges, FrameRanges?>) -> FrameRanges {
            (sink.ranges?[keyPath: list] ?? FrameRanges()).union(interim.ranges?[keyPath: list] ?? FrameRanges())
        }
        var ranges = SinkRanges()
        ranges.silence = both(\.silence)
        ranges.masked = both(\.masked)
        ranges.skipped = both(\.skipped)
        ranges.cut = both(\.cut)
        sink.ranges = ranges
        sink.onPause = interim.onPause
        let files = sink.files.map {
            CallFile(root: $0.directory, name: $0.name, frames: $0.frames, start: $0.start?.frames)
        }
        let placed = Self.stretches(of: files, sink, account)
        sink.state = .ended(.recovered)
        account.sinks[index] = sink
        // Perhaps no published file told that the call was so long.
        account.lengthen(to: placed.map(\.upperBound).max() ?? 0, by: index)
        account.settle(index, files: FrameRanges(placed))
    }

    /// Returns true if a published name leads to this file, or to a copy of it.
    private func isPublishedFile(_ file: CallFile, as name: String, _ published: Recording) -> Bool {
        let path = (file.root ?? store.directory) + "/" + name
        if FileSystem.isSameFile(store.path(file, of: id), path) { return true }
        let entry = published.sinks.lazy.flatMap(\.files).first { $0.directory == file.root && $0.name == name }
        guard let entry else { return false }
        return (try? FileSystem.measure(FileSystem.resolved(path)).sha256) == entry.sha256
    }
}
