import CallreelCore

extension Recording.Sink {
    /// The frames in the sink's files, and the skipped frames, in words.
    var account: String {
        var parts = ["\(written) written", "\(silence) silenced"]
        if let masked { parts.append("\(masked) masked") }
        if let skipped { parts.append("\(skipped) skipped") }
        if let cut { parts.append("\(cut) cut") }
        return parts.joined(separator: " + ")
    }

    /// Returns the frames by which the files may differ from the account.
    /// At another rate, each part, and the audio behind each cut, begins with its own frame.
    func tolerance(in recording: Recording) -> Int {
        hasOwnRate(in: recording) ? files.count + (ranges?.cut?.ranges.count ?? 0) : 0
    }

    private func hasOwnRate(in recording: Recording) -> Bool {
        format.map { $0.sampleRate != recording.format.sampleRate } ?? false
    }

    /// Returns the range of the call in each file; nil if the manifest does not state it.
    func stretches(in recording: Recording) -> [Range<Int>]? {
        // Manifests of older programs state no places.
        // If no audio was left out before the end, the files follow each other.
        let isContinuous =
            files.allSatisfy { $0.start == nil } && (skipped ?? 0) == 0 && (lost == 0 || files.count <= 1)
        var stretches: [Range<Int>] = []
        for file in files {
            guard let frames = file.frames,
                let start = file.start?.frames ?? (isContinuous ? stretches.last?.upperBound ?? 0 : nil)
            else {
                return nil
            }
            let end = (ranges?.cut ?? FrameRanges()).position(
                behind: frames, from: start, in: format ?? recording.format, of: recording.format)
            stretches.append(start..<end)
        }
        return stretches
    }

    /// Returns the contradictions in the sink's account. Reads no file.
    func accountProblems(in recording: Recording) -> [String] {
        let all = recording.framesReceived
        guard lost >= 0 else {
            return ["\(lost) lost frames are negative: it holds more than the \(all) received"]
        }
        guard accounted == all else { return ["\(account) + \(lost) lost frames do not add up to the \(all) received"] }
        guard let ranges else { return [] }
        var problems: [String] = []
        let lists = [
            ("silence", ranges.silence, silence), ("masked", ranges.masked, masked ?? 0),
            ("skipped", ranges.skipped, skipped ?? 0), ("cut", ranges.cut, cut ?? 0),
            ("lost", ranges.lost, lost),
        ]
        var together = FrameRanges(), sum = 0
        for (name, list, total) in lists {
            let list = list ?? FrameRanges()
            if list.frames != total { problems.append("its \(name) ranges are \(list.frames) frames, not \(total)") }
            if let end = list.end, end > all {
                problems.append("its \(name) ranges end at frame \(end), after the \(all) received")
            }
            together = together.union(list)
            sum += list.frames
        }
        if together.frames != sum { problems.append("its ranges overlap") }
        guard problems.isEmpty, let stretches = stretches(in: recording), !files.isEmpty else { return problems }
        // At another rate, a file's length is known only to one frame of that rate at either end.
        let slack = hasOwnRate(in: recording) ? 2 * (recording.format.sampleRate / (format?.sampleRate ?? 1) + 1) : 0
        let outsideOfFiles = (ranges.skipped ?? FrameRanges()).union(ranges.lost ?? FrameRanges())
        let absent = outsideOfFiles.union(ranges.cut ?? FrameRanges())
        var position = 0
        for (file, stretch) in zip(files, stretches).sorted(by: { $0.1.lowerBound < $1.1.lowerBound }) {
            if stretch.lowerBound < position - slack {
                problems.append(
                    "\(file.name) begins at frame \(stretch.lowerBound), before the previous file ends")
            }
            let gap = FrameRanges([min(position, stretch.lowerBound)..<stretch.lowerBound]).subtracting(absent)
            if gap.frames > slack, let first = gap.ranges.first {
                problems.append("the frames \(first), before \(file.name), are not accounted for")
            }
            position = max(position, stretch.upperBound)
        }
        if position > all + slack { problems.append("its files end at frame \(position), after the \(all) received") }
        let rest = FrameRanges([min(position, all)..<all]).subtracting(absent)
        if rest.frames > slack, let first = rest.ranges.first {
            problems.append("the frames \(first), after its last file, are not accounted for")
        }
        if slack == 0 {
            let held = FrameRanges(stretches)
            let outside = outsideOfFiles.frames - outsideOfFiles.subtracting(held).frames
            if outside > 0 { problems.append("its files hold \(outside) frames that it states as skipped or lost") }
            let silent = (ranges.silence ?? FrameRanges()).union(ranges.masked ?? FrameRanges()).subtracting(held)
                .frames
            if silent > 0 { problems.append("\(silent) silent frames are in no file") }
        }
        return problems
    }
}
