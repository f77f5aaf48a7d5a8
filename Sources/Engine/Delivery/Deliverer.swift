import CallreelCore
import Foundation
import Logging
import Synchronization

/// Delivers finished recordings, beside the calls and without holding any of them up.
///
/// What is to be delivered stands in the manifests. A recording comes here when it is published or recovered, from the
/// outbox at the start, and from the scan of the archive. An attempt locks the recording's directory in the outbox and
/// reads the manifest again, so several servers may share a recordings directory.
final class Deliverer: Sendable {
    /// Time after which a recording is looked at again that another server is delivering.
    private static let busyWait = Duration.seconds(10)
    /// The age of a recording at which other servers may deliver it too.
    private static let othersWait = Duration.seconds(60)
    /// The longest wait for files of stalled sinks.
    private static let lateFilesWait = Duration.seconds(300)
    /// Time after the deadline in which a cancelled attempt may end without a word.
    private static let grace = Duration.seconds(30)
    /// Longest sleep while something waits. The clock may be set, and other servers may end.
    private static let nap = Duration.seconds(1)

    let stations: [DeliveryStation]
    private let outbox: Outbox
    private let home: StorageDirectory
    private let manifests: LateEvents
    private let bell = Bell()
    /// Threads for manifests and the outbox.
    private let disk = BlockingExecutor(name: "outbox", isBackground: true)

    /// Makes the deliverer of a recorder.
    /// - Parameter manifests: changes published manifests.
    init(
        _ deliveries: [ReadyDelivery], store: RecordingStore, home: StorageDirectory, manifests: LateEvents,
        metrics: RecorderMetrics
    ) {
        stations = deliveries.map { DeliveryStation($0, metrics: metrics) }
        outbox = Outbox(store: store)
        self.home = home
        self.manifests = manifests
    }

    /// Takes a published recording, if anything is to be delivered of it. Never blocks.
    /// - Parameters:
    ///   - isOwn: false for one that the scan of the archive has found. If it is new, another server has just published
    ///     it, may still change its manifest, and delivers it itself, so it waits for a while.
    ///   - isSettled: false if files of stalled sinks may still come. It waits for them for a while.
    func add(_ recording: Recording, isOwn: Bool = true, isSettled: Bool = true) {
        for entry in recording.deliveries ?? [] where entry.state == .pending {
            guard let station = stations.first(where: { $0.ready.name == entry.name }) else { continue }
            var item = DeliveryQueue.Item(id: recording.id, recording: recording.name)
            let age = Duration.seconds(Clocks.current.date.timeIntervalSince(recording.endedAt))
            if !isOwn, age < Self.othersWait {
                item.due = Clocks.current.now + min(Self.othersWait, Self.othersWait - age)
            }
            if !isSettled { item.due = Clocks.current.now + Self.lateFilesWait }
            if station.add(item) { bell.ring() }
        }
    }

    /// Starts a further thread where all are stuck. The heartbeat calls this.
    func relieve() {
        for station in stations { station.executor.relieve() }
        disk.relieve()
    }

    /// Delivers recordings until the task is cancelled. Attempts under way are cancelled then, and not waited for.
    func run() async {
        guard !stations.isEmpty else { return }
        await withTaskCancellationHandler {
            await takeUp()
            while !Task.isCancelled {
                let now = Clocks.current.now
                for station in stations {
                    while let item = station.take(now: now) { begin(item, station) }
                }
                guard let next = stations.compactMap(\.next).min() else {
                    await bell.wait()
                    continue
                }
                // A ring ends the nap only at its end: a new recording may wait for a second while others do.
                try? await Task.sleep(for: max(.milliseconds(20), min(Self.nap, next - Clocks.current.now)))
            }
        } onCancel: {
            bell.ring()
        }
        for station in stations { for task in station.state.withLock({ Array($0.running.values) }) { task.cancel() } }
    }

