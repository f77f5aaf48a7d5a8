import CallreelCore
import Foundation

// The files of an interrupted call: present, missing, or belonging to no sink.
extension InterruptedCall {
    /// A file named in the call's ledger but not on disk.
    struct MissingFile {
        /// The index of the file's sink.
        let sink: Int
        /// The reason as text, with the file's path.
        let reason: String

        /// Marks the sink as failed in the ledger, because the file is given up.
        func note(in ledger: inout CallLedger) {
            ledger.sinks[sink].fail(DiskError(reason))
        }
    }

    /// Returns the call's files in the recordings directory and in its sinks' directories.
    /// Adds a problem for each unreadable directory.
    func files(of ledger: CallLedger, _ names: [String], _ finding: inout Recovery.Finding) -> [CallFile] {
        var files = names.filter { FoundLedger.split($0) == nil }.map { CallFile(name: $0) }
        for root in ledger.roots.sorted() {
            let place = RecordingLayout.partialDirectory(of: id, in: root)
            do throws(DiskError) {
                files += try FileSystem.list(place).filter { !LentFile.isDirectoryName($0.name) }.map {
                    CallFile(root: root, name: $0.name)
                }
            } catch {
                // No file was created there, or the directory is missing. The ledger names the files to expect.
                if !error.isMissing { finding.problems.append(error.description) }
            }
        }
        return files
    }

    /// Returns the files named in the ledger but not on disk. Their disk may not be mounted yet.
    func missing(of ledger: CallLedger, _ files: [CallFile], published: Set<CallFile> = []) -> [MissingFile] {
        let present = Set(files.map(\.place))
        var missing: [MissingFile] = []
        for (index, sink) in ledger.sinks.enumerated() {
            for file in sink.files {
                let place = CallFile(root: file.directory, name: file.name)
                guard !present.contains(place), !published.contains(place), !isLostInPowerCut(file, ledger) else {
                    continue
                }
                guard FileStatus.isMissing(setAsidePath(place)) else { continue }
                missing.append(MissingFile(sink: index, reason: reason(place, sink)))
            }
            // A sink without files in the ledger may have created one just before the end, in its first directory.
            if sink.files.isEmpty, let first = sink.directories?.first, FileStatus.isMissing(first) {
                missing.append(
                    MissingFile(
                        sink: index,
                        reason: "\(first), the directory of the sink \(sink.name), does not exist; is its disk mounted?"
                    ))
            }
        }
        return missing
    }

    private func reason(_ file: CallFile, _ sink: CallLedger.Sink) -> String {
        let path = store.path(file, of: id)
        if let root = file.root, FileStatus.isMissing(root) {
            return "\(path) of the sink \(sink.name) is missing, and so is \(root); is its disk mounted?"
        }
        return "\(path) of the sink \(sink.name) is missing"
    }

    /// Returns true if a power cut explains a missing file: it was never synced,
    /// its directory exists, and the machine was restarted since.
    private func isLostInPowerCut(_ file: CallLedger.File, _ ledger: CallLedger) -> Bool {
        let place = RecordingLayout.partialDirectory(of: id, in: file.directory ?? store.directory)
        guard (file.frames ?? 0) == 0, file.bytes == 0, FileSystem.isDirectory(place) else { return false }
        return wasStarted(since: ledger.endedAt ?? lastSign)
    }

    /// Takes files of zero bytes off the list and out of the ledger, and returns them.
    /// They were created just before the end.
    func takeEmpty(_ files: inout [CallFile], of ledger: inout CallLedger) -> [CallFile] {
        let empty = files.filter { FileSystem.isEmptyFile(store.path($0, of: id)) }
        files.removeAll(where: empty.contains)
        for index in ledger.sinks.indices {
            ledger.sinks[index].files.removeAll { file in
                empty.contains { $0.root == file.directory && $0.name == file.name }
            }
        }
        return empty
    }

    /// Deletes files. The saved ledger must no longer name them; otherwise another run would report them missing.
    func remove(_ files: [CallFile]) {
        for file in files { FileSystem.removeName(store.path(file, of: id)) }
    }

    /// Returns each sink's files as listed in the call's ledger.
    /// Files created after its last save are assigned by their directory or their name.
    func ownership(of files: [CallFile], in ledger: CallLedger, _ partial: PartialRecording) -> [[CallFile]] {
        let stem = partial.stem
        var owned = ledger.sinks.map { sink in
            sink.files.compactMap { file in
                files.first { $0.root == file.directory && $0.name == file.name }.map { found in
                    var found = found
                    found.start = file.start?.frames
                    return found
                }
            }
        }
        let known = Set(owned.joined().map(\.place))
        for file in files where !known.contains(file.place) {
            let here = ledger.sinks.indices.filter {
                file.root != nil && ledger.sinks[$0].directories?.contains(file.root ?? "") == true
            }
            let index =
                (here.count == 1 && file.name.hasPrefix("\(stem).") ? here.first : nil)
                ?? ledger.sinks.firstIndex { file.name.hasPrefix("\(stem).\($0.name).") }
                ?? ledger.sinks.firstIndex { file.name.pathExtension == $0.type && file.name.hasPrefix("\(stem).") }
            if let index { owned[index].append(file) }
        }
        return owned
    }

