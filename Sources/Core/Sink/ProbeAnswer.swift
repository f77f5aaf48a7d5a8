/// What a sink's probe found out about its destination. A destination that does not work is an error instead.
public enum ProbeAnswer: Hashable, Sendable {
    /// The destination works.
    case works
    /// Only opening an instance can tell.
    case unknown
}
