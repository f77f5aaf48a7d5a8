/// A condition that did not come true in time. The generous bound only makes sure that a test ends.
public struct NeverHappened: Error, CustomStringConvertible {
    public let description: String

    /// Makes an error that names the missing event.
    public init(description: String) { self.description = description }
}

/// Polls until `find` returns a value.
public func eventually<Value>(_ what: String, _ find: () async throws -> Value?) async throws -> Value {
    for _ in 0..<1200 {
        if let value = try await find() { return value }
        try await Task.sleep(for: .milliseconds(50))
    }
    throw NeverHappened(description: "\(what) never happened")
}
