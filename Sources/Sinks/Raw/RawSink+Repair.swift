public import CallreelCore

extension RawSink {
    /// Cuts an incomplete frame at the end. Nothing else in such a file can be wrong.
    public static func repair(_ path: String, format: AudioFormat, dryRun: Bool) throws(SinkError) -> FileRepair? {
        let file = try StoredFile(path)
        let rest = file.byteCount % format.bytesPerFrame
        let frames = file.byteCount / format.bytesPerFrame
        guard rest > 0 else {
            if !dryRun { try file.synchronize() }
            return FileRepair(frames: frames, audioStart: 0)
        }
        if !dryRun { try file.change { writer throws(SinkError) in try writer.truncate(to: file.byteCount - rest) } }
        return FileRepair(
            frames: frames, bytesCut: rest, change: "torn frame cut (\(rest) of \(format.bytesPerFrame) bytes)",
            audioStart: 0)
    }

    /// Reads the samples.
    /// - Throws: an error if the length is not a whole number of frames. There is no checksum to check.
    public static func decode(_ path: String, format: AudioFormat, into body: (Span<Int16>) -> Void) throws(SinkError)
        -> DecodedFile?
    {
        let file = try StoredFile(path)
        guard file.byteCount.isMultiple(of: format.bytesPerFrame) else {
            throw file.damaged("\(file.byteCount) bytes are not whole frames of \(format)")
        }
        let piece = 16384 * format.bytesPerFrame
        for offset in stride(from: 0, to: file.byteCount, by: piece) {
            let bytes = try file.bytes(at: offset, count: piece)
            guard bytes.count == min(piece, file.byteCount - offset) else {
                throw file.damaged("it became shorter during the read")
            }
            let samples = unsafe [Int16](unsafeUninitializedCapacity: bytes.count / 2) { buffer, count in
                count = bytes.count / 2
                for index in 0..<count {
                    unsafe buffer[index] = Int16(
                        bitPattern: UInt16(bytes[2 * index]) | UInt16(bytes[2 * index + 1]) << 8)
                }
            }
            body(samples.span)
        }
        return DecodedFile(frames: file.byteCount / format.bytesPerFrame, isLossless: true)
    }
}
