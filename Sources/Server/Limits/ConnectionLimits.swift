import CallreelCore

/// The limits of each connection, and the number of all.
struct ConnectionLimits: Sendable {
    let policy: WebSocketPolicy
    /// The limits of requests.
    let requests: Configuration.Limits
    let census: ConnectionCensus

    /// Takes the limits from a configuration.
    init(_ configuration: Configuration) {
        policy = WebSocketPolicy(configuration.listen, configuration.limits)
        requests = configuration.limits
        census = ConnectionCensus(configuration.limits)
    }
}
