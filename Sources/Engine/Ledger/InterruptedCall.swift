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
    /// The boot under which the call ran, if its ledger names one.
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
        let found = FoundLedger(of: id, in: directory)
        let known: CallLedger?
        if let found { known = found.ledger } else { known = try rebuilt(names, &finding) }
        guard var ledger = known else { return !finding.setAside.isEmpty }
        boot = ledger.boot
        let partial = PartialRecording(
            id: id, name: ledger.name, partName: ledger.partName, directory: directory, lock: lock)
        finding.name = ledger.name
        store.fileMode = FileSystem.mode(of: partial.ledgerPath) ?? store.fileMode
        if !dryRun { try takeBackLent(ledger) }
        if try wasDeleted(ledger, names, &finding) { return true }
        if let published = try published(as: ledger) {
            let files = files(of: ledger, names, &finding)
            try finish(published, ledger, partial, files, &finding, onRecovery)
            return true
        }
        try takeBack(ledger, publishedAs: found?.publishing)
        var files = files(of: ledger, try self.names(), &finding)
        let missing = missing(of: ledger, files)
        finding.problems += missing.map(\.reason)
        guard finding.problems.isEmpty || settles else { return true }
        close(&ledger, files)
        let empty = takeEmpty(&files, of: &ledger)
        if !dryRun {
            try save(ledger, in: partial)
            remove(empty)
        }
        var owned = ownership(of: files, in: ledger, partial)
        let before = ledger
        for index in ledger.sinks.indices {
            repair(&ledger.sinks[index], files: &owned[index], ledger.format, &finding)
        }
        for file in missing { file.note(in: &ledger) }
        settleAccounts(&ledger, files: owned, before)
        leftovers(files, owned.flatMap { $0 }, &finding)
        finding.outcome = .published
        guard !dryRun else { return true }
        try setAside(files, owned.flatMap { $0 }, &ledger, &finding)
        let sealed = try store.seal(ledger, files: owned, in: partial)
        finding.problems += zip(sealed.ledger.sinks, ledger.sinks).filter {
            $0.state == .ended(.failed) && $1.state != .ended(.failed)
        }.compactMap(\.0.error)
        let keepsPartial = !finding.problems.isEmpty
        let result = try store.publish(sealed, from: partial, keepPartial: keepsPartial)
        if keepsPartial { try leave(ledger, as: result.name, partial) }
        finding.name = result.name
        onRecovery(result)
        return true
    }

    /// Returns true if the machine was started since a moment of the call.
    /// Compares the boot named in the ledger, or else the time.
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
    private func takeBackLent(_ ledger: CallLedger) throws(DiskError) {
        for root in [nil] + ledger.roots.sorted().map(Optional.some) {
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
    func leave(_ ledger: CallLedger, as name: String, _ partial: PartialRecording) throws(DiskError) {
        var ledger = ledger
        ledger.publishedAs = name
        try save(ledger, in: partial)
    }

    /// Saves the ledger before the first file is changed, so that another run finds the same.
    /// If the disk is full, spends the reserve.
    func save(_ ledger: CallLedger, in partial: PartialRecording) throws(DiskError) {
        do {
            try store.save(ledger, in: partial)
        } catch  where error.isFullDisk {
            store.spendReserve()
            try store.save(ledger, in: partial)
        }
        store.reach(.saved)
    }

    /// Sets the call's end, if the program had not written it, to the last time the call is known to have run.
    /// The end is saved before any repair, because repairs change the times of files.
    private mutating func close(_ ledger: inout CallLedger, _ files: [CallFile]) {
        ledger.endReason = ledger.endReason ?? "interrupted: the program ended while the call was running"
        guard ledger.endedAt == nil else { return }
        let signs = [lastSign] + files.map { FileSystem.modified(store.path($0, of: id)) }
        // A file's time may be set to any value, so the present is the latest end.
        let last = min(signs.compactMap { $0 }.max() ?? ledger.startedAt, Clocks.current.date)
        ledger.endedAt = max(ledger.startedAt, last)
    }
}
