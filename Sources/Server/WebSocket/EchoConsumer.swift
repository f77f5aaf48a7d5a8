import CallreelWebSocket
import Logging
import NIOCore

/// Sends every message back. It runs the same socket code as a call, so an external client can test that code's
/// conformance.
///
/// Only a server made for tests has a path to it. Neither the configuration nor the command line can enable it.
final class EchoConsumer: WebSocketConsumer {
    let logger: Logger
    private var binary: [UInt8] = []

    /// Makes the consumer of a new connection.
    init(logger: Logger) { self.logger = logger }

    func attach(to source: SocketSource) -> WebSocketFlow { WebSocketFlow(begin: .asItComes) }

    func begin(group: Int?) {}

    func receive(binary piece: borrowing MaskedBytes) { piece.append(to: &binary) }

    func receiveBinaryEnd() -> WebSocketFlow {
        defer { binary.removeAll() }
        return WebSocketFlow(replies: [.init(operation: .binary, payload: binary)])
    }

    func receive(text: [UInt8]) -> WebSocketFlow {
        WebSocketFlow(replies: [.init(operation: .text, payload: text)])
    }

    func receiveReadEnd(now: NIODeadline) -> WebSocketFlow { .goOn }

    func receiveDrained() {}

    func tick() -> WebSocketFlow { .goOn }

    func end(_ reason: String) {}
}
