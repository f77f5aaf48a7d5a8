/// A piece of a frame's payload in the receive buffer, and the key that unmasks it (RFC 6455, section 5.3).
@safe package struct MaskedBytes: ~Copyable {
    @usableFromInline let bytes: UnsafeRawBufferPointer
    /// The key, rotated so that its first byte in memory belongs to the first byte of the piece.
    /// Zero leaves bytes unchanged.
    @usableFromInline let key: UInt32

    /// Describes a piece. The buffer must stay valid as long as this value.
    @inlinable package init(_ bytes: UnsafeRawBufferPointer, key: UInt32) {
        unsafe self.bytes = bytes
        self.key = key
    }

    /// Bytes in the piece.
    @inlinable package var count: Int { unsafe bytes.count }

    /// Writes the unmasked bytes to a buffer of the same length, eight at a time.
    @inlinable package func unmask(into target: UnsafeMutableRawBufferPointer) {
        unsafe precondition(target.count == bytes.count)
        guard key != 0 else { return unsafe target.copyMemory(from: bytes) }
        let wideKey = UInt64(key) << 32 | UInt64(key)
        let wideCount = count & ~7
        var offset = 0
        while offset < wideCount {
            let word = unsafe bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            unsafe target.storeBytes(of: word ^ wideKey, toByteOffset: offset, as: UInt64.self)
            offset += 8
        }
        unsafe withUnsafeBytes(of: key) { keyBytes in
            while offset < count {
                unsafe target[offset] = bytes[offset] ^ keyBytes[offset & 3]
                offset += 1
            }
        }
    }

    /// Adds the unmasked bytes to an array.
    package func append(to array: inout [UInt8]) {
        let start = array.count
        array.append(contentsOf: repeatElement(0, count: count))
        unsafe array.withUnsafeMutableBytes { buffer in
            unsafe unmask(into: UnsafeMutableRawBufferPointer(rebasing: buffer[start...]))
        }
    }
}
