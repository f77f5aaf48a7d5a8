import NIOCore

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// Closes a connection whose other side does not read what is sent to it, such as a file that is requested and left.
///
/// A slow reader is not closed. As long as something waits to be sent, the guard looks whether the other side has taken any of it since
/// the last look: NIO's buffer has become smaller, or the system's has changed. The system reports room for more only in large steps.
final class SlowReaderGuard: ChannelDuplexHandler {
    typealias InboundIn = NIOAny
    typealias OutboundIn = NIOAny

    /// Looks within one time limit. Each must find the same for a connection to be closed.
    private static let looks: Int64 = 8

    /// Bytes that wait to be sent.
    private struct Waiting: Equatable {
        /// In NIO's buffer.
        var inChannel: Int
        /// In the system's buffer, sent or not, until the other side has confirmed them.
        var inSystem: Int
    }

    private let limit: TimeAmount
    private let onRefusal: () -> Void
    private var timer: RepeatedTask?
    private var last: (waiting: Waiting, at: NIODeadline)?

    /// Makes a guard.
    /// - Parameters:
    ///   - limit: how long nothing may be taken.
    ///   - onRefusal: called when a connection is closed for it.
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
        // A call's recording says why it ended.
        context.fireUserInboundEventTriggered(WebSocketInstruction.lost("the carrier did not read what was sent to it"))
        context.close(promise: nil)
    }

    private func stop() {
        timer?.cancel()
        timer = nil
        last = nil
    }

    /// The bytes that wait, or nil where NIO has handed all of them to the system.
    private static func waiting(_ channel: any Channel) -> Waiting? {
        let buffered = (try? channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
        guard buffered > 0 || !channel.isWritable else { return nil }
        return Waiting(inChannel: buffered, inSystem: (try? channel.pipeline.syncOperations.socket).map(unsent) ?? 0)
    }

    /// Bytes in a socket's send buffer.
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
