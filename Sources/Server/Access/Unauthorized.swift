import Crypto

/// Why somebody is not let in, in words that tell nothing of the secret.
struct Unauthorized: Error, Hashable, Sendable {
    let reason: String

    /// What such refusals are counted under.
    static let kind = "unauthorized"

    init(_ reason: String) { self.reason = reason }
}

extension String {
    /// Whether two texts are the same, found out in a time that does not depend on where they differ, or on their length.
    func isSameSecret(as other: String) -> Bool {
        // Digests are compared in constant time.
        SHA256.hash(data: Array(utf8)) == SHA256.hash(data: Array(other.utf8))
    }

    /// Whether a text is one of several. All of them are compared, so that the time does not tell which one it is.
    func isSameSecret(asOneOf others: [String]) -> Bool { others.reduce(false) { isSameSecret(as: $1) || $0 } }

    /// What follows a scheme such as `Bearer` in an `Authorization` header (RFC 9110, section 11.4).
    func credentials(_ scheme: String) -> String? {
        let parts = split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == scheme.lowercased() else { return nil }
        return String(parts[1].drop { $0 == " " })
    }
}
