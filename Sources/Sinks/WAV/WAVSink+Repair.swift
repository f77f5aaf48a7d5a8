public import CallreelCore

extension WAVSink {
    /// Makes the header match the file, and cuts an incomplete frame at the end.
    ///
    /// After an interruption at any point, the repair can be run again. It computes the audio's length from the file's
    /// length, and not from a half-written size. Chunks after the audio of a closed file are kept.
    public static func repair(_ path: String, format: AudioFormat, dryRun: Bool) throws(SinkError) -> FileRepair? {
        let file = try StoredFile(path)
        let layout = try WAVLayout(file, format: format)
        let change = layout.change
        if !dryRun {
            if change == nil {
                try file.synchronize()
            } else {
                try file.change { writer throws(SinkError) in try layout.apply(writer) }
            }
        }
        return FileRepair(frames: layout.frames, bytesCut: layout.bytesCut, change: change)
    }

    /// Decodes with libsndfile, after comparing the header with the file.
    /// libsndfile itself does not report a difference.
    ///
    /// 16-bit samples return unchanged from 24-bit integers and from floating point. G.711 is lossy.
    public static func decode(_ path: String, format: AudioFormat, into body: (Span<Int16>) -> Void) throws(SinkError)
        -> DecodedFile?
    {
        let file = try StoredFile(path)
        let layout = try WAVLayout(file, format: format)
        if let change = layout.change { throw file.damaged("its header and its length do not agree (\(change))") }
        var frames = 0
        do throws(AudioFileError) {
            // 16-bit files are read as integers, all others through floating point in ±1.
            // As integers, libsndfile would truncate 24-bit samples and scale floating point by 32767.
            var reader = try AudioFileReader(path: path, convertingTo: format)
            while true {
                let samples = try reader.read(maximumFrames: 16384)
                if samples.isEmpty { break }
                frames += samples.count / format.channels
                body(samples.span)
            }
        } catch {
            throw SinkError(.open, error.description)
        }
        guard frames == layout.frames else {
            throw file.damaged("\(frames) of \(layout.frames) frames could be decoded")
        }
        return DecodedFile(frames: frames, isLossless: layout.encoding.keepsSamples)
    }
}

extension WAVEncoding {
    /// True when decoding returns the original 16-bit samples.
    fileprivate var keepsSamples: Bool {
        switch self {
        case .pcm16, .pcm24, .float: true
        case .ulaw, .alaw: false
        }
    }
}

extension WAVLayout {
    /// The changes that a repair would make, in words. Nil if the file is whole.
    fileprivate var change: String? {
        var parts: [String] = []
        if dataSize != dataBytes {
            parts.append("length in the header from \(dataSize / frameBytes) to \(frames) frames")
        } else if riffSize != end - 8 || isFactWrong {
            parts.append("sizes in the header")
        }
        if bytesCut > 0 { parts.append("torn frame cut (\(bytesCut) of \(frameBytes) bytes)") }
        if lacksPad { parts.append("a pad byte added") }
        return parts.isEmpty ? nil : parts.joined(separator: ", ")
    }

    private var isFactWrong: Bool { fact.map { $0.frames != frames } ?? false }

    /// Makes the changes.
    ///
    /// The pad byte is written last: before the sizes are right, a reader could take it for a frame.
    fileprivate func apply(_ writer: borrowing StoredFile.Writer) throws(SinkError) {
        if bytesCut > 0 { try writer.truncate(to: dataOffset + dataBytes) }
        if let fact, isFactWrong { try writer.write(Self.bytes(frames), at: fact.offset) }
        try writer.write(Self.bytes(dataBytes), at: dataOffset - 4)
        try writer.write(Self.bytes(end - 8), at: 4)
        guard lacksPad else { return }
        try writer.synchronize()
        try writer.write([0], at: end - 1)
    }
}