    /// Takes up what the last program left in the outbox.
    private func takeUp() async {
        let found = try? await home.run(on: disk, takesLong: true) { [outbox] () throws(DiskError) in
            outbox.all.filter { key, note in
                let isThere = FileSystem.exists("\(outbox.store.directory)/\(note.recording).json")
                if !isThere { outbox.remove(key, ofDeleted: note.recording) }
                return isThere
            }
        }
        for (key, note) in found ?? [] {
            let station = stations.first { $0.ready.name == key.delivery }
            _ = station?.add(.init(id: key.id, recording: note.recording, attempts: note.attempts))
        }
    }

    private func begin(_ item: DeliveryQueue.Item, _ station: DeliveryStation) {
        // Not a child task: a blocked delivery can be neither cancelled nor awaited, and must not hold up the end.
        station.state.withLock { state in
            state.running[item.id] = Task { [self] in
                await attempt(item, station)
                bell.ring()
            }
        }
    }

    // MARK: - One attempt

    /// What an attempt finds on the disk.
    private enum Situation: Sendable {
        /// The recording is to be delivered, after so many failed attempts. The lock is held as long as this value is.
        case pending(Recording, DirectoryLock, attempts: Int)
        /// Another server is delivering.
        case busy
        /// The recording was deleted, or delivered by another server, or was never to be delivered.
        case over
    }

    private func attempt(_ item: DeliveryQueue.Item, _ station: DeliveryStation) async {
        let situation: Situation
        do throws(DiskError) {
            situation = try await home.run(on: disk) { [self] () throws(DiskError) in try look(item, station) }
        } catch {
            return await fail(item, station, DeliveryError("\(error)"), isLocal: true)
        }
        switch situation {
        case .busy: station.putOff(item, for: Self.busyWait)
        case .over: station.finish(item, wasDelivered: false)
        case .pending(let manifest, let lock, let attempts):
            var item = item
            item.attempts = max(item.attempts, attempts)
            let recording = PublishedRecording(manifest, in: outbox.store.directory, attempt: item.attempts + 1)
            do throws(DeliveryError) {
                let receipt = try await deliver(recording, station)
                try await settle(receipt, manifest, item, station)
                station.finish(item, wasDelivered: true)
                if item.attempts > 0 {
                    station.ready.logger.notice(
                        "delivered after failures",
                        metadata: ["recording": "\(item.recording)", "attempts": "\(item.attempts + 1)"])
                }
            } catch {
                await fail(item, station, error)
            }
            withExtendedLifetime(lock) {}
        }
    }

    /// Looks at a recording and locks it. Blocks.
    private func look(_ item: DeliveryQueue.Item, _ station: DeliveryStation) throws(DiskError) -> Situation {
        let key = key(item, station)
        try outbox.open(key)
        guard let lock = try DirectoryLock(existing: outbox.place(key)) else { return .busy }
        guard FileSystem.exists("\(outbox.store.directory)/\(item.recording).json") else {
            outbox.remove(key, ofDeleted: item.recording)
            return .over
        }
        let manifest: Recording
        do { manifest = try outbox.store.manifest(named: item.recording) } catch {
            throw DiskError("the manifest \(item.recording).json cannot be read: \(error)")
        }
        let entries = manifest.deliveries ?? []
        if manifest.id == item.id, entries.contains(where: { $0.name == station.ready.name && $0.state == .pending }) {
            let note = outbox.note(key)
            if note == nil { try outbox.write(.init(recording: item.recording), key) }
            return .pending(manifest, lock, attempts: note?.attempts ?? 0)
        }
        outbox.remove(key)
        return .over
    }

    private func key(_ item: DeliveryQueue.Item, _ station: DeliveryStation) -> Outbox.Key {
        Outbox.Key(id: item.id, delivery: station.ready.name)
    }

