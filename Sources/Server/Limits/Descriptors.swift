import CallreelCore

/// What the system lets this process have open at once, against what the configuration promises.
enum Descriptors {
    /// Files that a call has open: its socket is counted as a connection; each sink has a file or two, and the manifest one.
    private static let perCall = 8

    /// Why the limits cannot be reached, if they cannot: the operator is told at the start rather than by calls that fail.
    static func shortage(_ limits: Configuration.Limits) -> String? {
        let most = DescriptorLimit.current
        let needed = limits.connections + limits.calls * perCall
        guard most < needed else { return nil }
        return "limits.connections and limits.calls may need \(needed) open files, and the system allows \(most); raise that, or lower them"
    }
}
