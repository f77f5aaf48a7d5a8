import Foundation
import NIOCore

/// Reads sockets past NIO, into one buffer shared by all calls of an event loop.
///
/// A read through NIO costs two changes to its selector, a turn of the loop and a buffer for each call,
/// because NIO waits for data first.
/// A read by the clock needs none of these. NIO still writes, and detects an end or a failure.
@safe final class SocketReader {
    /// Bytes of one read: the data of a live call at the highest rate in the longest interval.
    private static let bufferSize = 1 << 16

    /// The result of a read.
    enum Outcome {
        /// The buffer is full, and there may be more bytes.
        case full
        /// All bytes received so far, or none.
        case some
        /// The client has ended the connection. NIO detects the end at its next read.
        case ended
        /// The connection failed.
        case failed(IOError)
    }

    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: bufferSize, alignment: 16)

    deinit { unsafe buffer.deallocate() }

    /// Reads a non-blocking socket once.
    /// - Parameter take: receives the bytes, which are valid only during the call; not called without bytes.
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
    /// The socket of the channel; nil if it has none.
    var socket: NIOBSDSocket.Handle? {
        get throws { try withUnsafeTransportIfAvailable(of: NIOBSDSocket.Handle.self) { $0 } }
    }
}
