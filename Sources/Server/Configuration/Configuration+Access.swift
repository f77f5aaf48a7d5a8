package import CallreelCore
import CallreelNetwork

extension Configuration {
    /// Access to the page, its API and the recordings. Carriers need none of these credentials.
    package struct Access: Configurable {
        package var user = "callreel"
        package var password: [Secret] = []
        package var token: [Secret] = []
        package var allowOpen = false
        package var hosts: [String] = []

        package init() {}

        package static let fields: [Field<Self>] = [
            .string("user", \.user, type: "name", "The user name that belongs to the password.") {
                // RFC 7617, section 2: the first colon ends the name.
                $0.isEmpty || $0.contains(":") ? "is not a name without a colon" : nil
            },
            .secrets(
                "password", \.password, minimum: 8,
                "The password for browsers (HTTP Basic), 8 characters or more. Each of a list is valid; null has none."
            ),
            .secrets(
                "token", \.token, minimum: 16,
                "The token for programs (\"Authorization: Bearer …\"), 16 characters or more. Each of a list "
                    + "is valid; null has none."
            ),
            .boolean(
                "allowOpen", \.allowOpen,
                "Lets every client listen to recordings if neither password nor token is set."),
            .strings(
                "hosts", \.hosts, of: "host names such as \"recorder.lan\"",
                "Further host names of a server without password and token. It also answers to addresses, names "
                    + "without a dot, localhost, and the names of listen.host and publicURL."
            ) {
                PublicURL("http://" + $0).map { $0.path.isEmpty && $0.port == nil } == true
                    ? nil : "is not a name such as \"recorder.lan\""
            },
        ]

        /// True if neither a password nor a token is set.
        var isOpen: Bool { password.isEmpty && token.isEmpty }
    }

    /// The server's certificate and key.
    package struct TLS: Configurable {
        package var certificate = ""
        package var key = ""

        package init() {}

        package static let fields: [Field<Self>] = [
            .string(
                "certificate", \.certificate, type: "path",
                "The PEM file with the certificate, followed by its intermediate certificates."
            ) {
                $0.isEmpty ? "is empty" : nil
            },
            .string("key", \.key, type: "path", "The PEM file with the private key.") { $0.isEmpty ? "is empty" : nil },
        ]
    }

    /// The reason not to start with this configuration, because recordings would be open to everyone;
    /// nil if there is none.
    package var exposure: ConfigurationProblem? {
        guard access.isOpen, !access.allowOpen, let opening else { return nil }
        return .init(
            at: ConfigurationPath.root.key("access"),
            "\(opening) would let every client that reaches it hear every recording: "
                + "set access.password or access.token, or set access.allowOpen to true if you want that")
    }

    /// The setting that makes the server reachable from other machines, in words; nil if there is none.
    private var opening: String? {
        if !AddressRange.isLoopback(listen.host) { return "listening on \(listen.host.debugDescription)" }
        // Carriers reach the server at publicURL, so a proxy or a tunnel leads from there to the loopback address.
        if let publicURL, !AddressRange.isLoopback(publicURL.host) {
            return "the publicURL \(publicURL.description.debugDescription)"
        }
        if let proxy = listen.trustedProxies.first {
            return "the proxy \(proxy.debugDescription) in listen.trustedProxies"
        }
        return nil
    }
}
