#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// Where a C library's bytes go, and what became of them: a file, and a place in it that the library moves.
///
/// Bytes are held until ``flush()``, or until they fill a piece, so that a library that writes a little at a time costs few system
/// calls. Between two batches nothing is held, and no memory for it. Whether writing failed is remembered here, because libraries
/// forget it. Reached from C through its address; whoever owns the library's handle keeps it alive. The descriptor stays its
/// owner's, and must outlive the handle.
final class CodecOutput {
    /// Bytes that are held at most: more than a usual batch of audio.
    private static let pieceSize = 1 << 14

    private let descriptor: Int32
    /// The error number of the first write that failed. Everything after it fails too.
    private(set) var failure: Int32?
    /// Where the next byte goes.
    var position = 0
    /// The file's length, with what is held.
    private(set) var byteCount = 0
    /// What is held, and where it belongs.
    private var held: [UInt8] = []
    private var heldStart = 0
    /// Where the frames end that are of no use in part and not yet wholly with the system, and where the first of them begins.
    private var frameEnds: [Int] = []
    private var frameStart = 0

    /// Makes an output for an empty file.
    init(descriptor: Int32) { self.descriptor = descriptor }

    /// Takes bytes for the place that has been reached. Says whether all is well so far.
    /// - Parameter isFrame: if they cannot all be written, none of them is left in the file.
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

    /// Hands what is held to the system. Says whether all is well so far.
    func flush() -> Bool {
        defer { held = [] }
        return writeHeld()
    }

    private func writeHeld() -> Bool {
        guard failure == nil else { return false }
        var done = 0
        while done < held.count {
            let count = unsafe held.withUnsafeBytes { unsafe pwrite(descriptor, $0.baseAddress! + done, $0.count - done, off_t(heldStart + done)) }
            if count < 0, errno == EINTR { continue }
            if count <= 0 {
                failure = count < 0 ? errno : EIO
                // A torn frame at the end would make `flac -d` refuse the whole file.
                if !frameEnds.isEmpty { _ = ftruncate(descriptor, off_t(frameEnds.last { $0 <= heldStart + done } ?? frameStart)) }
                // What the library asks about from here on is what there is.
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

    /// Takes bytes again after a failure: where no more audio fits, a header may still be rewritten.
    func retry() { failure = nil }

    /// The output behind a library's user data.
    static func behind(_ client: UnsafeMutableRawPointer?) -> CodecOutput {
        unsafe Unmanaged<CodecOutput>.fromOpaque(client!).takeUnretainedValue()
    }

    /// The address that a library is given.
    var address: UnsafeMutableRawPointer { unsafe Unmanaged.passUnretained(self).toOpaque() }
}
