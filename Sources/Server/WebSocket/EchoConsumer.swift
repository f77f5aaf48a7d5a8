import Logging

/// Sends every message back. It runs the same socket code as a call, so an external client can test that code's
/// conformance.
///
/// Only a server made for tests has a path to it. Neither the configuration nor the command line can enable it.
final class EchoConsumer: WebSocketConsumer {
    let logger: Logger
    private var binary: [UInt8] = []

    /// Makes the consumer of a new connection.
    init(logger: Logger) { self.logger = logger }

    func attach(to socket: WebSocketHandler<EchoConsumer>) { socket.begin(bytesPerSecond: nil) }

    func receive(binary piece: borrowing MaskedBytes) { piece.append(to: &binary) }

    func receiveBinaryEnd(from socket: WebSocketHandler<EchoConsumer>) {
        socket.send(.binary, binary)
        binary.removeAll()
    }

    func receive(text: [UInt8], from socket: WebSocketHandler<EchoConsumer>) { socket.send(.text, text) }

    func receiveReadEnd(from socket: WebSocketHandler<EchoConsumer>) {}

    func receiveDrained() {}

    func end(_ reason: String) {}
}
