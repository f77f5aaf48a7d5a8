import CallreelCore
import Foundation

// The repair of an interrupted call's files, and its account.
extension InterruptedCall {
    /// Repairs a sink's files. If a repair fails, the file stays in its place and the sink has failed.
    func repair(
        _ sink: inout CallLedger.Sink, files: inout [CallFile], _ format: AudioFormat, _ finding: inout Recovery.Finding
    ) {
        var whole: [CallFile] = []
        let known = sink.files
        for var file in files {
            do throws(SinkError) {
                let path = store.path(file, of: id), shape = sink.format ?? format
                let entry = known.first { $0.directory == file.root && $0.name == file.name }
                if let entry, isSealed(path, as: entry) {
                    // The file was finished and measured, so it needs no repair.
                    file.frames = entry.frames
                    whole.append(file)
                    finding.files.append((file.name, entry.frames, "is complete"))
                    continue
                }
                let cut = try cutUnwritten(path, sink.type, shape, synced: entry?.bytes ?? 0)
                let result = try registry[sink.type]?.repair(path, shape, dryRun)
                if !dryRun { store.reach(.repaired) }
                // If no repair can read the file, use the frame count of its finished sink.
                file.frames = result?.frames ?? entry?.frames
                whole.append(file)
                let change = [cut > 0 ? "\(cut) unwritten bytes cut" : nil, result?.change].compactMap {
                    $0
                }.joined(separator: ", ")
                let note = result == nil ? unrepaired(sink.type) : change.isEmpty ? "is complete" : change
                finding.files.append((file.name, result?.frames, note))
            } catch {
                sink.state = .ended(.failed)
                sink.error = error.description
                sink.blame = error.blame
                finding.problems.append(error.description)
            }
        }
        files = whole
    }

    /// Returns true if a file is unchanged since its sink finished, by length and SHA-256.
    private func isSealed(_ path: String, as entry: CallLedger.File) -> Bool {
        guard let sha256 = entry.sha256, FileSystem.size(path) == entry.bytes else { return false }
        return (try? FileSystem.measure(path).sha256) == sha256
    }

    /// Returns the note on a file no sink can repair.
    private func unrepaired(_ type: String) -> String {
        let reason =
            registry[type] == nil ? "this program has no sink \"\(type)\"" : "sinks of type \"\(type)\" have no repair"
        return "is published without repair: \(reason)"
    }

    /// Cuts the zeros left by a power cut off the end of a file. Returns the number of bytes cut.
    ///
    /// A file system may store a file's new length before the data of its last block.
    /// The missing data reads as zeros. Callreel cuts only zeros in the last
    /// block and beyond the synced bytes, and only if the machine was restarted after the last write.
    /// The cut may include the call's own silence, which looks the same. A power cut may cost this much.
    private func cutUnwritten(_ path: String, _ type: String, _ format: AudioFormat, synced: Int) throws(SinkError)
        -> Int
    {
        guard wasStarted(since: FileSystem.modified(path)), let tail = UnwrittenTail(path), tail.begin < tail.end else {
            return 0
        }
        // A file that no repair can read stays as it is, and so does the beginning of every file: the header of a FLAC
        // or of a silent WAV ends in zeros.
        guard let audioStart = try registry[type]?.repair(path, format, true)?.audioStart else { return 0 }
        let begin = max(tail.begin, synced, audioStart)
        guard begin < tail.end else { return 0 }
        // A lossy encoder's stream may end in zeros of its own.
        if let decoded = try? registry[type]?.decode(path, format, { _ in }), !decoded.isLossless { return 0 }
        if !dryRun {
            do throws(ErrorNumber) {
                try FileSystem.disk.open(path, FileOpening(.write)).truncate(to: begin)
            } catch {
                throw SinkError(.write, "cannot cut \(path)", underlying: error.value)
            }
        }
        return tail.end - begin
    }

    /// Closes the accounts. The call is as long as its longest file, or longer if the ledger says so.
    ///
    /// The ledger tells the silent, masked and skipped frames. The files tell the frames they hold.
    func settleAccounts(_ ledger: inout CallLedger, files owned: [[CallFile]], _ before: CallLedger) {
        closePause(&ledger, files: owned)
        let placed = ledger.sinks.indices.map { index in
            Self.stretches(of: owned[index], ledger.sinks[index], ledger)
        }
        let isUnchanged = ledger.sinks.indices.map { index in
            ledger.sinks[index].state != .ended(.failed) && before.sinks[index].isClosed(with: owned[index])
        }
        let reached = zip(placed, isUnchanged).map { $1 ? 0 : $0.last?.upperBound ?? 0 }.max() ?? 0
        ledger.framesReceived = max(ledger.framesReceived, reached)
        for index in ledger.sinks.indices {
            if isUnchanged[index] {
                let error = ledger.sinks[index].error
                ledger.sinks[index] = before.sinks[index]
                ledger.sinks[index].error = error
                continue
            }
            let hasFailed =
                ledger.sinks[index].state == .ended(.failed) && before.sinks[index].state != .ended(.failed)
            ledger.sinks[index].state = .ended(
                hasFailed ? .failed : ledger.framesReceived == 0 ? .empty : .recovered)
            ledger.settle(index, files: FrameRanges(placed[index]))
        }
    }

