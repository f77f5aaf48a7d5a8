import NIOCore

/// Chooses the sizes of the buffers for reading a call's socket.
///
/// The usual size holds the data of a live call in one interval, because each connection keeps its own buffer.
/// After a read that fills the buffer, the next one is large.
struct ReadBuffers: RecvByteBufferAllocator {
    /// Bytes of one read of a call that is behind.
    static let large = 1 << 16

    private let usual: Int
    private var size: Int

    /// Makes an allocator for a call that sends about this many bytes between two reads.
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
