import CallreelCore

/// A sound file with its length in the header, and the length it really has: WAV, CAF, AIFF, Wave64, RF64 or AU.
///
/// After a kill, the header states the length at the last checkpoint, and more audio follows.
/// The header is therefore trusted only for the start of the audio and the frame size.
/// The number of frames follows from the file's length. In a closed file, a pad byte may follow the audio, and whole
/// chunks may follow that of a WAV.
struct SizedSoundFile {
    private let file: StoredFile
    private let sizes: SoundFileSizes
    /// The format of the call's audio.
    private let format: AudioFormat
    /// The file's container and encoding.
    let kind: SoundKind
    /// Bytes of one frame.
    private let frameBytes: Int
    /// Whole frames in the file.
    let frames: Int
    /// The header states the right length, and something follows the audio.
    private let isClosed: Bool

    /// Reads the header.
    /// - Parameters:
    ///   - containers: the containers that are accepted.
    ///   - name: the name of these containers in an error.
    /// - Throws: an error if the file is not one of these kinds, or not in this format.
    init(_ file: StoredFile, format: AudioFormat, of containers: [SoundKind.Container], named name: String)
        throws(SinkError)
    {
        self.file = file
        self.format = format
        guard let sizes = try SoundFileSizes(file, of: containers) else { throw file.damaged("not a \(name) file") }
        let found: (kind: SoundKind?, format: AudioFormat)
        do {
            // If the header is behind, libsndfile would take audio after the counted part for chunks.
            let patches = (try? UncountedAudio(file, sizes))?.patches ?? []
            let isPlain = patches.isEmpty && file.hasDescriptor
            let sound = try SoundFile(reading: file.path, patched: isPlain ? nil : CodecInput(file, patches: patches))
            found = (sound.kind, sound.format)
        } catch {
            throw file.damaged(error.reason)
        }
        guard let kind = found.kind, kind.container == sizes.container, let sample = kind.bytesPerSample else {
            throw file.damaged("not a file of samples in an encoding that Callreel writes")
        }
        guard found.format == format else { throw file.damaged("\(found.format), but the call had \(format)") }
        self.sizes = sizes
        self.kind = kind
        frameBytes = sample * format.channels
        let available = file.byteCount - sizes.dataOffset
        // One byte more than whole frames may be the pad. The outermost size counts the pad once the file is closed.
        let isPadded =
            sizes.hasPad && sizes.statedBytes == available - 1 && !sizes.statedBytes.isMultiple(of: 2)
            && sizes.statesEnd(file.byteCount)
        let hasChunks = try sizes.hasChunksAfterAudio(file)
        isClosed = sizes.statedBytes.isMultiple(of: frameBytes) && (isPadded || hasChunks)
        frames = (isClosed ? sizes.statedBytes : available) / frameBytes
        guard sizes.canState(frames * frameBytes) else {
            throw file.damaged("\(file.byteCount) bytes are more than its header can state")
        }
    }

    /// Makes the header match the file, and brings the file to stable storage.
    func repair(dryRun: Bool) throws(SinkError) -> FileRepair {
        let change = change
        if !dryRun {
            if change == nil { try file.synchronize() } else { try settle(frames: frames) }
        }
        return FileRepair(frames: frames, bytesCut: bytesCut, change: change, audioStart: sizes.dataOffset)
    }

    /// Decodes the file with libsndfile. The header must match the file.
    func decode(into body: (Span<Int16>) -> Void) throws(SinkError) -> DecodedFile {
        if let change { throw file.damaged("its header and its length do not agree (\(change))") }
        let decoded = try AudioFileReader.decode(file, format, into: body)
        guard decoded == frames else { throw file.damaged("\(decoded) of \(frames) frames could be decoded") }
        return DecodedFile(frames: frames, isLossless: kind.keepsSamples)
    }

    /// Bytes after the last whole frame, to be cut.
    private var bytesCut: Int { max(0, file.byteCount - end(frames)) }

    /// The changes that a repair would make, in words. Nil if the file is whole.
    private var change: String? {
        var parts: [String] = []
        if sizes.statedBytes != frames * frameBytes {
            parts.append("length in the header from \(sizes.statedBytes / frameBytes) to \(frames) frames")
        } else if !wrong(frames).isEmpty {
            parts.append("sizes in the header")
        }
        if bytesCut > 0 { parts.append("torn frame cut (\(bytesCut) of \(frameBytes) bytes)") }
        if lacksPad(frames) { parts.append("a pad byte added") }
        return parts.isEmpty ? nil : parts.joined(separator: ", ")
    }

    /// Makes the header state a number of frames, and cuts the bytes after them. The file must hold those frames.
    ///
    /// The pad byte is written last: before the sizes are right, a reader could take it for a frame.
    func settle(frames: Int) throws(SinkError) {
        let end = end(frames), wrong = wrong(frames), pad = lacksPad(frames)
        guard sizes.dataOffset + frames * frameBytes <= file.byteCount else {
            throw file.damaged("holds \(self.frames) of \(frames) frames")
        }
        if wrong.isEmpty, !pad, end == file.byteCount { return }
        try file.change { writer throws(SinkError) in
            if end < file.byteCount { try writer.truncate(to: end) }
            for field in wrong {
                try writer.write(field.bytes(sizes.dataOffset, frames * frameBytes, frames, end), at: field.offset)
            }
            guard pad else { return }
            try writer.synchronize()
            try writer.write([0], at: end - 1)
        }
    }

    /// Returns the file's length with so many frames.
    private func end(_ frames: Int) -> Int {
        if isClosed, frames == self.frames { return file.byteCount }
        let bytes = frames * frameBytes
        return sizes.dataOffset + bytes + (sizes.hasPad ? bytes % 2 : 0)
    }

    private func lacksPad(_ frames: Int) -> Bool { end(frames) > file.byteCount }

    /// Returns the sizes in the header that do not match a number of frames.
    private func wrong(_ frames: Int) -> [SoundFileSizes.Field] {
        sizes.fields.filter { $0.found != $0.bytes(sizes.dataOffset, frames * frameBytes, frames, end(frames)) }
    }
}
