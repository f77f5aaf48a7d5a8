import CallreelCore
import Foundation
import Logging
import Synchronization

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

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
        let (known, partial, manifest, reports) = state.withLock { state in
            (state.sealed, state.partial, settled(state), state.reports)
        }
        guard let partial else { throw DiskError("nothing could be recorded") }
        do throws(DiskError) {
            let sealed: SealedRecording
            if let known {
                sealed = known
            } else {
                sealed = try await home.run(on: environment.sealer, takesLong: true) {
                    [store] () throws(DiskError) in
                    try store.seal(manifest, files: reports.map { $0?.files ?? [] }, in: partial)
                }
                state.withLock { $0.sealed = sealed }
            }
            // An abandoned sink may still write, so its files stay in the partial directory.
            let isAwaited = reports.contains { $0 == nil }
            let published = try await home.run(on: ledger) { [store] () throws(DiskError) in
                try store.publish(sealed, from: partial, keepPartial: isAwaited)
            }
            logger.info(
                "call recorded",
                metadata: [
                    "recording": "\(published.name)", "frames": "\(published.framesReceived)",
                    "end": "\(published.endReason ?? "")",
                    "sinks": "\(published.sinks.map { "\($0.name) \($0.state.rawValue)" }.joined(separator: ", "))",
                ])
            count(published)
            let complete = await complete(published)
            if isAwaited || !lateFiles.isEmpty { await leaveNote(complete, manifest, partial) }
            if isSettled { letGo() }
            return complete
        } catch {
            if error.isFullDisk { await ledger.run { [store] in store.spendReserve() } }
            throw error
        }
    }

    /// Adds the facts and events received during publication to the published manifest, until none are missing.
    /// Later ones belong to the published recording.
    private func complete(_ published: Recording) async -> Recording {
        var published = published
        while true {
            let known = published
            let more = state.withLock { state -> Recording? in
                var next = known
                next.events = state.manifest.events
                next.droppedEvents = state.manifest.droppedEvents
                next.call = state.manifest.call
                next.maskedEvents = state.manifest.maskedEvents
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
                try await home.run(on: ledger) { [store] () throws(DiskError) in try store.update(more) }
            } catch {
                logger.error(
                    "events came too late to be kept", metadata: ["recording": "\(more.name)", "reason": "\(error)"])
            }
            published = more
        }
    }

    /// Saves the published name in the partial directory. If the recording is deleted later,
    /// its late files must not restore it.
    private func leaveNote(_ published: Recording, _ manifest: Recording, _ partial: PartialRecording) async {
        var note = manifest
        note.publishedAs = published.name
        let places = state.withLock { $0.places }
        for (index, places) in places.enumerated() {
            note.sinks[index].files = places.flatMap(\.files).map {
                Recording.File(name: $0.name, directory: $0.root, bytes: 0)
            }
        }
        let last = note
        do {
            try await home.run(on: ledger) { [store] () throws(DiskError) in try store.save(last, in: partial) }
        } catch {
            logger.error("the manifest of a call with late files could not be saved", metadata: ["reason": "\(error)"])
        }
    }

    // MARK: - Late files

    /// Closed files missing from the published manifest, by sink index.
    /// Excludes empty files, and files Callreel could not sync.
    var lateFiles: [Int: [CallFile]] {
        state.withLock { state in
            // Without a partial directory, there is nothing left to do.
            guard let published = state.published, let sealed = state.sealed, let partial = state.partial else {
                return [:]
            }
            var late: [Int: [CallFile]] = [:]
            for (index, report) in state.reports.enumerated() {
                let named = Set(published.sinks[index].files.map { Self.path($0.directory, $0.name) })
                let files = (report?.files ?? []).filter { file in
                    !named.contains(Self.path(file.root, partial.publishedName(file.name, as: published.name)))
                        && !sealed.broken.contains(file)
                        && !sealed.empty.contains(file)
                }
                if !files.isEmpty { late[index] = files }
            }
            return late
        }
    }

    private static func path(_ root: String?, _ name: String) -> String { "\(root ?? "")/\(name)" }

    /// True when the call is published, every sink has reported, and no late files are left.
    var isSettled: Bool {
        let isOver = state.withLock { state in state.published != nil && !state.reports.contains { $0 == nil } }
        return isOver && lateFiles.isEmpty
    }

    /// Gives the files of a late sink their published names. Blocks.
    /// - Returns: the recording's name and the sink's new manifest entry;
    ///   nil if the call is not published or already settled.
    /// - Throws: `ENOENT` if the published manifest was deleted.
    func linkLate(_ files: [CallFile], of index: Int) throws(DiskError) -> (name: String, sink: Recording.Sink)? {
        let (partial, published, account) = state.withLock { state in (state.partial, state.published, settled(state)) }
        guard let partial, let published else { return nil }
        let path = "\(store.directory)/\(published.name).json"
        guard FileSystem.exists(path) else {
            throw DiskError("\(path) was published and is there no more", underlying: ENOENT)
        }
        var sink = account.sinks[index]
        sink.files = published.sinks[index].files + (try store.add(files, from: partial, to: published.name))
        sink.directories = nil
        return (published.name, sink)
    }

    /// Updates the session after the published manifest names a late sink's files,
    /// and removes their partial names. Blocks.
    func noteLate(_ files: [CallFile], of index: Int, _ sink: Recording.Sink) {
        let partial = state.withLock { state in
            state.published?.sinks[index] = sink
            return state.partial
        }
        if let partial { store.dropNames(partial, of: files, roots: Set(files.compactMap(\.root))) }
        logger.notice("late files were published", metadata: ["sink.name": "\(plans[index].name)"])
    }

    /// Removes the partial directories of a settled call. Blocks.
    func discardPartial() {
        let (sealed, partial) = state.withLock { ($0.sealed, $0.partial) }
        if let sealed, let partial, sealed.broken.isEmpty {
            store.discard(partial, files: sealed.files, roots: sealed.roots)
        }
        letGo()
    }

    /// Releases the call's directory and lock. Also releases the places, because they retain this session.
    private func letGo() {
        state.withLock { state in
            state.partial = nil
            state.places = []
        }
    }
}