    /// Calls the delivery, and cancels it at the deadline.
    private func deliver(
        _ recording: PublishedRecording, _ station: DeliveryStation
    ) async throws(DeliveryError) -> DeliveryReceipt {
        let ready = station.ready
        // The deadline begins when the attempt has a thread.
        let begun = Bell()
        let work = Task(executorPreference: station.executor) {
            begun.ring()
            return try await ready.delivery.deliver(recording)
        }
        let deadline = ready.envelope.deadline, isLate = Mutex(false)
        let timer = Task {
            await begun.wait()
            try await Task.sleep(for: .seconds(deadline))
            isLate.withLock { $0 = true }
            work.cancel()
            try await Task.sleep(for: Self.grace)
            station.noteStuck()
            ready.logger.error(
                "delivery ignores its deadline: it keeps its place", metadata: ["recording": "\(recording.name)"])
        }
        let result = await withTaskCancellationHandler {
            await work.result
        } onCancel: {
            work.cancel()
        }
        timer.cancel()
        switch result {
        case .success(let receipt): return receipt
        case .failure(let error):
            if isLate.withLock({ $0 }) { throw DeliveryError("it took longer than \(deadline) seconds: \(error)") }
            throw error as? DeliveryError ?? DeliveryError("\(error)")
        }
    }

    /// Puts the attachments beside the recording, and notes the delivery in the manifest.
    private func settle(
        _ receipt: DeliveryReceipt, _ manifest: Recording, _ item: DeliveryQueue.Item, _ station: DeliveryStation
    ) async throws(DeliveryError) {
        let name = station.ready.name, key = key(item, station)
        for attachment in receipt.attachments where !Self.isSuffix(attachment.suffix) {
            throw DeliveryError("\"\(attachment.suffix)\" is not allowed as the ending of an attachment")
        }
        do throws(DiskError) {
            let files = try await home.run(on: disk, takesLong: true) { [outbox] () throws(DiskError) in
                var files: [DeliveryEntry.File] = []
                for attachment in receipt.attachments {
                    files.append(try outbox.attach(attachment, of: key, to: manifest.name))
                }
                return files
            }
            let now = Clocks.current.date
            try await manifests.amend(item.recording) { manifest in
                for index in (manifest.deliveries ?? []).indices where manifest.deliveries?[index].name == name {
                    manifest.deliveries?[index].state = .delivered
                    manifest.deliveries?[index].at = now
                    manifest.deliveries?[index].attempts = item.attempts + 1
                    manifest.deliveries?[index].details = receipt.details.isEmpty ? nil : receipt.details
                    manifest.deliveries?[index].files = files.isEmpty ? nil : files
                }
            }
            try await home.run(on: disk) { [outbox] () throws(DiskError) in outbox.remove(key) }
        } catch {
            throw DeliveryError("it was delivered, but that cannot be noted: \(error)")
        }
    }

    /// The rule of a sink's files.
    private static func isSuffix(_ suffix: String) -> Bool {
        !suffix.isEmpty && !suffix.contains("/") && !suffix.contains("\0") && !suffix.hasPrefix(".")
            && suffix.lowercased().split(separator: ".").first != "json" && suffix.utf8.count <= 64
    }

    private func fail(
        _ item: DeliveryQueue.Item, _ station: DeliveryStation, _ error: DeliveryError, isLocal: Bool = false
    ) async {
        // A program that is ending cancels its deliveries. That is no failure of the destination.
        guard !Task.isCancelled else { return }
        let (item, wait) = station.fail(item, error, isLocal: isLocal)
        // The log shows the 1st, 2nd, 4th, 8th failure and so on.
        if item.attempts & (item.attempts - 1) == 0 {
            station.ready.logger.error(
                "delivery failed: it will be tried again",
                metadata: [
                    "recording": "\(item.recording)", "reason": "\(error)", "attempts": "\(item.attempts)",
                    "wait.seconds": "\(Int(wait / .seconds(1)))",
                ])
        }
        let note = Outbox.Note(
            recording: item.recording, attempts: item.attempts, error: error.description, at: Clocks.current.date)
        let key = key(item, station)
        // Without the note, the count of attempts begins anew at the next start.
        try? await home.run(on: disk) { [outbox] () throws(DiskError) in try outbox.write(note, key) }
    }
}
