import CallreelCore
import Foundation
import Logging
import Synchronization

// The publication of an ended call.
extension CallSession {
    /// Publishing attempts before the call's connection is released. The recorder makes further attempts later.
    private static let attempts = 3

    /// Publishes the recording. Tries up to three times, one second apart.
    /// After the last failure, the files stay in the partial directory.
    func publish() async throws(DiskError) -> Recording {
        var attempt = 1
        while true {
            do throws(DiskError) {
                return try await tryPublish()
            } catch {
                let directory = state.withLock { $0.partial?.directory } ?? ""
                logger.error(
                    "publishing failed",
                    metadata: ["reason": "\(error)", "attempt": "\(attempt)", "files": "\(directory)"])
                guard attempt < Self.attempts else { throw error }
                attempt += 1
                try? await Task.sleep(for: .seconds(1))
            }
        }
    }

    /// Tries once to publish the recording. Files are synced and measured only the first time.
    /// - Throws: the reason publishing is impossible now.
    func tryPublish() async throws(DiskError) -> Recording {
        let reports = sinks.map(\.report)
        let (known, partial, ledger) = state.withLock { ($0.sealed, $0.partial, settled($0.ledger, reports)) }
        guard let partial else { throw DiskError("the call could not be recorded") }
        do throws(DiskError) {
            let sealed: SealedRecording
            if let known {
                sealed = known
            } else {
                sealed = try await home.run(on: sealer, takesLong: true) {
                    [store] () throws(DiskError) in
                    try store.seal(ledger, files: reports.map { $0?.files ?? [] }, in: partial)
                }
                state.withLock { $0.sealed = sealed }
            }
            // An abandoned sink may still write, so its files stay in the partial directory.
            let isAwaited = reports.contains { $0 == nil }
            let published = try await home.run(on: writers) { [store] () throws(DiskError) in
                try store.publish(sealed, from: partial, keepPartial: isAwaited)
            }
            logger.info(
                "call recorded",
                metadata: [
                    "recording": "\(published.name)", "frames": "\(published.framesReceived)",
                    "end": "\(published.endReason)",
                    "sinks": "\(published.sinks.map { "\($0.name) \($0.state.rawValue)" }.joined(separator: ", "))",
                ])
            count(published)
            let complete = await complete(published)
            if isAwaited || !lateFiles.isEmpty { await leaveNote(complete, ledger, partial) }
            if isSettled { letGo() }
            return complete
        } catch {
            if error.isFullDisk { await writers.run { [store] in store.spendReserve() } }
            throw error
        }
    }

    /// Returns the ledger with the final account of every sink.
    private func settled(_ ledger: CallLedger, _ reports: [SinkReport?]) -> CallLedger {
        var ledger = ledger
        for (sink, report) in zip(sinks, reports) { sink.settle(&ledger, report) }
        return ledger
    }

    /// Adds the facts and events received during publication to the published manifest, until none are missing.
    /// Later ones belong to the published recording.
    private func complete(_ published: Recording) async -> Recording {
        var published = published
        while true {
            let known = published
            let more = state.withLock { state -> Recording? in
                var next = known
                next.events = state.ledger.events
                next.droppedEvents = state.ledger.droppedEvents
                next.call = state.ledger.call
                next.maskedEvents = state.ledger.maskedEvents
                if next.events == known.events, next.droppedEvents == known.droppedEvents,
                    next.maskedEvents == known.maskedEvents,
                    next.call == known.call
                {
                    state.published = known
                    return nil
                }
                return next
            }
            guard let more else { return published }
            do {
                try await home.run(on: writers) { [store] () throws(DiskError) in try store.update(more) }
            } catch {
                logger.error(
                    "events arrived too late: not kept", metadata: ["recording": "\(more.name)", "reason": "\(error)"])
            }
            published = more
        }
    }

    /// Saves the published name in the partial directory. If the recording is deleted later,
    /// its late files must not restore it.
    private func leaveNote(_ published: Recording, _ ledger: CallLedger, _ partial: PartialRecording) async {
        var note = ledger
        note.publishedAs = published.name
        for sink in sinks { sink.enterFiles(in: &note) }
        let last = note
        do {
            try await home.run(on: writers) { [store] () throws(DiskError) in try store.save(last, in: partial) }
        } catch {
            logger.error("could not save the manifest of a call with late files", metadata: ["reason": "\(error)"])
        }
    }

    // MARK: - Late files

    /// The sinks with closed files missing from the published manifest, and these files.
    /// Excludes empty files, and files Callreel could not sync.
    var lateFiles: [(sink: CallSink, files: [CallFile])] {
        let reports = sinks.map(\.report)
        return state.withLock { state in
            // Without a partial directory, there is nothing left to do.
            guard let published = state.published, let sealed = state.sealed, let partial = state.partial else {
                return []
            }
            return zip(sinks, reports).compactMap { sink, report in
                let named = Set(published.sinks[sink.index].files.map { Self.path($0.directory, $0.name) })
                let files = (report?.files ?? []).filter { file in
                    !named.contains(Self.path(file.root, partial.publishedName(file.name, as: published.name)))
                        && !sealed.broken.contains(file)
                        && !sealed.empty.contains(file)
                }
                return files.isEmpty ? nil : (sink, files)
            }
        }
    }

    private static func path(_ root: String?, _ name: String) -> String { "\(root ?? "")/\(name)" }

    /// True when the call is published, every sink has reported, and no late files are left.
    var isSettled: Bool {
        state.withLock { $0.published != nil } && sinks.allSatisfy { $0.report != nil } && lateFiles.isEmpty
    }

    /// Gives the files of a late sink their published names. Blocks.
    /// - Returns: the recording's name and the sink's new manifest entry;
    ///   nil if the call is not published or already settled.
    /// - Throws: `ENOENT` if the published manifest was deleted.
    func linkLate(_ files: [CallFile], of sink: CallSink) throws(DiskError) -> (name: String, entry: Recording.Sink)? {
        let report = sink.report
        let (partial, published, ledger) = state.withLock { ($0.partial, $0.published, $0.ledger) }
        guard let partial, let published else { return nil }
        let path = "\(store.directory)/\(published.name).json"
        guard FileSystem.exists(path) else {
            throw DiskError("\(path) was published but is missing now", underlying: ENOENT)
        }
        var account = ledger
        sink.settle(&account, report)
        account.sinks[sink.index].files = []
        var entry = try account.sinks[sink.index].published()
        entry.files = published.sinks[sink.index].files + (try store.add(files, from: partial, to: published.name))
        return (published.name, entry)
    }

    /// Updates the session after the published manifest names a late sink's files,
    /// and removes their partial names. Blocks.
    func noteLate(_ files: [CallFile], of sink: CallSink, _ entry: Recording.Sink) {
        let partial = state.withLock { state in
            state.published?.sinks[sink.index] = entry
            return state.partial
        }
        if let partial { store.dropNames(partial, of: files, roots: Set(files.compactMap(\.root))) }
        logger.notice("late files published", metadata: ["sink.name": "\(sink.name)"])
    }

    /// Removes the partial directories of a settled call. Blocks.
    func discardPartial() {
        let (sealed, partial) = state.withLock { ($0.sealed, $0.partial) }
        if let sealed, let partial, sealed.broken.isEmpty {
            store.discard(partial, files: sealed.files, roots: sealed.roots)
        }
        letGo()
    }

    /// Releases the call's directory and lock.
    private func letGo() { state.withLock { $0.partial = nil } }
}
