import CallreelCore
import Hummingbird

/// The access settings of a configuration: secrets and TLS certificates loaded from their files, and the checks built
/// from them.
struct Door: Sendable {
    /// The TLS certificates; nil if Callreel serves plain http and ws.
    let certificates: TLSCertificates?
    let proxies: TrustedProxies
    /// The call tokens; nil if calls need no token.
    let tokens: CallTokens?
    /// Failed logins to the page and the API.
    let failedLogins: FailedTries
    /// Failed tokens and signatures of calls and webhooks.
    let failedCalls: FailedTries
    private let vonage: Configuration.Vonage
    private let signatureSecrets: [String]
    /// The server's known host names.
    let hosts: KnownHosts
    /// The credentials; nil if the page and the API are open to everyone.
    let credentials: AccessControl.Credentials?

    /// The contents of the secret files named in the configuration.
    struct Secrets {
        let certificates: TLSCertificates?
        let signatures, tokenKeys, passwords, accessTokens: [String]

        /// Reads all files. Blocks.
        init(_ configuration: Configuration) throws(ConfigurationProblem) {
            let vonage = configuration.vonage, access = configuration.access
            let vonagePath = ConfigurationPath.root.key("vonage"), accessPath = ConfigurationPath.root.key("access")
            certificates = if let tls = configuration.listen.tls { try TLSCertificates(tls) } else { nil }
            signatures = try vonage.signatureSecret.values(at: vonagePath.key("signatureSecret"))
            tokenKeys = try vonage.tokenKey.values(at: vonagePath.key("tokenKey"))
            passwords = try access.password.values(at: accessPath.key("password"))
            accessTokens = try access.token.values(at: accessPath.key("token"))
        }
    }

    /// Reads every file named in the configuration. Refuses a configuration that would expose all recordings.
    /// Blocks.
    init(_ configuration: Configuration) throws(ServiceError) {
        if let exposure = configuration.exposure { throw ServiceError(exposure.description) }
        vonage = configuration.vonage
        proxies = TrustedProxies(configuration.listen.trustedProxies)
        failedLogins = FailedTries(perMinute: configuration.limits.failedTriesPerMinute)
        // Valid requests never wait, so a short delay is enough. A connection whose answer waits occupies a place.
        failedCalls = FailedTries(perMinute: configuration.limits.failedTriesPerMinute, longestWait: 1)
        hosts = KnownHosts(configuration)
        let access = configuration.access, secrets: Secrets
        do throws(ConfigurationProblem) { secrets = try Secrets(configuration) } catch {
            throw ServiceError(error.description)
        }
        certificates = secrets.certificates
        signatureSecrets = secrets.signatures
        tokens = vonage.requireToken ? CallTokens(keys: secrets.tokenKeys, lifetime: vonage.tokenLifetime) : nil
        credentials =
            access.isOpen ? nil : .init(user: access.user, passwords: secrets.passwords, tokens: secrets.accessTokens)
    }

    /// Returns true if a request may see details of calls and of this machine. Do not use it for open paths:
    /// nothing limits guesses there.
    func mayKnow(_ request: Request) -> Bool {
        if let credentials { return credentials.match(request) }
        return request.head.authority.map(hosts.isKnown) ?? true
    }

    /// Returns the check of the carrier's signature; nil if no secret is configured.
    func signature() async throws -> VonageSignature? {
        guard !signatureSecrets.isEmpty else { return nil }
        return try await VonageSignature(secrets: signatureSecrets, configuration: vonage)
    }

    /// Returns the password check; nil if access is open.
    func accessControl(refusals: Refusals) -> AccessControl? {
        credentials.map {
            AccessControl(
                credentials: $0,
                openPaths: ["/webhooks/answer", "/webhooks/event", "/healthz", "/readyz", vonage.path],
                proxies: proxies,
                refusals: refusals, tries: failedLogins)
        }
    }

    /// The middleware for the security headers of every response.
    var securityHeaders: SecurityHeaders { SecurityHeaders(tls: certificates != nil, proxies: proxies) }
}
