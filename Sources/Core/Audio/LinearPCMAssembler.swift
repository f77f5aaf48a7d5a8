/// Assembles samples from 16-bit little-endian PCM that arrives in pieces of any length.
///
/// A piece may end in the middle of a sample or of a frame. The rest is kept for the next piece, so the stream never
/// shifts by a byte. One assembler belongs to one stream and one task.
package struct LinearPCMAssembler: Sendable {
    /// The shape of the stream.
    package let format: AudioFormat
    /// The whole samples so far, with room for more.
    private var samples: [Int16] = []
    /// The first byte of a sample whose second byte has not arrived.
    private var half: UInt8?
    /// Room to make for a new batch, in samples.
    private var roomAtOnce = 0

    /// Makes an assembler for an empty stream.
    package init(format: AudioFormat) { self.format = format }

    /// Whole frames ready to be taken.
    package var frameCount: Int { samples.count / format.channels }

    /// Bytes of an incomplete frame. At the end of a call, they are lost.
    package var leftoverByteCount: Int { samples.count % format.channels * 2 + (half == nil ? 0 : 1) }

    /// Adds bytes in their order of arrival. The caller writes them straight into place.
    /// - Parameter fill: initializes every byte of its buffer.
    package mutating func append(byteCount count: Int, fill: (UnsafeMutableRawBufferPointer) -> Void) {
        let begun = half == nil ? 0 : 1
        let bytes = begun + count
        let needed = (bytes + 1) / 2
        if needed > samples.capacity - samples.count { makeRoom(needed) }
        samples.append(addingCapacity: needed) { span in
            unsafe span.withUnsafeMutableBufferPointer { buffer, initialized in
                let place = unsafe UnsafeMutableRawBufferPointer(
                    rebasing: UnsafeMutableRawBufferPointer(buffer)[(2 * initialized)...])
                if let half { unsafe place[0] = half }
                unsafe fill(UnsafeMutableRawBufferPointer(rebasing: place[begun..<bytes]))
                half = bytes.isMultiple(of: 2) ? nil : unsafe place[bytes - 1]
                initialized += bytes / 2
            }
        }
    }

    /// Adds bytes in their order of arrival.
    package mutating func append(_ bytes: RawSpan) {
        unsafe bytes.withUnsafeBytes { source in
            unsafe append(byteCount: source.count) { unsafe $0.copyMemory(from: source) }
        }
    }

    /// Removes and returns the whole frames assembled so far; nil if there are none.
    package mutating func takeSamples() -> [Int16]? {
        let whole = frameCount * format.channels
        guard whole > 0 else { return nil }
        var taken: [Int16] = []
        swap(&taken, &samples)
        // A little more: a read may have a frame more than the one before.
        roomAtOnce = whole + whole / 8 + 16
        if taken.count > whole {
            samples = Array(taken[whole...])
            taken.removeLast(taken.count - whole)
        }
        #if _endian(big)
            for index in taken.indices { taken[index] = Int16(littleEndian: taken[index]) }
        #endif
        return taken
    }

    /// Makes room for at least so many further samples, or for as many as the last batch had, since the next will be
    /// like it.
    private mutating func makeRoom(_ needed: Int) {
        let count = samples.count + needed
        var roomy = SampleMemory.room(for: max(count, min(2 * samples.count, count + 4096), roomAtOnce))
        roomy.append(contentsOf: samples)
        samples = roomy
    }
}
