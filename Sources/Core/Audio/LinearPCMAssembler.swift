/// Turns 16-bit little-endian PCM that arrives in pieces of any length into samples.
///
/// A piece may end in the middle of a sample or of a frame: the rest is kept for the next one, so nothing is ever
/// shifted by a byte. One assembler belongs to one stream and one task.
package struct LinearPCMAssembler: Sendable {
    /// The shape of the stream.
    package let format: AudioFormat
    /// The bytes so far, with room for more behind them; the last sample may be half filled.
    private var samples: [Int16] = []
    /// Bytes so far.
    private var byteCount = 0
    /// Room that is made for a new batch, in samples.
    private var roomAtOnce = 0

    /// Makes an assembler for an empty stream.
    package init(format: AudioFormat) { self.format = format }

    /// Whole frames that can be taken now.
    package var frameCount: Int { byteCount / format.bytesPerFrame }

    /// Bytes of a frame that is not whole; at the end of a call they are what is lost.
    package var leftoverByteCount: Int { byteCount % format.bytesPerFrame }

    /// Adds bytes in the order in which they came, letting the caller put them straight into place.
    /// - Parameter fill: initializes every byte of the buffer that it is given.
    package mutating func append(byteCount count: Int, fill: (UnsafeMutableRawBufferPointer) -> Void) {
        let needed = (byteCount + count + 1) / 2
        if needed > samples.count { makeRoom(needed) }
        unsafe samples.withUnsafeMutableBytes { buffer in
            unsafe fill(UnsafeMutableRawBufferPointer(rebasing: buffer[byteCount..<byteCount + count]))
        }
        byteCount += count
    }

    /// Adds bytes in the order in which they came.
    package mutating func append(_ bytes: RawSpan) {
        unsafe bytes.withUnsafeBytes { source in
            unsafe append(byteCount: source.count) { unsafe $0.copyMemory(from: source) }
        }
    }

    /// Takes the whole frames assembled so far, or nothing when there is none.
    package mutating func takeSamples() -> [Int16]? {
        let whole = frameCount * format.channels
        guard whole > 0 else { return nil }
        var taken: [Int16] = []
        swap(&taken, &samples)
        byteCount -= whole * 2
        if byteCount > 0 { samples = Array(taken[whole..<whole + (byteCount + 1) / 2]) }
        // A little more: a read has a frame more or less than the one before.
        roomAtOnce = whole + whole / 8 + 16
        taken.removeLast(taken.count - whole)
        #if _endian(big)
            for index in taken.indices { taken[index] = Int16(littleEndian: taken[index]) }
        #endif
        return taken
    }

    /// Makes room for so many samples at least: for as many as were taken last, since the next batch will be like it.
    private mutating func makeRoom(_ needed: Int) {
        let count = max(needed, min(2 * samples.count, needed + 4096), roomAtOnce)
        let filled = (byteCount + 1) / 2
        samples = unsafe [Int16](unsafeUninitializedCapacity: count) { buffer, initialized in
            _ = unsafe buffer.initialize(fromContentsOf: samples[..<filled])
            // What is behind them is written by `append` before anything reads it; zeros would be written for nothing.
            initialized = count
        }
    }
}
