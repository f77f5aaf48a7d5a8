import CallreelCore
import Foundation

/// The output of a C library: a file, a write position that the library moves, and the first error.
///
/// Bytes are held until ``flush()``, or until they fill a piece, so a library's small writes need few system calls.
/// Between two batches nothing is held, and no memory for it. A write error is kept here, because libraries forget it.
///
/// C code reaches this object through its address; the owner of the library's handle keeps it alive.
/// The caller closes the file after the handle.
final class CodecOutput {
    /// The most bytes held: more than a usual batch of audio.
    private static let pieceSize = 1 << 14

    private let file: any DiskFile
    /// The error number of the first failed write. Every later write fails too.
    private(set) var failure: Int32?
    /// Offset of the next byte.
    var position = 0
    /// The file's length, including held bytes.
    private(set) var byteCount = 0
    /// Bytes not yet written, and their offset in the file.
    private var held: [UInt8] = []
    private var heldStart = 0
    /// Ends of the frames that are not yet fully written, and the start of the first.
    /// A reader cannot use a part of such a frame.
    private var frameEnds: [Int] = []
    private var frameStart = 0

    /// Creates an output for an empty file.
    init(_ file: any DiskFile) { self.file = file }

    /// Takes bytes for the current position. Returns false if a write has failed.
    /// - Parameter isFrame: true if the bytes are one frame, of no use in part.
    ///   If some cannot be written, none are left in the file.
    func write(_ bytes: UnsafeRawBufferPointer, isFrame: Bool = false) -> Bool {
        if position != heldStart + held.count {
            guard writeHeld() else { return false }
            heldStart = position
        }
        if isFrame {
            if frameEnds.isEmpty { frameStart = position }
            frameEnds.append(position + bytes.count)
        }
        if held.capacity == 0 { held.reserveCapacity(Self.pieceSize) }
        var done = 0
        while failure == nil, done < bytes.count {
            let count = min(Self.pieceSize - held.count, bytes.count - done)
            unsafe held.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[done..<done + count]))
            done += count
            if held.count == Self.pieceSize { _ = writeHeld() }
        }
        position += bytes.count
        byteCount = max(byteCount, position)
        return failure == nil
    }

    /// Writes the held bytes to the file. Returns false if a write has failed.
    func flush() -> Bool {
        defer { held = [] }
        return writeHeld()
    }

    private func writeHeld() -> Bool {
        guard failure == nil else { return false }
        var done = 0
        while done < held.count {
            var count = 0, number = EIO
            do throws(ErrorNumber) {
                count = try unsafe file.write(held.span.bytes.extracting(droppingFirst: done), at: heldStart + done)
            } catch {
                number = error.value
            }
            if count <= 0 {
                failure = number
                // An incomplete frame at the end would make `flac -d` refuse the whole file.
                if !frameEnds.isEmpty {
                    try? file.truncate(to: frameEnds.last { $0 <= heldStart + done } ?? frameStart)
                }
                // From here on, the library is told the true length.
                if heldStart + held.count == byteCount { byteCount = heldStart + done }
                held = []
                return false
            }
            done += count
        }
        heldStart += held.count
        held.removeAll(keepingCapacity: true)
        if let last = frameEnds.lastIndex(where: { $0 <= heldStart }) {
            frameStart = frameEnds[last]
            frameEnds.removeFirst(last + 1)
        }
        return true
    }

    /// Accepts bytes again after a failure. If no more audio fits, a header may still be rewritten.
    func retry() { failure = nil }

    /// Returns the output behind a library's user data.
    static func behind(_ client: UnsafeMutableRawPointer?) -> CodecOutput {
        unsafe Unmanaged<CodecOutput>.fromOpaque(client!).takeUnretainedValue()
    }

    /// The address to pass to a library.
    var address: UnsafeMutableRawPointer { unsafe Unmanaged.passUnretained(self).toOpaque() }
}