    /// Adds a problem for each file belonging to no sink.
    func leftovers(_ files: [CallFile], _ owned: [CallFile], _ finding: inout Recovery.Finding) {
        let claimed = Set(owned.map(\.place))
        for file in files where !claimed.contains(file.place) {
            let path = store.path(file, of: id)
            if finding.problems.contains(where: { $0.contains(path) }) { continue }
            finding.problems.append("\(path) does not belong to a sink of this call")
        }
    }

    /// Returns the path for a file beyond repair: on the same disk as the recordings, and hidden from lists.
    func setAsidePath(_ file: CallFile) -> String {
        RecordingLayout.unrepairedDirectory(of: id, in: file.root ?? store.directory) + "/" + file.name
    }

    /// Moves one file to the directory for files beyond repair, and returns its new path. Never replaces a file there.
    @discardableResult
    func putAside(_ file: CallFile, _ finding: inout Recovery.Finding) throws(DiskError) -> String {
        let target = try FileSystem.moveAside(
            store.path(file, of: id), to: setAsidePath(file), fileMode: store.fileMode)
        finding.setAside.append((file.name, target))
        store.reach(.setAside)
        return target
    }

    /// Puts aside the remaining files of a settled call. Deletes nothing. Later runs do not report these files again.
    /// - Parameters:
    ///   - files: all files of the call on disk.
    ///   - kept: the published files.
    func setAside(
        _ files: [CallFile], _ kept: [CallFile], _ ledger: inout CallLedger, _ finding: inout Recovery.Finding
    ) throws(DiskError) {
        guard settles, !dryRun else { return }
        let kept = Set(kept.map(\.place))
        for file in files where !kept.contains(file.place) {
            let source = store.path(file, of: id)
            let reason = finding.problems.first { $0.contains(source) } ?? "could not be repaired"
            let place = try putAside(file, &finding)
            ledger.noteSettled(reason, file: file.name, place: place)
            finding.problems.removeAll { $0.contains(source) }
        }
        for problem in finding.problems { ledger.noteSettled(problem) }
        finding.problems = []
    }

    /// Puts aside all files of a call and removes its empty directories.
    ///
    /// Used if no manifest or audio file is readable, or if the published recording was deleted.
    func setAsideAll(_ files: [CallFile], _ finding: inout Recovery.Finding) throws(DiskError) {
        for file in files { try putAside(file, &finding) }
        for root in Set(files.compactMap(\.root)) {
            FileSystem.removeEmptyDirectory(RecordingLayout.partialDirectory(of: id, in: root))
        }
        FileSystem.removeEmptyDirectory(directory)
    }

    /// Takes back the names given by an interrupted publication. The files may need a repair first,
    /// and may then get other names.
    func takeBack(_ ledger: CallLedger, publishedAs name: String?) throws(DiskError) {
        guard let name, !dryRun else { return }
        for file in ledger.sinks.flatMap(\.files) {
            let place = CallFile(root: file.directory, name: file.name)
            let source = store.path(place, of: id)
            let target = (file.directory ?? store.directory) + "/" + ledger.publishedName(file.name, as: name)
            if FileSystem.isSameFile(source, target) {
                FileSystem.removeName(target)
            } else if FileStatus.isMissing(source), let sha256 = file.sha256,
                (try? FileSystem.measure(target).sha256) == sha256
            {
                // Without hard links, the file was moved instead.
                try FileSystem.move(target, to: source)
            }
        }
    }
}

extension CallLedger {
    /// Adds an event to the ledger: an operator settled a problem.
    mutating func noteSettled(_ reason: String, file: String? = nil, place: String? = nil) {
        var data: [String: JSONValue] = ["reason": .string(reason)]
        data["file"] = file.map(JSONValue.string)
        data["place"] = place.map(JSONValue.string)
        events.append(
            CallEvent(
                frame: FramePosition(framesReceived), at: Clocks.current.date, type: CallEvent.settled, data: data))
    }
}

extension FileSystem {
    /// Moves a file to a path, or to a numbered one if it is taken. Creates missing directories. Returns the path.
    static func moveAside(_ path: String, to wanted: String, fileMode: Int) throws(DiskError) -> String {
        try makeDirectories(wanted.parentPath, mode: directoryMode(forFiles: fileMode))
        var target = wanted
        var number = 2
        while !FileStatus.isMissing(target) {
            target = "\(wanted)-\(number)"
            number += 1
        }
        try move(path, to: target)
        return target
    }

    /// Moves a file to an unused name on its disk, durably.
    static func move(_ path: String, to target: String) throws(DiskError) {
        try rename(path, to: target, failing: "cannot move \(path) to \(target)")
        try synchronizeDirectory(target.parentPath)
    }
}
