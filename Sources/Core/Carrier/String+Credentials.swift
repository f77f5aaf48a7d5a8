import Crypto

extension String {
    /// Compares two texts. The time does not depend on where they differ.
    package func isSameSecret(as other: String) -> Bool {
        // Digests are compared in constant time.
        SHA256.hash(data: Array(utf8)) == SHA256.hash(data: Array(other.utf8))
    }

    /// Returns true if the text equals one of several. Compares all of them, so that the time does not reveal which one
    /// matches.
    package func isSameSecret(asOneOf others: [String]) -> Bool { others.reduce(false) { isSameSecret(as: $1) || $0 } }

    /// Returns the credentials after a scheme such as `Bearer` in an `Authorization` header (RFC 9110, section 11.4).
    package func credentials(_ scheme: String) -> String? {
        let parts = split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == scheme.lowercased() else { return nil }
        return String(parts[1].drop { $0 == " " })
    }
}
