import CallreelEngine
import CallreelWebSocket
import NIOCore

/// A connection as other threads know it: the source of a call's audio.
///
/// It does not keep the connection alive. A connection that is gone ignores all of it.
struct SocketSource: CallSource {
    /// A connection's answer to requests from other threads. Everything in it runs on the channel's event loop.
    protocol Connection: AnyObject {
        func resume()
        func drain()
        func fail(_ error: WebSocketError, why: String?)
    }

    private struct Weak {
        weak var connection: (any Connection)?
    }

    private let eventLoop: any EventLoop
    private let connection: NIOLoopBound<Weak>

    /// Refers to a connection. Called on its event loop.
    init(_ connection: some Connection, eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
        self.connection = NIOLoopBound(Weak(connection: connection), eventLoop: eventLoop)
    }

    func roomForMore() { run { $0.resume() } }

    func stop(_ session: CallSession, _ reason: String) {
        // The carrier is not told the details.
        let error = WebSocketError(.internalError, "the call cannot be recorded as required")
        run { $0.fail(error, why: reason) }
    }

    func drain(_ session: CallSession) { run { $0.drain() } }

    private func run(_ body: @escaping @Sendable (any Connection) -> Void) {
        eventLoop.execute { [connection] in
            if let connection = connection.value.connection { body(connection) }
        }
    }
}
