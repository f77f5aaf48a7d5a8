import CallreelCore

/// A FLAC file left by an earlier process: its STREAMINFO, and the offset of its audio.
///
/// libFLAC's own reader of metadata is not used. It has no limit: in a file whose metadata became zeros, as a power cut
/// may leave it, it reads to the file's end. And a repair must write STREAMINFO in one piece, which it does not do.
struct FLACFile {
    /// The most metadata blocks accepted. Callreel's files have three.
    private static let maximumMetadataBlocks = 1024

    /// The open file.
    let file: StoredFile
    /// The file's own STREAMINFO.
    let info: FLACStreamInfo
    /// Offset of the first FLAC frame. It may be the end of the file.
    let audioOffset: Int

    /// Reads the metadata.
    /// - Throws: an error if the file is not 16-bit FLAC in this format.
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
                "\(info.sampleRate) Hz in \(info.channels) channels with \(info.bitsPerSample) bits, "
                    + "but the call had \(format)"
            )
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

    /// Returns true if the file states its length and ends with a whole FLAC frame that completes this length.
    ///
    /// It costs one read at the end of the file and does not examine the audio before.
    /// Decoding finds damage there; a repair could not fix it.
    func endsAsItSays() throws(SinkError) -> Bool {
        guard info.isFinished else { return false }
        let length = min(file.byteCount - audioOffset, info.largestFrame)
        let bytes = try file.bytes(at: file.byteCount - length, count: length)
        var candidates = 64
        for start in bytes.indices.reversed() where bytes[start] == 0xFF && candidates > 0 {
            guard
                let header = FLACFrameHeader(
                    bytes[start...].prefix(FLACFrameHeader.maximumBytes), channels: info.channels)
            else { continue }
            candidates -= 1
            guard FLACFrameHeader.crc16(bytes[start...]) == 0 else { continue }
            return (header.isVariable ? header.number : header.number * info.maximumBlock) + header.blockSize
                == info.total
        }
        return false
    }

    /// Searches after an offset for a whole FLAC frame with audio from frame `start` on or later.
    /// - Returns: true if one was found, and the end of the last byte that is not zero, as far as the search went.
    func wholeFrame(after offset: Int, start: Int) throws(SinkError) -> (isFound: Bool, contentEnd: Int) {
        var contentEnd = offset, candidates = 256
        let piece = 1 << 16, overlap = FLACFrameHeader.maximumBytes
        for position in stride(from: offset, to: file.byteCount, by: piece) {
            let bytes = try file.bytes(at: position, count: piece + overlap)
            if let last = bytes.lastIndex(where: { $0 != 0 }) { contentEnd = max(contentEnd, position + last + 1) }
            for index in bytes.indices.prefix(piece) where bytes[index] == 0xFF && position + index > offset {
                guard
                    FLACFrameHeader(bytes[index...].prefix(FLACFrameHeader.maximumBytes), channels: info.channels)
                        != nil
                else { continue }
                candidates -= 1
                guard candidates > 0 else { throw file.damaged("too much damage after byte \(offset)") }
                if try isWholeFrame(at: position + index, start: start) { return (true, contentEnd) }
            }
        }
        return (false, contentEnd)
    }

    /// Returns true if a whole FLAC frame stands at an offset, and its audio does not begin before a given frame.
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
