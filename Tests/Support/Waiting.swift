/// A condition that did not come true. The bound is generous: it is there so that a test ends, not to measure.
public struct NeverHappened: Error, CustomStringConvertible {
    public let description: String

    /// Names what did not happen.
    public init(description: String) { self.description = description }
}

/// Waits until a value is there.
public func eventually<Value>(_ what: String, _ find: () async throws -> Value?) async throws -> Value {
    for _ in 0..<1200 {
        if let value = try await find() { return value }
        try await Task.sleep(for: .milliseconds(50))
    }
    throw NeverHappened(description: "\(what) never happened")
}
