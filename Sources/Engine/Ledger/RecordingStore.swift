package import CallreelCore
import Foundation
import Synchronization

/// The recordings directory: the place of a call's files, both while they grow and after publication.
///
/// A call's files are made in `.partial/<id>/`, on the same file system.
/// At the end they are synced, hashed and given their published names, never replacing a file. The manifest comes last.
/// All functions may block.
package struct RecordingStore: Sendable {
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

    var directoryMode: Int { FileSystem.directoryMode(forFiles: fileMode) }

    /// The directory of unfinished recordings.
    package var partialDirectory: String { directory + "/" + RecordingLayout.partialDirectoryName }

    /// Describes a store. ``prepare()`` creates it.
    package init(directory: String, template: NameTemplate, fileMode: Int = 0o640, mustExist: Bool = false) {
        self.directory = directory.count > 1 && directory.hasSuffix("/") ? String(directory.dropLast()) : directory
        self.template = template
        self.fileMode = fileMode
        self.mustExist = mustExist
    }

    /// Makes the directories, and tests that recordings can be made and published there.
    package func prepare() throws(DiskError) {
        _ = try Rehearsal(
            root: directory, mode: directoryMode, name: Rehearsal.prefix + RecordingID().description,
            mayMake: !mustExist
        ).run()
    }

    /// Bytes set aside, so that the manifests of running calls can be written when a disk or quota is full.
    private static let reserveSize = 1 << 20

    private var reserve: String { partialDirectory + "/reserve" }

    /// Sets the reserve aside if it is missing: 1 MiB, or 1/64 of the free space if that is less.
    func keepReserve() {
        guard let free = FileSystem.freeBytes(directory), !FileSystem.exists(reserve) else { return }
        FileSystem.allocate(reserve, bytes: min(Self.reserveSize, free / 64), mode: fileMode)
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
    package func absolute(_ path: String) -> String {
        Self.absolute(path, from: FileManager.default.currentDirectoryPath)
    }

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

    /// Removes the traces of rehearsals whose program died. A server does so when it starts. Blocks.
    package func removeLeftovers() { Rehearsal.removeLeftovers(in: directory) }

    /// Tells a test that a step is done.
    func reach(_ step: StoreStep) { onStep?(step) }

    /// Returns the path of a running call's file.
    func path(_ file: CallFile, of id: RecordingID) -> String {
        RecordingLayout.partialDirectory(of: id, in: file.root ?? directory) + "/" + file.name
    }

    /// Makes the directory of a new call, and puts its first ledger there.
    /// Brings neither to stable storage, because there is no audio yet.
    func begin(_ ledger: CallLedger) throws(DiskError) -> PartialRecording {
        let place = RecordingLayout.partialDirectory(of: ledger.id, in: directory)
        let file = PartialRecording.ledgerName(ledger.name)
        // A call's directory always has a ledger. From it, other hosts know that the call runs.
        let lock = try DirectoryLock.make(place, mode: directoryMode) { new throws(DiskError) in
            do throws(DiskError) {
                try save(ledger, as: new + "/" + file, durably: false)
            } catch {
                FileSystem.removeName(new + "/" + file)
                throw error
            }
        }
        return PartialRecording(
            id: ledger.id, name: ledger.name, partName: ledger.partName, directory: place, lock: lock)
    }

    /// Replaces the ledger of a running call. The ledger and the names beside it survive a power cut,
    /// because the audio is worth little without them.
    /// - Parameter isFirst: true if the call's directory itself may not be on stable storage yet.
    func save(_ ledger: CallLedger, in partial: PartialRecording, isFirst: Bool = false) throws(DiskError) {
        try save(ledger, as: partial.ledgerPath, durably: true)
        try FileSystem.synchronizeDirectory(partial.directory)
        if isFirst { try FileSystem.synchronizeDirectory(partialDirectory) }
    }

    private func save(_ ledger: CallLedger, as path: String, durably: Bool) throws(DiskError) {
        var ledger = ledger
        if let lease { ledger.owner = lease.current }
        // Recovery keeps the boot of the call.
        ledger.boot = ledger.boot ?? Lease.boot
        try FileSystem.replace(
            path, with: try encode(ledger), mode: fileMode, through: path + ".new", durably: durably)
    }

    /// Brings a finished call's files to stable storage and measures them.
    ///
    /// This is done once: after a failed sync, the system may report success the next time without having the data.
    /// If a file cannot be sealed, its sink fails and the file stays where it is.
    /// The other files are published without it.
    /// - Parameter files: for each sink of the ledger, its files.
    /// - Throws: an error if the system is short of descriptors or memory, or if the disk is unmounted.
    ///   Sealing can then be tried again.
    func seal(_ ledger: CallLedger, files: [[CallFile]], in partial: PartialRecording) throws(DiskError)
        -> SealedRecording
    {
        var sealed = SealedRecording(ledger: ledger, roots: ledger.roots)
        for (index, files) in files.enumerated() {
            sealed.ledger.sinks[index].files = []
            var gone: [CallFile] = []
            // No program plays a file without audio. If the sink reports audio but all its files are empty, they stay:
            // they show the loss.
            let dropsEmpty = ledger.sinks[index].held == 0 || files.contains { $0.frames != 0 }
            for file in files {
                if file.frames == 0, dropsEmpty, isBeginning(file, of: partial.id) {
                    sealed.empty.append(file)
                    continue
                }
                do throws(DiskError) {
                    let path = path(file, of: partial.id)
                    let found = try access.run(in: file.root) { () throws(DiskError) in
                        let found = try FileSystem.seal(path)
                        // The manifest is saved next, on another disk: from then on the name must be there, too.
                        if file.root != nil { try FileSystem.synchronizeDirectory(path.parentPath) }
                        return found
                    }
                    reach(.sealed)
                    sealed.files.append(file)
                    sealed.ledger.sinks[index].files.append(
                        CallLedger.File(
                            name: file.name, directory: file.root, bytes: found.bytes, frames: file.frames,
                            start: file.start.map(FramePosition.init),
                            sha256: found.sha256))
                } catch {
                    // The file could not be opened, so nothing of it was synced. Sealing can be tried again.
                    if error.isTransient, sealed.isComplete, gone.isEmpty { throw error }
                    // The disk was unmounted. After a remount, all files are there.
                    if error.isMissing, file.root == nil, FileStatus.isMissing(partial.directory) { throw error }
                    gone.append(file)
                    if error.underlying != ETIMEDOUT { sealed.broken.append(file) }
                    sealed.ledger.sinks[index].fail(error)
                }
            }
            guard !gone.isEmpty else { continue }
            sealed.isComplete = false
            sealed.ledger.lose(gone.map { ($0.start, $0.frames ?? 0) }, of: index)
        }
        return sealed
    }

    /// Returns true if a file without frames is small enough to be a header. A larger one is kept: the sink's type may
    /// be wrong about it.
    private func isBeginning(_ file: CallFile, of id: RecordingID) -> Bool {
        let path = path(file, of: id)
        // Of a directory that does not answer nothing is known, so its file is not taken for empty.
        let asked = Result { () throws(DiskError) in
            try access.run(in: file.root) { () throws(DiskError) in FileSystem.size(path) }
        }
        guard case .success(let size) = asked else { return false }
        return size.map { $0 <= CallFile.beginningSize } ?? true
    }

    /// Reads a published manifest.
    package func manifest(named name: String) throws -> Recording {
        try Recording(json: FileSystem.contents("\(directory)/\(name).json"))
    }

    /// Replaces a published manifest to add facts that the carrier sent after the call.
    func update(_ manifest: Recording) throws(DiskError) {
        let target = "\(directory)/\(manifest.name).json"
        try FileSystem.replace(
            target, with: try encode(manifest), mode: fileMode,
            through: "\(partialDirectory)/\(manifest.id).json")
        try FileSystem.synchronizeDirectory(target.parentPath)
    }

    func encode(_ account: some CallAccount) throws(DiskError) -> Data {
        do { return try account.encoded() } catch { throw DiskError("cannot encode a manifest: \(error)") }
    }
}