    /// Ends a pause that the ledger leaves open, where the files have sound again. The program may have died between
    /// the end of the pause and the next save of its ledger.
    private func closePause(_ ledger: inout CallLedger, files owned: [[CallFile]]) {
        guard let pause = ledger.openPause else { return }
        for (sink, files) in zip(ledger.sinks, owned) where sink.onPause != .record {
            let found = files.compactMap { sound(in: $0, of: sink, from: pause, ledger.format) }.min()
            guard let found else { continue }
            ledger.events.append(
                CallEvent(
                    frame: FramePosition(found), at: ledger.startedAt + ledger.format.seconds(frames: found),
                    type: CallEvent.resumed))
            return
        }
    }

    /// Returns the call's frame, from a frame of it on, at which a sink's file first has sound. Nil if it has none, or
    /// cannot be decoded to the call's frames.
    private func sound(
        in file: CallFile, of sink: CallLedger.Sink, from pause: Int, _ format: AudioFormat
    ) -> Int? {
        let shape = sink.format ?? format
        guard let start = file.start, shape.sampleRate == format.sampleRate, sink.filters == nil else { return nil }
        // A part that begins behind the pause's first frame has nothing of the pause.
        if sink.onPause == .skip { return start > pause ? start : nil }
        var frame = start, rest = 0, found: Int?
        let decoded = try? registry[sink.type]?.decode(store.path(file, of: id), shape) { samples in
            if found == nil, frame + (rest + samples.count) / shape.channels > pause {
                for index in samples.indices where samples[index] != 0 {
                    let place = frame + (rest + index) / shape.channels
                    if place >= pause {
                        found = place
                        break
                    }
                }
            }
            rest += samples.count
            frame += rest / shape.channels
            rest %= shape.channels
        }
        return decoded?.isLossless == false ? nil : found
    }

    /// Returns the position of each of a sink's files on the call's timeline, in frames.
    static func stretches(of files: [CallFile], _ sink: CallLedger.Sink, _ ledger: CallLedger) -> [Range<Int>] {
        let shape = sink.format ?? ledger.format
        // At another sample rate, a file's length is exact only to one frame of that rate.
        let slack =
            shape.sampleRate == ledger.format.sampleRate ? 0 : ledger.format.sampleRate / shape.sampleRate + 1
        let skips = (sink.ranges?.skipped ?? FrameRanges()).union(
            FrameRanges(sink.onPause == .skip ? ledger.pauses : []))
        var stretches: [Range<Int>] = []
        for file in files {
            var start = file.start ?? stretches.last?.upperBound ?? 0
            if file.start == nil,
                let skip = skips.ranges.first(where: { $0.lowerBound - slack <= start && start < $0.upperBound })
            {
                start = skip.upperBound
            }
            // A gap caused by rounding is added to the file before it.
            if let last = stretches.last, last.upperBound < start, start - last.upperBound <= slack {
                stretches[stretches.count - 1] = last.lowerBound..<start
            }
            let end = (sink.ranges?.cut ?? FrameRanges()).position(
                behind: file.frames ?? 0, from: start, in: shape, of: ledger.format)
            stretches.append(start..<end)
        }
        return stretches
    }
}

extension CallLedger.Sink {
    /// Returns true if the recording program closed the account and the files are unchanged since.
    fileprivate func isClosed(with files: [CallFile]) -> Bool {
        guard state != .recording, state != .ended(.stalled), self.files.count == files.count else { return false }
        return zip(self.files, files).allSatisfy {
            $0.name == $1.name && $0.directory == $1.root && $0.frames == $1.frames
        }
    }
}

/// The zeros at the end of a file, within its last block.
private struct UnwrittenTail {
    /// The offset of the first zero.
    let begin: Int
    /// The file's length in bytes.
    let end: Int

    init?(_ path: String) {
        guard let file = try? FileSystem.open(path, FileOpening(.read, followsLinks: false)),
            let status = try? file.status(), status.bytes > 0
        else { return nil }
        let size = status.bytes, block = max(512, min(status.blockSize, 1 << 20))
        let start = (size - 1) / block * block
        var bytes = [UInt8](repeating: 0, count: size - start)
        let count = unsafe bytes.withUnsafeMutableBytes { unsafe try? file.read(at: start, into: $0) }
        guard count == bytes.count else { return nil }
        begin = start + (bytes.lastIndex { $0 != 0 } ?? -1) + 1
        end = size
    }
}
