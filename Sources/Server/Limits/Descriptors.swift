import CallreelCore
import CallreelEngine

/// The file descriptors that the configuration may need, compared with the system's limit.
enum Descriptors {
    /// Files of one call: a file or two for each sink, and one for the manifest. The socket counts as a connection.
    private static let perCall = 8

    /// Returns a warning if the system's limit is too low for the configured limits. You thus learn of it at the start,
    /// and not from failing calls.
    static func shortage(_ limits: Configuration.Limits) -> String? {
        let most = DescriptorLimit.current
        let needed = limits.connections + limits.calls * perCall
        guard most < needed else { return nil }
        return
            "limits.connections and limits.calls may need \(needed) open files, but the system allows \(most): "
            + "raise the system's limit, or lower these limits"
    }
}
