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

// The publication of a call that has ended.
extension CallSession {
    /// Attempts to publish before the call's connection is let go. The recorder tries further ones.
    private static let attempts = 3

    /// Publishes the recording. A disk that refuses is asked again a few times; after that the files wait where they are.
    func publish() async throws(RecordingError) -> Recording {
        var attempt = 1
        while true {
            do throws(RecordingError) {
                return try await tryPublish()
            } catch {
                let directory = state.withLock { $0.partial?.directory } ?? ""
                logger.error("publishing failed", metadata: ["reason": "\(error)", "attempt": "\(attempt)", "files": "\(directory)"])
                guard attempt < Self.attempts else { throw error }
                attempt += 1
                try? await Task.sleep(for: .seconds(1))
            }
        }
    }

    /// Publishes the recording, or says why that is not possible now. Files are synced and measured once.
    func tryPublish() async throws(RecordingError) -> Recording {
        let (known, partial, manifest, reports) = state.withLock { state in (state.sealed, state.partial, settled(state), state.reports) }
        guard let partial else { throw RecordingError("nothing could be recorded") }
        do throws(RecordingError) {
            let sealed: SealedRecording
            if let known {
                sealed = known
            } else {
                sealed = try await home.run(on: environment.sealer) { [store] () throws(RecordingError) in
                    try store.seal(manifest, files: reports.map { $0?.files ?? [] }, in: partial)
                }
                state.withLock { $0.sealed = sealed }
            }
            // A sink that was given up may still write: its files stay where they are.
            let isAwaited = reports.contains { $0 == nil }
            let published = try await home.run(on: ledger) { [store] () throws(RecordingError) in
                try store.publish(sealed, from: partial, keepPartial: isAwaited)
            }
            logger.info(
                "call recorded",
                metadata: [
                    "recording": "\(published.name)", "frames": "\(published.framesReceived)", "end": "\(published.endReason ?? "")",
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

    /// Adds to the published manifest what was said of the call while it was being published, until nothing is left that
    /// it does not say. From then on, what is said belongs to the published recording.
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
                if next.events == known.events, next.droppedEvents == known.droppedEvents, next.maskedEvents == known.maskedEvents,
                    next.call == known.call
                {
                    state.published = known
                    return nil
                }
                return next
            }
            guard let more else { return published }
            do {
                try await home.run(on: ledger) { [store] () throws(RecordingError) in try store.update(more) }
            } catch {
                logger.error("events came too late to be kept", metadata: ["recording": "\(more.name)", "reason": "\(error)"])
            }
            published = more
        }
    }

    /// Keeps in the partial directory under which name the rest of the call was published: if that is deleted, the files that are
    /// still to come must not bring it back.
    private func leaveNote(_ published: Recording, _ manifest: Recording, _ partial: PartialRecording) async {
        var note = manifest
        note.publishedAs = published.name
        let places = state.withLock { $0.places }
        for (index, places) in places.enumerated() {
            note.sinks[index].files = places.flatMap(\.files).map { Recording.File(name: $0.name, directory: $0.root, bytes: 0) }
        }
        let last = note
        do {
            try await home.run(on: ledger) { [store] () throws(RecordingError) in try store.save(last, in: partial) }
        } catch {
            logger.error("the manifest of a call with late files could not be saved", metadata: ["reason": "\(error)"])
        }
    }

    // MARK: - Files that come late

    /// The files that the published manifest does not name, though nothing writes to them any more, by sink. Those that could not be
    /// synced are not among them.
    var lateFiles: [Int: [CallFile]] {
        state.withLock { state in
            // Without a directory, there is nothing left to do.
            guard let published = state.published, let sealed = state.sealed, let partial = state.partial else { return [:] }
            var late: [Int: [CallFile]] = [:]
            for (index, report) in state.reports.enumerated() {
                let named = Set(published.sinks[index].files.map { Self.path($0.directory, $0.name) })
                let files = (report?.files ?? []).filter { file in
                    !named.contains(Self.path(file.root, partial.publishedName(file.name, as: published.name))) && !sealed.broken.contains(file)
                        && !sealed.empty.contains(file)
                }
                if !files.isEmpty { late[index] = files }
            }
            return late
        }
    }

    private static func path(_ root: String?, _ name: String) -> String { "\(root ?? "")/\(name)" }

    /// Whether the call is published, nothing writes any more, and every file that could be is named by the manifest.
    var isSettled: Bool {
        let isOver = state.withLock { state in state.published != nil && !state.reports.contains { $0 == nil } }
        return isOver && lateFiles.isEmpty
    }

    /// Gives the files of a late sink their published names. Returns the recording's name and what its manifest must say of the sink.
    /// Blocks.
    func linkLate(_ files: [CallFile], of index: Int) throws(RecordingError) -> (name: String, sink: Recording.Sink)? {
        let (partial, published, account) = state.withLock { state in (state.partial, state.published, settled(state)) }
        guard let partial, let published else { return nil }
        let path = "\(store.directory)/\(published.name).json"
        guard FileSystem.exists(path) else { throw RecordingError("\(path) was published and is there no more", underlying: ENOENT) }
        var sink = account.sinks[index]
        sink.files = published.sinks[index].files + (try store.add(files, from: partial, to: published.name))
        sink.directories = nil
        return (published.name, sink)
    }

    /// The published manifest names the files of a late sink now. Blocks.
    func noteLate(_ files: [CallFile], of index: Int, _ sink: Recording.Sink) {
        let partial = state.withLock { state in
            state.published?.sinks[index] = sink
            return state.partial
        }
        if let partial { store.dropNames(partial, of: files, roots: Set(files.compactMap(\.root))) }
        logger.notice("late files were published", metadata: ["sink.name": "\(plans[index].name)"])
    }

    /// Removes the partial directories of a call that is settled. Blocks.
    func discardPartial() {
        let (sealed, partial) = state.withLock { ($0.sealed, $0.partial) }
        if let sealed, let partial, sealed.broken.isEmpty { store.discard(partial, files: sealed.files, roots: sealed.roots) }
        letGo()
    }

    /// Lets go of the call's directory and of its lock, and of the places, which hold this session.
    private func letGo() {
        state.withLock { state in
            state.partial = nil
            state.places = []
        }
    }
}

extension RecordingError {
    /// Whether the disk is full, or the user's share of it.
    var isFullDisk: Bool { underlying == ENOSPC || underlying == EDQUOT }

    /// Whether the system lacked something for a moment that has nothing to do with the file.
    var isTransient: Bool { underlying == EMFILE || underlying == ENFILE || underlying == ENOMEM }
}
