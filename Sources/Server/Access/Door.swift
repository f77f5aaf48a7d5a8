import CallreelCore
import CallreelNetwork
import Hummingbird

/// The access settings of a configuration: secrets and TLS certificates loaded from their files, and the checks built
/// from them.
struct Door: Sendable {
    /// The TLS certificates; nil if Callreel serves plain http and ws.
    let certificates: TLSCertificates?
    let proxies: TrustedProxies
    /// The carriers, with their secrets.
    let carriers: [CarrierEntry]
    /// Failed logins to the page and the API.
    let failedLogins: FailedTries
    /// Failed tokens and signatures of calls and webhooks.
    let failedCalls: FailedTries
    /// The server's known host names.
    let hosts: KnownHosts
    /// The credentials; nil if the page and the API are open to everyone.
    let credentials: AccessControl.Credentials?

    /// The contents of the secret files named in the configuration.
    struct Secrets {
        let certificates: TLSCertificates?
        let passwords, accessTokens: [String]
        let carriers: [CarrierEntry]

        /// Reads all files. Blocks.
        init(
            _ configuration: Configuration, publicURL: @escaping @Sendable () -> PublicURL
        ) throws(ConfigurationProblem) {
            let access = configuration.access, accessPath = ConfigurationPath.root.key("access")
            certificates = if let tls = configuration.listen.tls { try TLSCertificates(tls) } else { nil }
            let proofs = SeenProofs()
            var carriers: [CarrierEntry] = []
            for plan in configuration.carriers {
                carriers.append(try CarrierEntry(plan, proofs: proofs, publicURL: publicURL))
            }
            self.carriers = carriers
            passwords = try access.password.values(at: accessPath.key("password"))
            accessTokens = try access.token.values(at: accessPath.key("token"))
        }
    }

    /// Reads every file named in the configuration. Refuses a configuration that would expose all recordings.
    /// Blocks.
    /// - Parameter publicURL: returns the server's public address, once it listens.
    init(
        _ configuration: Configuration, publicURL: @escaping @Sendable () -> PublicURL
    ) throws(ServiceError) {
        if let exposure = configuration.exposure { throw ServiceError(exposure.description) }
        proxies = TrustedProxies(configuration.listen.trustedProxies)
        failedLogins = FailedTries(perMinute: configuration.limits.failedTriesPerMinute)
        // Valid requests never wait, so a short delay is enough. A connection whose answer waits occupies a place.
        failedCalls = FailedTries(perMinute: configuration.limits.failedTriesPerMinute, longestWait: 1)
        hosts = KnownHosts(configuration)
        let access = configuration.access, secrets: Secrets
        do throws(ConfigurationProblem) { secrets = try Secrets(configuration, publicURL: publicURL) } catch {
            throw ServiceError(error.description)
        }
        certificates = secrets.certificates
        carriers = secrets.carriers
        credentials =
            access.isOpen ? nil : .init(user: access.user, passwords: secrets.passwords, tokens: secrets.accessTokens)
    }

    /// Returns true if a request may see details of calls and of this machine. Do not use it for open paths:
    /// nothing limits guesses there.
    func mayKnow(_ request: Request) -> Bool {
        if let credentials { return credentials.match(request) }
        return request.head.authority.map(hosts.isKnown) ?? true
    }

    /// Returns the password check; nil if access is open.
    func accessControl(refusals: Refusals) -> AccessControl? {
        credentials.map {
            AccessControl(
                credentials: $0,
                openPaths: Set(["/healthz", "/readyz"] + carrierPaths),
                proxies: proxies,
                refusals: refusals, tries: failedLogins)
        }
    }

    /// The path of the first answer webhook; nil if there is none.
    var callPath: String? {
        for entry in carriers {
            if let webhook = entry.carrier.webhooks.first(where: { $0.purpose == .answer }) {
                return "\(entry.plan.webhooks)/\(webhook.name)"
            }
        }
        return nil
    }

    /// The paths of the carriers' WebSockets and webhooks. They have checks of their own.
    var carrierPaths: [String] {
        carriers.flatMap { entry in
            [entry.plan.path] + entry.carrier.webhooks.map { "\(entry.plan.webhooks)/\($0.name)" }
        }
    }

    /// The middleware for the security headers of every response.
    var securityHeaders: SecurityHeaders { SecurityHeaders(tls: certificates != nil, proxies: proxies) }
}
