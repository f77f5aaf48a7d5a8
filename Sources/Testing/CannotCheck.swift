/// The reason why a kit cannot work here, so that its result would mean nothing.
struct CannotCheck: Error {
    let reason: String

    init(_ reason: String) { self.reason = reason }
}
