import NIOCore

/// Sizes the buffers that a call's socket is read into: small ones that hold what a live call sends in an interval, since each
/// connection keeps its own, and large ones as long as they come back full.
struct ReadBuffers: RecvByteBufferAllocator {
    /// Bytes of one read of a call that is behind.
    static let large = 1 << 16

    private let usual: Int
    private var size: Int

    /// Makes an allocator for a call that sends about so many bytes between two reads.
    init(bytesPerRead: Int) {
        usual = min(Self.large, max(1 << 11, bytesPerRead))
        size = usual
    }

    func buffer(allocator: ByteBufferAllocator) -> ByteBuffer { allocator.buffer(capacity: size) }

    func nextBufferSize() -> Int? { size }

    mutating func record(actualReadBytes: Int) -> Bool {
        let wasFull = actualReadBytes >= size
        let next = wasFull ? Self.large : usual
        defer { size = next }
        return next > size
    }
}
