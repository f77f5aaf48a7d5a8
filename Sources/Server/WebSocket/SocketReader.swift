import NIOCore

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// Reads sockets past NIO, into one buffer that all calls of an event loop share.
///
/// A read through NIO costs two changes of what its selector watches, a turn of the loop and a buffer for each call, since NIO reads
/// when something has come. Who reads by a clock knows when, and needs nothing of it. Everything else stays with NIO: it writes, and
/// it hears of an end or a failure.
@safe final class SocketReader {
    /// Bytes of one read: as much as a live call of the highest rate sends in the longest interval.
    private static let bufferSize = 1 << 16

    /// What a read found.
    enum Outcome {
        /// Bytes, and there may be more.
        case full
        /// All bytes that have come so far, or none.
        case some
        /// The other side has ended the connection. NIO, asked to read, finds it too.
        case ended
        /// The connection failed.
        case failed(IOError)
    }

    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: bufferSize, alignment: 16)

    deinit { unsafe buffer.deallocate() }

    /// Reads what a socket that does not block has, once.
    /// - Parameter take: gets the bytes, which are gone when it returns; not called where there are none.
    func read(_ socket: NIOBSDSocket.Handle, _ take: (UnsafeRawBufferPointer) -> Void) -> Outcome {
        var count: Int
        repeat { count = unsafe recv(socket, buffer.baseAddress, Self.bufferSize, 0) } while count < 0 && errno == EINTR
        if count > 0 {
            unsafe take(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            return count == Self.bufferSize ? .full : .some
        }
        if count == 0 { return .ended }
        return errno == EAGAIN || errno == EWOULDBLOCK ? .some : .failed(IOError(errnoCode: errno, reason: "recv"))
    }
}

extension ChannelPipeline.SynchronousOperations {
    /// The socket under the channel, or nil where there is none.
    var socket: NIOBSDSocket.Handle? {
        get throws { try withUnsafeTransportIfAvailable(of: NIOBSDSocket.Handle.self) { $0 } }
    }
}
