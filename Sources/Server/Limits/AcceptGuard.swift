import Foundation
import NIOCore
import NIOPosix

/// Keeps the server listening when the system has no file descriptor left for a new connection.
///
/// Without it, the listening socket's error would end the server's accept loop, and no more calls could come.
/// The connection waits in the system's queue, and the server accepts again after 100 ms.
final class AcceptGuard: ChannelDuplexHandler {
    typealias InboundIn = NIOAny
    typealias OutboundIn = Never

    private static let pause = TimeAmount.milliseconds(100)

    private let onRefusal: @Sendable (RefusalReason) -> Void
    private var isPaused = false
    private var isReadWanted = false

    /// Makes a guard.
    /// - Parameter onRefusal: called to count the refusal when connections have to wait.
    init(onRefusal: @escaping @Sendable (RefusalReason) -> Void) { self.onRefusal = onRefusal }

    /// Puts a guard before all other handlers of a listening socket.
    static func add(to channel: any Channel, onRefusal: @escaping @Sendable (RefusalReason) -> Void) async {
        // A closed socket needs no guard.
        try? await channel.eventLoop.submit {
            try channel.pipeline.syncOperations.addHandler(AcceptGuard(onRefusal: onRefusal), position: .first)
        }.get()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let error = error as? IOError, [EMFILE, ENFILE, ENOBUFS, ENOMEM, ECONNABORTED].contains(error.errnoCode)
        else {
            return context.fireErrorCaught(error)
        }
        if error.errnoCode == ECONNABORTED || isPaused { return }
        isPaused = true
        isReadWanted = true
        onRefusal(.descriptors)
        let both = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        context.eventLoop.scheduleTask(in: Self.pause) {
            let (handler, context) = both.value
            handler.isPaused = false
            if handler.isReadWanted { context.read() }
        }
    }

    func read(context: ChannelHandlerContext) {
        isReadWanted = isPaused
        if !isPaused { context.read() }
    }
}
