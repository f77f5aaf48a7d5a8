public import CallreelCore

extension WAVSink {
    /// Makes the header say what the file holds, and cuts off a part of a frame at the end.
    ///
    /// Whatever point it is ended at, running it again finishes: the audio's length is taken from the file's, not from
    /// a size that was half written. Chunks behind the audio of a file that was closed are respected.
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

    /// Decodes with libsndfile, after the header was compared with the file: libsndfile reads what there is and says nothing.
    ///
    /// 16-bit samples come back from 24-bit integers and from floating point as they were. G.711 is not lossless.
    public static func decode(_ path: String, format: AudioFormat, into body: (Span<Int16>) -> Void) throws(SinkError) -> DecodedFile? {
        let file = try StoredFile(path)
        let layout = try WAVLayout(file, format: format)
        if let change = layout.change { throw file.damaged("its header and its length do not agree (\(change))") }
        var frames = 0
        do throws(AudioFileError) {
            // Through floating point in ±1 unless the file is 16-bit: for the integers of 24-bit files libsndfile would cut,
            // and for floating point scale by 32767.
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
        guard frames == layout.frames else { throw file.damaged("\(frames) of \(layout.frames) frames could be decoded") }
        return DecodedFile(frames: frames, isLossless: layout.encoding.keepsSamples)
    }
}

extension WAVEncoding {
    /// Whether 16-bit samples come out as they went in.
    fileprivate var keepsSamples: Bool {
        switch self {
        case .pcm16, .pcm24, .float: true
        case .ulaw, .alaw: false
        }
    }
}

extension WAVLayout {
    /// What is to be changed, in words; nil when the file is whole.
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

    /// Writes what is to be changed.
    ///
    /// The pad byte comes last: before the sizes are right, it could be taken for a frame.
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
