public import CallreelCore
import Crypto

extension FLACSink {
    /// The most bytes that a repair cuts after the last whole FLAC frame. Zeros at the end do not count.
    /// A stream with longer frames may lose one frame. A kill leaves no more than this.
    static let maximumCut = 1 << 16

    /// Cuts the file after its last whole FLAC frame, and completes its STREAMINFO as the encoder would have done.
    ///
    /// The cut is on stable storage before STREAMINFO is written, in one write.
    /// If the repair is interrupted at any point, the file states its true length or none.
    ///
    /// Damage followed by whole FLAC frames is an error that names the place; the file is left unchanged.
    /// A finished file is also left unchanged, and not decoded, if its last FLAC frame completes the stated length.
    public static func repair(_ path: String, format: AudioFormat, dryRun: Bool) throws(SinkError) -> FileRepair? {
        let flac = try FLACFile(path, format: format)
        let file = flac.file
        if try flac.endsAsItSays() {
            if !dryRun { try file.synchronize() }
            return FileRepair(frames: flac.info.total, audioStart: flac.audioOffset)
        }
        let audio = try flac.wholeAudio()
        let bytesCut = file.byteCount - audio.end
        if bytesCut > 0 { try flac.expectNothing(after: audio) }
        var parts: [String] = []
        if bytesCut > 0 { parts.append("torn block of \(bytesCut) bytes cut") }
        if audio.info != flac.info {
            parts.append("length and MD5 of \(audio.info.total) frames written to STREAMINFO")
        }
        if !dryRun {
            if parts.isEmpty {
                try file.synchronize()
            } else {
                try file.change { writer throws(SinkError) in
                    if bytesCut > 0 {
                        try writer.truncate(to: audio.end)
                        try writer.synchronize()
                    }
                    try writer.write(audio.info.bytes, at: FLACStreamInfo.offset)
                }
            }
        }
        return FileRepair(
            frames: audio.info.total, bytesCut: bytesCut, change: parts.isEmpty ? nil : parts.joined(separator: ", "),
            audioStart: flac.audioOffset)
    }

    /// Decodes with libFLAC. libFLAC checks every block's checksums, and the MD5 of the samples if the file has one.
    /// - Throws: an error if a block is missing or damaged, if the length or the MD5 differs from the stated one,
    ///   or if other bytes follow the audio.
    public static func decode(_ path: String, format: AudioFormat, into body: (Span<Int16>) -> Void) throws(SinkError)
        -> DecodedFile?
    {
        let flac = try FLACFile(path, format: format)
        let file = flac.file
        do throws(CodecFailure) {
            var decoder = try FLACDecoder(file, from: flac.audioOffset, info: flac.info)
            let audio = try flac.read(&decoder, into: body)
            let place = "after frame \(audio.frames) (byte \(audio.end))"
            let count = flac.info.total == 0 ? "" : "; it states \(flac.info.total) frames"
            if let damage = audio.damage { throw CodecFailure("\(damage) \(place)\(count)") }
            guard flac.info.total == 0 || audio.frames == flac.info.total else {
                throw CodecFailure("it ends \(place)\(count)")
            }
            guard audio.end == file.byteCount else {
                throw CodecFailure("\(file.byteCount - audio.end) bytes that are not audio \(place)")
            }
            guard decoder.finish() else { throw CodecFailure("its samples do not match its MD5") }
            return DecodedFile(frames: audio.frames, isLossless: true)
        } catch {
            throw error.sinkError(.open, path)
        }
    }
}

/// The audio of a FLAC file before the first bytes that are not a whole block.
private struct WholeAudio {
    /// Frames of audio.
    var frames = 0
    /// End of the last whole block.
    var end: Int
    /// The damage after the last whole block. Nil if the file ended there.
    var damage: String?
    /// The correct STREAMINFO.
    var info: FLACStreamInfo
}

extension FLACFile {
    /// Decodes up to the first bytes that are not a whole block, and lends the samples of each block.
    fileprivate func read(_ decoder: inout FLACDecoder, into body: (Span<Int16>) -> Void) throws(CodecFailure)
        -> WholeAudio
    {
        var audio = WholeAudio(end: audioOffset, info: info.unfinished)
        var frameSizes: ClosedRange<Int>?, blockSizes: ClosedRange<Int>?, lastBlock = 0
        loop: while true {
            switch try decoder.next() {
            case .end: break loop
            case .damage(let reason):
                audio.damage = reason
                break loop
            case .block(let block):
                guard block.start == audio.frames, block.end > audio.end else {
                    audio.damage = "a block of frame \(block.start) is"
                    break loop
                }
                decoder.withSamples(body)
                let size = block.end - audio.end
                frameSizes = frameSizes.map { min($0.lowerBound, size)...max($0.upperBound, size) } ?? size...size
                // The last block may be shorter than the smallest.
                if lastBlock > 0 {
                    blockSizes =
                        min(
                            blockSizes?.lowerBound ?? lastBlock, lastBlock)...max(
                            blockSizes?.upperBound ?? 0, lastBlock)
                }
                lastBlock = block.frames
                audio.frames += block.frames
                audio.end = block.end
            }
        }
        audio.info.total = audio.frames
        // Without a block there is nothing to measure; the encoder itself then leaves 2²⁴−1 and 0.
        if let frameSizes {
            (audio.info.minimumFrame, audio.info.maximumFrame) = (frameSizes.lowerBound, frameSizes.upperBound)
        }
        // Keeps the encoder's announced block sizes, unless the blocks differ from them.
        audio.info.minimumBlock = min(info.minimumBlock, blockSizes?.lowerBound ?? info.minimumBlock)
        audio.info.maximumBlock = max(info.maximumBlock, blockSizes?.upperBound ?? 0, lastBlock)
        return audio
    }

    /// Decodes the whole blocks of the file. Ignores the length and checksum in its STREAMINFO.
    fileprivate func wholeAudio() throws(SinkError) -> WholeAudio {
        do throws(CodecFailure) {
            // The checksum that STREAMINFO asks for; it gives no protection from forgery.
            var md5 = Insecure.MD5()
            var decoder = try FLACDecoder(file, from: audioOffset, info: info.unfinished)
            var audio = try read(&decoder) { samples in
                #if _endian(big)
                    let swapped = samples.indices.map { samples[$0].littleEndian }
                    unsafe swapped.withUnsafeBytes { unsafe md5.update(bufferPointer: $0) }
                #else
                    unsafe samples.withUnsafeBytes { unsafe md5.update(bufferPointer: $0) }
                #endif
            }
            audio.info.md5 = Array(md5.finalize())
            return audio
        } catch {
            throw error.sinkError(.open, "cannot examine \(file.path)")
        }
    }

    /// Makes sure that a repair cuts no audio. After the last whole block, only the remains of a
    /// kill or power loss may follow.
    fileprivate func expectNothing(after audio: WholeAudio) throws(SinkError) {
        let place = "after frame \(audio.frames) (byte \(audio.end))"
        let found = try wholeFrame(after: audio.end, start: audio.frames)
        if found.isFound {
            throw file.damaged(
                "\(audio.damage ?? "a block that cannot be decoded") \(place), with audio after it: left unchanged"
            )
        }
        guard found.contentEnd - audio.end <= max(FLACSink.maximumCut, info.largestFrame) else {
            throw file.damaged(
                "\(found.contentEnd - audio.end) bytes \(place) are neither a torn block nor zeros: left unchanged")
        }
    }
}
