import Foundation
import NIOCore

/// Closes a connection whose client does not read the data sent to it, such as a stalled download.
///
/// A slow reader is not closed. While data waits, the guard checks at intervals if the client has taken any of it.
/// Progress shows as fewer bytes in NIO's buffer or a change in the system's buffer.
/// The socket's writability would not show it, because the system reports free room only in large steps.
final class SlowReaderGuard: ChannelDuplexHandler {
    typealias InboundIn = NIOAny
    typealias OutboundIn = NIOAny

    /// Checks within one time limit. The connection is closed only if all of them find the same.
    private static let looks: Int64 = 8

    /// The numbers of bytes waiting to be sent.
    private struct Waiting: Equatable {
        /// Bytes in NIO's buffer.
        var inChannel: Int
        /// Bytes in the system's buffer, sent or not, until the client has acknowledged them.
        var inSystem: Int
    }

    private let limit: TimeAmount
    private let onRefusal: () -> Void
    private var timer: RepeatedTask?
    private var last: (waiting: Waiting, at: NIODeadline)?

    /// Makes a guard.
    /// - Parameters:
    ///   - limit: time without progress until the connection is closed.
    ///   - onRefusal: called when the guard closes a connection.
    init(limit: TimeAmount, onRefusal: @escaping () -> Void) {
        self.limit = limit
        self.onRefusal = onRefusal
    }

    func flush(context: ChannelHandlerContext) {
        context.flush()
        watch(context)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        watch(context)
        context.fireChannelWritabilityChanged()
    }

    func channelInactive(context: ChannelHandlerContext) {
        stop()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) { stop() }

    private func watch(_ context: ChannelHandlerContext) {
        guard timer == nil, let waiting = Self.waiting(context.channel) else { return }
        last = (waiting, context.eventLoop.now)
        let both = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        let step = TimeAmount.nanoseconds(max(1_000_000, limit.nanoseconds / Self.looks))
        timer = context.eventLoop.scheduleRepeatedTask(initialDelay: step, delay: step) { _ in
            let (handler, context) = both.value
            handler.look(context)
        }
    }

    private func look(_ context: ChannelHandlerContext) {
        guard let now = Self.waiting(context.channel), let last else { return stop() }
        guard now == last.waiting else { return self.last = (now, context.eventLoop.now) }
        guard context.eventLoop.now - last.at >= limit else { return }
        stop()
        onRefusal()
        // The call's manifest then names the reason for its end.
        context.fireUserInboundEventTriggered(WebSocketInstruction.lost("the carrier did not read"))
        context.close(promise: nil)
    }

    private func stop() {
        timer?.cancel()
        timer = nil
        last = nil
    }

    /// Returns the waiting bytes; nil if NIO has passed all of them to the system.
    private static func waiting(_ channel: any Channel) -> Waiting? {
        let buffered = (try? channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
        guard buffered > 0 || !channel.isWritable else { return nil }
        return Waiting(inChannel: buffered, inSystem: (try? channel.pipeline.syncOperations.socket).map(unsent) ?? 0)
    }

    /// Returns the number of bytes in a socket's send buffer.
    private static func unsent(_ socket: NIOBSDSocket.Handle) -> Int {
        var count: CInt = 0
        #if canImport(Darwin)
            var size = socklen_t(MemoryLayout<CInt>.size)
            return unsafe getsockopt(socket, SOL_SOCKET, SO_NWRITE, &count, &size) == 0 ? Int(count) : 0
        #else
            return unsafe ioctl(socket, UInt(TIOCOUTQ), &count) == 0 ? Int(count) : 0
        #endif
    }
}
