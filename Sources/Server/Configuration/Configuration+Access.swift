package import CallreelCore

extension Configuration {
    /// Who may open the page, use its API and fetch recordings. Carriers are not asked for any of this.
    package struct Access: Configurable {
        package var user = "callreel"
        package var password: Secret?
        package var token: Secret?
        package var allowOpen = false

        package init() {}

        package static let fields: [Field<Self>] = [
            .string("user", \.user, type: "name", "The user that browsers ask for beside the password.") {
                // RFC 7617, section 2: the first colon ends the name.
                $0.isEmpty || $0.contains(":") ? "is not a name without a colon" : nil
            },
            .secret("password", \.password, minimum: 8, "What browsers ask for (HTTP Basic), 8 characters or more; null takes no password."),
            .secret("token", \.token, minimum: 16, "What programs send as \"Authorization: Bearer …\", 16 characters or more; null takes no token."),
            .boolean("allowOpen", \.allowOpen, "Whether anybody may listen to recordings when neither password nor token is set."),
        ]

        /// Whether nobody is asked for anything.
        var isOpen: Bool { password == nil && token == nil }
    }

    /// Certificate and key of the server.
    package struct TLS: Configurable {
        package var certificate = ""
        package var key = ""

        package init() {}

        package static let fields: [Field<Self>] = [
            .string("certificate", \.certificate, type: "path", "The PEM file with the certificate, and those that it depends on after it.") {
                $0.isEmpty ? "is empty" : nil
            },
            .string("key", \.key, type: "path", "The PEM file with the private key.") { $0.isEmpty ? "is empty" : nil },
        ]
    }

    /// Why a server must not be started like this, if it must not: recordings would be open to everybody.
    package var exposure: ConfigurationProblem? {
        guard access.isOpen, !access.allowOpen, !AddressRange.isLoopback(listen.host) else { return nil }
        return .init(
            at: ConfigurationPath.root.key("access"),
            "listening on \(listen.host.debugDescription) would let everybody who reaches it hear every recording: "
                + "set access.password or access.token, or set access.allowOpen to true if that is meant")
    }
}
