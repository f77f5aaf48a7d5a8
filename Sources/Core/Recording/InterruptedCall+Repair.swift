import Foundation

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

// The repair of an interrupted call's files, and its account.
extension InterruptedCall {
    /// Makes a sink's files whole. A file that its sink cannot make whole stays where it is, and its sink has failed.
    func repair(_ sink: inout Recording.Sink, files: inout [CallFile], _ format: AudioFormat, _ finding: inout Recovery.Finding) {
        var whole: [CallFile] = []
        let known = sink.files
        for var file in files {
            do throws(SinkError) {
                let path = store.path(file, of: id), shape = sink.format ?? format
                let entry = known.first { $0.directory == file.root && $0.name == file.name }
                if let entry, isSealed(path, as: entry) {
                    // It was finished and measured: nothing needs to look into it.
                    file.frames = entry.frames
                    whole.append(file)
                    finding.files.append((file.name, entry.frames, "is whole"))
                    continue
                }
                let cut = try cutUnwritten(path, sink.type, shape, synced: entry?.bytes ?? 0)
                let result = try registry[sink.type]?.repair(path, shape, dryRun)
                if !dryRun { store.reach(.repaired) }
                // Of a file that nothing can look into, a finished sink has said what it holds.
                file.frames = result?.frames ?? entry?.frames
                whole.append(file)
                let change = [cut > 0 ? "\(cut) bytes cut that were never written" : nil, result?.change].compactMap { $0 }.joined(separator: ", ")
                let note = result == nil ? unrepaired(sink.type) : change.isEmpty ? "is whole" : change
                finding.files.append((file.name, result?.frames, note))
            } catch {
                sink.state = .failed
                sink.error = error.description
                sink.blame = error.blame
                finding.problems.append(error.description)
            }
        }
        files = whole
    }

    /// Whether a file is, to the byte, what its finished sink left.
    private func isSealed(_ path: String, as entry: Recording.File) -> Bool {
        guard let sha256 = entry.sha256, FileSystem.size(path) == entry.bytes else { return false }
        return (try? FileSystem.measure(path).sha256) == sha256
    }

    /// What becomes of a file that nothing could look into.
    private func unrepaired(_ type: String) -> String {
        let reason = registry[type] == nil ? "this program has no sink \"\(type)\"" : "sinks of type \"\(type)\" offer no repair"
        return "is published as it stands: \(reason)"
    }

    /// Cuts zeros off the end of a file that a power cut has left there, and returns how many bytes.
    ///
    /// A file system may make a file's length durable before the data of its last block: what it had no data for reads as zeros. Only
    /// zeros in the last block are cut, only behind what was synced, and only if the machine was started since the file was written.
    /// Silence of the call's own may be among them: it cannot be told apart, and a power cut may take it.
    private func cutUnwritten(_ path: String, _ type: String, _ format: AudioFormat, synced: Int) throws(SinkError) -> Int {
        guard wasStarted(since: FileSystem.modified(path)), let tail = UnwrittenTail(path), tail.begin < tail.end else { return 0 }
        let begin = max(tail.begin, synced)
        guard begin < tail.end else { return 0 }
        // Streams of an encoder end in what they end in.
        if let decoded = try? registry[type]?.decode(path, format, { _ in }), !decoded.isLossless { return 0 }
        if !dryRun {
            guard unsafe truncate(path, off_t(begin)) == 0 else { throw SinkError(.write, "cannot cut \(path)", underlying: errno) }
        }
        return tail.end - begin
    }

    /// Closes the accounts: the call is as long as its longest file, or as the program has said.
    ///
    /// The manifest of the running call says what is silence, masked or left out; what is in the files, the files say.
    func settleAccounts(_ manifest: inout Recording, files owned: [[CallFile]], _ before: Recording) {
        let placed = manifest.sinks.indices.map { index in
            Self.stretches(of: owned[index], manifest.sinks[index], manifest)
        }
        let isUnchanged = manifest.sinks.indices.map { index in
            manifest.sinks[index].state != .failed && before.sinks[index].isClosed(with: owned[index])
        }
        let reached = zip(placed, isUnchanged).map { $1 ? 0 : $0.last?.upperBound ?? 0 }.max() ?? 0
        manifest.framesReceived = max(manifest.framesReceived, reached)
        let pauses = manifest.pauses
        for index in manifest.sinks.indices {
            if isUnchanged[index] {
                let error = manifest.sinks[index].error
                manifest.sinks[index] = before.sinks[index]
                manifest.sinks[index].error = error
                continue
            }
            let hasFailed = manifest.sinks[index].state == .failed && before.sinks[index].state != .failed
            manifest.sinks[index].state = hasFailed ? .failed : manifest.framesReceived == 0 ? .empty : .recovered
            manifest.sinks[index].settle(held: FrameRanges(placed[index]), received: manifest.framesReceived, pauses: pauses)
        }
    }

