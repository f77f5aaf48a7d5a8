import CallreelCore
import Foundation

/// The layout of an encrypted file, as far as it can be read without the secret key. The README describes it.
enum EncryptedFile {
    private static let mark = Array("ENCPCM01".utf8)
    /// Bytes before the first message.
    static let headerBytes = mark.count + 8 + SealedStream.openingBytes

    /// The plain beginning of a file: the mark, the sample rate and the number of channels.
    /// Each message authenticates it.
    static func facts(_ format: AudioFormat) -> [UInt8] {
        mark + littleEndian(UInt32(format.sampleRate)) + littleEndian(UInt32(format.channels))
    }

    /// A sealed message as it stands in the file: its length, then itself.
    static func frame(_ sealed: [UInt8]) -> [UInt8] { littleEndian(UInt32(sealed.count)) + sealed }

    /// Finds the whole messages of a file.
    /// - Returns: the frames in them, and the offset of their end.
    static func survey(_ file: FileHandle, byteCount: Int, format: AudioFormat) throws -> (frames: Int, end: Int)? {
        let beginning = try read(file, at: 0, count: min(mark.count, byteCount))
        guard mark.starts(with: beginning) else { return nil }
        guard byteCount >= headerBytes else { return (0, 0) }
        var frames = 0, end = headerBytes
        while end + 4 <= byteCount {
            let length = try read(file, at: end, count: 4).reversed().reduce(0) { $0 << 8 | Int($1) }
            let audio = length - SealedStream.messageOverhead
            // Zeros: the disk lost the end in a power cut.
            if length == 0 || end + 4 + length > byteCount { break }
            guard audio >= 0, audio.isMultiple(of: format.bytesPerFrame) else { return nil }
            frames += audio / format.bytesPerFrame
            end += 4 + length
        }
        return (frames, end)
    }

    private static func read(_ file: FileHandle, at offset: Int, count: Int) throws -> [UInt8] {
        try file.seek(toOffset: UInt64(offset))
        return Array(try file.read(upToCount: count) ?? Data())
    }

    private static func littleEndian(_ number: UInt32) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
    }
}
