extension CallAccount {
    /// Refuses values that Callreel never writes: a file may be damaged or made by another program.
    func check() throws(ManifestError) {
        try Limit.frames.expect(framesReceived, "framesReceived")
        try Limit.bytes.expect(leftoverBytes, "leftoverBytes")
        try Limit.number.expect(malformedMessages, "malformedMessages")
        try Limit.number.expect(droppedEvents, "droppedEvents")
        try ManifestError.demand(path: name, "name")
        for event in events { try Limit.frames.expect(event.frame.frames, "the frame of the event \"\(event.type)\"") }
        for sink in sinks { try sink.check() }
        for file in deliveries?.flatMap({ $0.files ?? [] }) ?? [] {
            try ManifestError.demand(path: file.name, "the file of a delivery")
            try Limit.bytes.expect(file.bytes, "\(file.name): bytes")
        }
        try checkOwn()
    }
}

extension SinkEntry {
    fileprivate func check() throws(ManifestError) {
        let place = "sink \(name): "
        try Limit.frames.expect(written, place + "written")
        try Limit.frames.expect(silence, place + "silence")
        try Limit.frames.expect(masked ?? 0, place + "masked")
        try Limit.frames.expect(skipped ?? 0, place + "skipped")
        try Limit.frames.expect(cut ?? 0, place + "cut")
        // Negative if a sink holds more frames than were received. Verification reports that.
        try Limit.frames.expect(abs(max(lost, -.max)), place + "lost")
        for list in [ranges?.silence, ranges?.masked, ranges?.skipped, ranges?.cut, ranges?.lost] {
            try Limit.frames.expect(list?.end ?? 0, place + "the end of its ranges")
        }
        for file in files {
            try ManifestError.demand(path: file.name, place + "file")
            if let directory = file.directory { try ManifestError.demand(directory: directory, place + "directory") }
            try Limit.bytes.expect(file.bytes, "\(file.name): bytes")
            try Limit.frames.expect(file.frames ?? 0, "\(file.name): frames")
            try Limit.frames.expect(file.start?.frames ?? 0, "\(file.name): start")
        }
    }
}

/// The largest value of a number in an account.
private enum Limit: Int {
    /// Frames: eleven years at 48 kHz. No sum or conversion of such numbers overflows.
    case frames = 0x1000_0000_0000
    /// Bytes of one file: a petabyte.
    case bytes = 0x4_0000_0000_0000
    /// Other counts.
    case number = 0x7FFF_FFFF_FFFF_FFFF

    func expect(_ value: Int, _ what: String) throws(ManifestError) {
        guard 0...rawValue ~= value else { throw ManifestError("\(what) is \(value), not in 0...\(rawValue)") }
    }
}

extension ManifestError {
    /// Throws unless a path stays under its directory.
    package static func demand(path: String, _ what: String) throws(ManifestError) {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        guard !path.contains("\0"), !parts.contains(where: { $0.isEmpty || $0 == "." || $0 == ".." }) else {
            throw ManifestError("\(what) \(path.debugDescription) is not a path under its directory")
        }
    }

    /// Throws unless a directory is an absolute path.
    package static func demand(directory: String, _ what: String) throws(ManifestError) {
        guard directory.hasPrefix("/"), !directory.contains("\0") else {
            throw ManifestError("\(what) \(directory.debugDescription) is not an absolute path")
        }
    }
}