    /// Where on the call's timeline each file of a sink stands.
    static func stretches(of files: [CallFile], _ sink: Recording.Sink, _ manifest: Recording) -> [Range<Int>] {
        let shape = sink.format ?? manifest.format
        // A file's length in another rate is known to a frame of that rate.
        let slack = shape.sampleRate == manifest.format.sampleRate ? 0 : manifest.format.sampleRate / shape.sampleRate + 1
        let skips = (sink.ranges?.skipped ?? FrameRanges()).union(FrameRanges(sink.onPause == .skip ? manifest.pauses : []))
        var stretches: [Range<Int>] = []
        for file in files {
            var start = file.start ?? stretches.last?.upperBound ?? 0
            if file.start == nil, let skip = skips.ranges.first(where: { $0.lowerBound - slack <= start && start < $0.upperBound }) {
                start = skip.upperBound
            }
            // What lies between two files because of the rounding is in the first of them.
            if let last = stretches.last, last.upperBound < start, start - last.upperBound <= slack {
                stretches[stretches.count - 1] = last.lowerBound..<start
            }
            stretches.append(start..<start + manifest.format.frames(file.frames ?? 0, of: shape))
        }
        return stretches
    }
}

extension Recording.Sink {
    /// Whether its account was closed by the program that recorded the call, and its files are as they were then.
    fileprivate func isClosed(with files: [CallFile]) -> Bool {
        guard state != .recording, state != .stalled, self.files.count == files.count else { return false }
        return zip(self.files, files).allSatisfy { $0.name == $1.name && $0.directory == $1.root && $0.frames == $1.frames }
    }

    /// Closes the account of a sink whose files hold these stretches of the call.
    mutating func settle(held stretches: FrameRanges, received: Int, pauses: [Range<Int>]) {
        let call = 0..<received
        let held = stretches.clamped(to: call)
        func inFiles(_ list: FrameRanges) -> FrameRanges { list.subtracting(list.subtracting(held)) }
        let paused = FrameRanges(pauses)
        let silence = inFiles(ranges?.silence ?? FrameRanges())
        let masked = inFiles((ranges?.masked ?? FrameRanges()).union((onPause ?? .silence) == .silence ? paused : FrameRanges())).subtracting(silence)
        let skipped = (ranges?.skipped ?? FrameRanges()).union(onPause == .skip ? paused : FrameRanges()).clamped(to: call).subtracting(held)
        let lost = FrameRanges([call]).subtracting(held).subtracting(skipped)
        func list(_ frames: FrameRanges) -> FrameRanges? { frames.isEmpty ? nil : frames }
        var ranges = Recording.Ranges()
        ranges.silence = list(silence)
        ranges.masked = list(masked)
        ranges.skipped = list(skipped)
        ranges.lost = list(lost)
        self.ranges = ranges
        written = held.frames - silence.frames - masked.frames
        self.silence = silence.frames
        self.masked = list(masked)?.frames
        self.skipped = list(skipped)?.frames
        self.lost = lost.frames
    }
}

/// The zeros at the end of a file, as far as its last block reaches.
private struct UnwrittenTail {
    /// The first of the zeros.
    let begin: Int
    /// The end of the file.
    let end: Int

    init?(_ path: String) {
        var status = stat()
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        guard unsafe fstat(descriptor, &status) == 0, status.st_size > 0 else { return nil }
        let size = Int(status.st_size), block = max(512, min(Int(status.st_blksize), 1 << 20))
        let start = (size - 1) / block * block
        var bytes = [UInt8](repeating: 0, count: size - start)
        let count = unsafe pread(descriptor, &bytes, bytes.count, off_t(start))
        guard count == bytes.count else { return nil }
        begin = start + (bytes.lastIndex { $0 != 0 } ?? -1) + 1
        end = size
    }
}
