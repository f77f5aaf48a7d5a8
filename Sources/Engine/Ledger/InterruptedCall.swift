import CallreelCore
import Foundation

/// One interrupted call during its recovery. Holds the call's lock.
struct InterruptedCall {
    let id: RecordingID
    let directory: String
    let lock: DirectoryLock
    let dryRun: Bool
    /// True when an operator has decided to put aside files beyond repair and give up missing ones.
    let settles: Bool
    let registry: SinkRegistry
    let roots: [String]
    var store: RecordingStore
    /// The time of the last change in the call's directory, read before recovery changes anything.
    private(set) var lastSign: Date?
    /// The boot under which the call ran, if its manifest names one.
    private var boot: String?

    init(
        _ recovery: Recovery, _ id: RecordingID, _ directory: String, _ lock: DirectoryLock, dryRun: Bool, settles: Bool
    ) {
        self.id = id
        self.directory = directory
        self.lock = lock
        self.dryRun = dryRun
        self.settles = settles
        registry = recovery.registry
        roots = recovery.roots
        store = recovery.store
    }

    /// Recovers the call. Returns false if there is nothing to report.
    mutating func recover(_ finding: inout Recovery.Finding, _ onRecovery: (Recording) -> Void) throws(DiskError)
        -> Bool
    {
        let names: [String]
        do throws(DiskError) {
            names = try self.names()
        } catch {
            // Published and removed since the directory was listed.
            if error.isMissing { return false }
            throw error
        }
        guard !names.isEmpty else {
            // A program died just after creating the directory, or just before removing it.
            if !dryRun { FileSystem.removeEmptyDirectory(directory) }
            return false
        }
        lastSign = names.compactMap { FileSystem.modified(directory + "/" + $0) }.max()
        let found = InterimManifest(of: id, in: directory)
        let known: Recording?
        if let found { known = found.recording } else { known = try rebuilt(names, &finding) }
        guard var manifest = known else { return !finding.setAside.isEmpty }
        boot = manifest.boot
        let partial = PartialRecording(
            id: id, name: manifest.name, partName: manifest.partName, directory: directory, lock: lock)
        finding.name = manifest.name
        store.fileMode = FileSystem.mode(of: partial.manifestPath) ?? store.fileMode
        if !dryRun { try takeBackLent(manifest) }
        if try wasDeleted(manifest, names, &finding) { return true }
        if let published = try published(as: manifest) {
            let files = files(of: manifest, names, &finding)
            try finish(published, manifest, partial, files, &finding, onRecovery)
            return true
        }
        try takeBack(manifest, publishedAs: found?.publishing)
        var files = files(of: manifest, try self.names(), &finding)
        let missing = missing(of: manifest, files)
        finding.problems += missing.map(\.reason)
        guard finding.problems.isEmpty || settles else { return true }
        close(&manifest, files)
        let empty = takeEmpty(&files, of: &manifest)
        if !dryRun {
            try save(manifest, in: partial)
            remove(empty)
        }
        var owned = ownership(of: files, in: manifest, partial)
        let before = manifest
        for index in manifest.sinks.indices {
            repair(&manifest.sinks[index], files: &owned[index], manifest.format, &finding)
        }
        for file in missing { file.note(in: &manifest) }
        settleAccounts(&manifest, files: owned, before)
        leftovers(files, owned.flatMap { $0 }, &finding)
        finding.outcome = .published
        guard !dryRun else { return true }
        try setAside(files, owned.flatMap { $0 }, &manifest, &finding)
        let sealed = try store.seal(manifest, files: owned, in: partial)
        finding.problems += zip(sealed.manifest.sinks, manifest.sinks).filter {
            $0.state == .failed && $1.state != .failed
        }.compactMap(\.0.error)
        let keepsPartial = !finding.problems.isEmpty
        let result = try store.publish(sealed, from: partial, keepPartial: keepsPartial)
        if keepsPartial { try leave(manifest, as: result.name, partial) }
        finding.name = result.name
        onRecovery(result)
        return true
    }

    /// Returns true if the machine was started since a moment of the call.
    /// Compares the boot named in the manifest, or else the time.
    func wasStarted(since moment: Date?) -> Bool {
        if let boot, let current = Lease.boot { return boot != current }
        return FileSystem.isBeforeBoot(moment)
    }

    /// Returns the names in the call's directory, without the private directories of sinks' programs.
    private func names() throws(DiskError) -> [String] {
        try FileSystem.list(directory).map(\.name).filter { !LentFile.isDirectoryName($0) }
    }

    /// Takes back the files sinks' programs were writing. Such a program may have outlived the server,
    /// and must not change a published file.
    private func takeBackLent(_ manifest: Recording) throws(DiskError) {
        for root in [nil] + manifest.roots.sorted().map(Optional.some) {
            for file in LentFile.all(in: RecordingLayout.partialDirectory(of: id, in: root ?? store.directory)) {
                do throws(SinkError) {
                    try file.recover()
                } catch {
                    throw DiskError(error.reason, underlying: error.underlying)
                }
            }
        }
    }

    /// Saves the published name in the call's directory. If the recording is deleted later,
    /// the files left behind must not restore it.
    func leave(_ manifest: Recording, as name: String, _ partial: PartialRecording) throws(DiskError) {
        var manifest = manifest
        manifest.publishedAs = name
        try save(manifest, in: partial)
    }

    /// Saves the manifest before the first file is changed, so that another run finds the same.
    /// If the disk is full, spends the reserve.
    func save(_ manifest: Recording, in partial: PartialRecording) throws(DiskError) {
        do {
            try store.save(manifest, in: partial)
        } catch  where error.isFullDisk {
            store.spendReserve()
            try store.save(manifest, in: partial)
        }
        store.reach(.saved)
    }

    /// Sets the call's end, if the program had not written it, to the last time the call is known to have run.
    /// The end is saved before any repair, because repairs change the times of files.
    private mutating func close(_ manifest: inout Recording, _ files: [CallFile]) {
        guard manifest.endedAt == nil else { return }
        let signs = [lastSign] + files.map { FileSystem.modified(store.path($0, of: id)) }
        // A file's time may be set to any value, so the present is the latest end.
        let last = min(signs.compactMap { $0 }.max() ?? manifest.startedAt, Clocks.current.date)
        manifest.endedAt = max(manifest.startedAt, last)
        manifest.endReason = manifest.endReason ?? "interrupted: the program ended while the call was running"
    }
}
