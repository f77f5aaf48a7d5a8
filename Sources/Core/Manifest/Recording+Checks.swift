extension Recording {
    /// Limit of frames in a manifest: eleven years at 48 kHz. No sum or conversion of such numbers overflows.
    static let frameLimit = 1 << 44
    /// Limit in bytes for one file in a manifest: a petabyte.
    static let byteLimit = 1 << 50

    /// Refuses values that Callreel never writes: a manifest may be damaged or made by another program.
    func check() throws(ManifestError) {
        try Self.expect(framesReceived, "framesReceived", atMost: Self.frameLimit)
        try Self.expect(leftoverBytes, "leftoverBytes", atMost: Self.byteLimit)
        try Self.expect(malformedMessages, "malformedMessages", atMost: .max)
        try Self.expect(droppedEvents, "droppedEvents", atMost: .max)
        try Self.expect(path: name, "name")
        if let publishedAs { try Self.expect(path: publishedAs, "publishedAs") }
        if let partName { try Self.expect(path: partName, "partName") }
        for event in events {
            try Self.expect(event.frame.frames, "the frame of the event \"\(event.type)\"", atMost: Self.frameLimit)
        }
        for sink in sinks {
            let place = "sink \(sink.name): "
            try Self.expect(sink.written, place + "written", atMost: Self.frameLimit)
            try Self.expect(sink.silence, place + "silence", atMost: Self.frameLimit)
            try Self.expect(sink.masked ?? 0, place + "masked", atMost: Self.frameLimit)
            try Self.expect(sink.skipped ?? 0, place + "skipped", atMost: Self.frameLimit)
            // Negative if a sink holds more frames than were received. Verification reports that.
            try Self.expect(abs(max(sink.lost, -.max)), place + "lost", atMost: Self.frameLimit)
            let ranges = [sink.ranges?.silence, sink.ranges?.masked, sink.ranges?.skipped, sink.ranges?.lost]
            for list in ranges {
                try Self.expect(list?.end ?? 0, place + "the end of its ranges", atMost: Self.frameLimit)
            }
            for directory in sink.directories ?? [] { try Self.expect(directory: directory, place + "directories") }
            for file in sink.files {
                try Self.expect(path: file.name, place + "file")
                if let directory = file.directory { try Self.expect(directory: directory, place + "directory") }
                try Self.expect(file.bytes, "\(file.name): bytes", atMost: Self.byteLimit)
                try Self.expect(file.frames ?? 0, "\(file.name): frames", atMost: Self.frameLimit)
                try Self.expect(file.start?.frames ?? 0, "\(file.name): start", atMost: Self.frameLimit)
            }
        }
    }

    private static func expect(_ value: Int, _ what: String, atMost limit: Int) throws(ManifestError) {
        guard 0...limit ~= value else { throw ManifestError("\(what) is \(value), not in 0...\(limit)") }
    }

    /// Throws unless a path stays under its directory.
    private static func expect(path: String, _ what: String) throws(ManifestError) {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        guard !path.contains("\0"), !parts.contains(where: { $0.isEmpty || $0 == "." || $0 == ".." }) else {
            throw ManifestError("\(what) \(path.debugDescription) is not a path under its directory")
        }
    }

    private static func expect(directory: String, _ what: String) throws(ManifestError) {
        guard directory.hasPrefix("/"), !directory.contains("\0") else {
            throw ManifestError("\(what) \(directory.debugDescription) is not an absolute path")
        }
    }
}
