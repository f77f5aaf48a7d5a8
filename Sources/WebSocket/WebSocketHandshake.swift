import Crypto
import Foundation

/// The opening handshake of RFC 6455, section 4.
package enum WebSocketHandshake {
    /// The suffix of the client's key, from section 1.3.
    private static let keySuffix = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

    /// Returns a client's key: 16 random bytes in base64.
    package static func makeKey() -> String {
        Data((0..<16).map { _ in UInt8.random(in: .min ... .max) }).base64EncodedString()
    }

    /// Returns true if a text is a client's key: 16 bytes in base64.
    package static func isKey(_ text: String) -> Bool { Data(base64Encoded: text)?.count == 16 }

    /// Returns the server's answer to a client's key. It proves the server's support of WebSockets (section 4.2.2).
    package static func acceptance(of key: String) -> String {
        Data(Insecure.SHA1.hash(data: Data((key + keySuffix).utf8))).base64EncodedString()
    }
}
