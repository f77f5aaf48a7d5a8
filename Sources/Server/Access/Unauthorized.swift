/// The reason to refuse a request, in words that reveal nothing of the secret.
struct Unauthorized: Error, Hashable, Sendable {
    let reason: String

    /// The reason under which such refusals are counted.
    static let kind = "unauthorized"

    init(_ reason: String) { self.reason = reason }
}
