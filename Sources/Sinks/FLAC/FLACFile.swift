import CallreelCore

/// A FLAC file as it was left: its STREAMINFO, and where its audio begins.
struct FLACFile {
    /// Blocks of metadata that a file may have; ours has three.
    private static let maximumMetadataBlocks = 1024

    /// The open file.
    let file: StoredFile
    /// What it says of itself.
    let info: FLACStreamInfo
    /// Where its first FLAC frame begins, which may be the end of the file.
    let audioOffset: Int

    /// Reads the metadata. What is not 16-bit FLAC of this format is an error.
    init(_ path: String, format: AudioFormat) throws(SinkError) {
        file = try StoredFile(path)
        let incomplete = file.withoutAudio("its metadata is not complete")
        let start = FLACStreamInfo.offset
        let head = try file.bytes(at: 0, count: start + FLACStreamInfo.byteCount)
        let model = Array("fLaC".utf8)
        guard head.prefix(4).elementsEqual(model.prefix(head.count)) else { throw file.damaged("not a FLAC file") }
        guard head.count == start + FLACStreamInfo.byteCount else { throw incomplete }
        guard head[4] & 0x7F == 0, head[5...7].elementsEqual([0, 0, UInt8(FLACStreamInfo.byteCount)]) else {
            throw file.damaged("its first metadata block is not a STREAMINFO")
        }
        info = FLACStreamInfo(Array(head[start...]))
        guard info.sampleRate == format.sampleRate, info.channels == format.channels, info.bitsPerSample == 16 else {
            throw file.damaged(
                "\(info.sampleRate) Hz in \(info.channels) channels with \(info.bitsPerSample) bits, where the call had \(format)")
        }
        var position = head.count, isLast = head[4] & 0x80 != 0, blocks = 1
        while !isLast {
            let header = try file.bytes(at: position, count: 4)
            guard header.count == 4 else { throw incomplete }
            position += 4 + header[1...].reduce(0) { $0 << 8 | Int($1) }
            isLast = header[0] & 0x80 != 0
            blocks += 1
            guard position <= file.byteCount else { throw incomplete }
            guard blocks <= Self.maximumMetadataBlocks else { throw file.damaged("its metadata does not end") }
        }
        audioOffset = position
    }

    /// Whether the file says how long it is, and its last FLAC frame is whole, ends where the file ends, and is the one
    /// that this length ends with.
    ///
    /// That costs one read at the end. It does not look at the audio before: damage there is for decoding to find, and
    /// not for a repair to mend.
    func endsAsItSays() throws(SinkError) -> Bool {
        guard info.isFinished else { return false }
        let length = min(file.byteCount - audioOffset, info.largestFrame)
        let bytes = try file.bytes(at: file.byteCount - length, count: length)
        var candidates = 64
        for start in bytes.indices.reversed() where bytes[start] == 0xFF && candidates > 0 {
            guard let header = FLACFrameHeader(bytes[start...].prefix(FLACFrameHeader.maximumBytes), channels: info.channels) else { continue }
            candidates -= 1
            guard FLACFrameHeader.crc16(bytes[start...]) == 0 else { continue }
            return (header.isVariable ? header.number : header.number * info.maximumBlock) + header.blockSize == info.total
        }
        return false
    }

    /// Looks behind a place where no whole FLAC frame stands for another one.
    /// - Returns: whether there is one, and where the last byte stands that is not zero, so far as was looked.
    func wholeFrame(after offset: Int, start: Int) throws(SinkError) -> (isFound: Bool, contentEnd: Int) {
        var contentEnd = offset, candidates = 256
        let piece = 1 << 16, overlap = FLACFrameHeader.maximumBytes
        for position in stride(from: offset, to: file.byteCount, by: piece) {
            let bytes = try file.bytes(at: position, count: piece + overlap)
            if let last = bytes.lastIndex(where: { $0 != 0 }) { contentEnd = max(contentEnd, position + last + 1) }
            for index in bytes.indices.prefix(piece) where bytes[index] == 0xFF && position + index > offset {
                guard FLACFrameHeader(bytes[index...].prefix(FLACFrameHeader.maximumBytes), channels: info.channels) != nil else { continue }
                candidates -= 1
                guard candidates > 0 else { throw file.damaged("too much damage after byte \(offset)") }
                if try isWholeFrame(at: position + index, start: start) { return (true, contentEnd) }
            }
        }
        return (false, contentEnd)
    }

    /// Whether a whole FLAC frame stands at a place, of audio that is not before a given frame.
    private func isWholeFrame(at offset: Int, start: Int) throws(SinkError) -> Bool {
        do throws(CodecFailure) {
            var decoder = try FLACDecoder(file, from: offset, info: info.unfinished)
            guard case .block(let block) = try decoder.next() else { return false }
            return block.start >= start
        } catch {
            throw error.sinkError(.open, "cannot examine \(file.path)")
        }
    }
}
