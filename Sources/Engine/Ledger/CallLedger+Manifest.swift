package import CallreelCore

// From the ledger to the published manifest, and back.
extension CallLedger {
    /// Returns the manifest of the ended call.
    /// - Parameters:
    ///   - name: the published name of the recording.
    ///   - named: gives a file of the ledger its published name.
    /// - Throws: an error if the call, a sink or a file has not come to its end.
    package func manifest(as name: String, named: (String) -> String = { $0 }) throws(DiskError) -> Recording {
        guard let endedAt, let endReason else { throw DiskError("the call \(name) cannot be published before its end") }
        var manifest = Recording(
            id: id, name: name, call: call, format: format, startedAt: startedAt, ended: (endedAt, endReason))
        manifest.program = program
        manifest.framesReceived = framesReceived
        manifest.leftoverBytes = leftoverBytes
        manifest.malformedMessages = malformedMessages
        manifest.droppedEvents = droppedEvents
        manifest.maskedEvents = maskedEvents
        manifest.events = events
        manifest.deliveries = deliveries
        manifest.skippedEntries = skippedEntries
        for sink in sinks { manifest.sinks.append(try sink.published(named)) }
        return manifest
    }

    /// Takes up a published call again, to change its account.
    package init(reopening manifest: Recording) {
        self.init(
            id: manifest.id, name: manifest.name, call: manifest.call, format: manifest.format,
            startedAt: manifest.startedAt, sinks: manifest.sinks.map(Sink.init(reopening:)))
        program = manifest.program
        endedAt = manifest.endedAt
        endReason = manifest.endReason
        framesReceived = manifest.framesReceived
        leftoverBytes = manifest.leftoverBytes
        malformedMessages = manifest.malformedMessages
        droppedEvents = manifest.droppedEvents
        maskedEvents = manifest.maskedEvents
        events = manifest.events
        deliveries = manifest.deliveries
        skippedEntries = manifest.skippedEntries
    }
}

extension CallLedger.Sink {
    /// Returns the published entry of an ended sink.
    /// - Parameter named: gives a file its published name.
    func published(_ named: (String) -> String = { $0 }) throws(DiskError) -> Recording.Sink {
        guard case .ended(let outcome) = state else {
            throw DiskError("the sink \(name) cannot be published before its end")
        }
        var sink = Recording.Sink(type: type, name: name, state: outcome)
        sink.written = written
        sink.silence = silence
        sink.masked = masked
        sink.skipped = skipped
        sink.cut = cut
        sink.lost = lost
        sink.ranges = ranges
        sink.heldSeconds = heldSeconds
        sink.stalls = stalls
        sink.format = format
        sink.onPause = onPause
        sink.filters = filters
        for file in files {
            guard let sha256 = file.sha256 else {
                throw DiskError("\(file.name) of the sink \(name) cannot be published before it is measured")
            }
            sink.files.append(
                Recording.File(
                    name: named(file.name), directory: file.directory, bytes: file.bytes, frames: file.frames,
                    start: file.start, sha256: sha256))
        }
        sink.details = details
        sink.error = error
        sink.blame = blame
        return sink
    }

    fileprivate init(reopening sink: Recording.Sink) {
        self.init(type: sink.type, name: sink.name, state: .ended(sink.state))
        written = sink.written
        silence = sink.silence
        masked = sink.masked
        skipped = sink.skipped
        cut = sink.cut
        lost = sink.lost
        ranges = sink.ranges
        heldSeconds = sink.heldSeconds
        stalls = sink.stalls
        format = sink.format
        onPause = sink.onPause
        filters = sink.filters
        files = sink.files.map(CallLedger.File.init(reopening:))
        details = sink.details
        error = sink.error
        blame = sink.blame
    }
}

extension CallLedger.File {
    /// Takes up the entry of a published file.
    init(reopening file: Recording.File) {
        self.init(
            name: file.name, directory: file.directory, bytes: file.bytes, frames: file.frames, start: file.start,
            sha256: file.sha256)
    }
}
