public import Foundation

/// An HTTP request of a carrier: for a WebSocket, or to a webhook.
public struct CarrierRequest: Sendable {
    /// The method, such as `GET`.
    public var method: String
    /// The path and query below the server's public address.
    public var target: String
    /// The header fields, in the order of the request. Names are in lower case.
    public var headers: [(name: String, value: String)]
    /// The exact bytes of the body. Empty for a WebSocket.
    public var body: [UInt8]
    /// The body and headers cannot be read or changed on their way: the public address is https.
    public var isSecure: Bool
    /// The time of receipt.
    public var receivedAt: Date

    /// Makes a request. Header names may be in any case.
    public init(
        _ method: String, _ target: String, headers: [(name: String, value: String)] = [], body: [UInt8] = [],
        isSecure: Bool = true, receivedAt: Date = Date()
    ) {
        self.method = method
        self.target = target
        self.headers = headers.map { ($0.name.lowercased(), $0.value) }
        self.body = body
        self.isSecure = isSecure
        self.receivedAt = receivedAt
    }

    /// Returns the values of a header field, in order.
    public func values(of name: String) -> [String] {
        let name = name.lowercased()
        return headers.filter { $0.name == name }.map(\.value)
    }

    /// The parameters of the query, decoded, in order.
    public var query: [(name: String, value: String)] {
        guard let mark = target.firstIndex(of: "?") else { return [] }
        return target[target.index(after: mark)...].split(separator: "&").map { pair in
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return (Self.decoded(parts[0]), parts.count == 2 ? Self.decoded(parts[1]) : "")
        }
    }

    /// Returns the credentials of the one `Authorization` header with a scheme such as `Bearer` (RFC 9110,
    /// section 11.4); nil if there is no such header, or more than one.
    public func credentials(_ scheme: String) -> String? {
        let all = values(of: "authorization")
        return all.count == 1 ? all[0].credentials(scheme) : nil
    }

    /// Decodes a query's text: `+` is a space, and `%` and two digits are a byte.
    private static func decoded(_ text: Substring) -> String {
        let spaced = text.replacing("+", with: " ")
        return String(spaced).removingPercentEncoding ?? String(spaced)
    }
}
