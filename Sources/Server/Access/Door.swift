import CallreelCore
import Hummingbird

/// Who comes in, and over what: a configuration's secrets and certificates, read, and what is made of them.
struct Door: Sendable {
    /// Nil serves http and ws.
    let certificates: TLSCertificates?
    let proxies: TrustedProxies
    /// Nil lets calls in without a token.
    let tokens: CallTokens?
    /// Wrong passwords and tokens on their way to the page and the API.
    let failedLogins: FailedTries
    /// Wrong tokens and signatures of calls and webhooks.
    let failedCalls: FailedTries
    private let vonage: Configuration.Vonage
    private let signatureSecrets: [String]
    /// The names under which the server answers.
    let hosts: KnownHosts
    /// Nil shows everything to everybody.
    let credentials: AccessControl.Credentials?

    /// What the files hold that the configuration names.
    struct Secrets {
        let certificates: TLSCertificates?
        let signatures, tokenKeys, passwords, accessTokens: [String]

        /// Reads them all. Blocks.
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

    /// Reads every file that the configuration names. Refuses a configuration that would show recordings to everybody.
    init(_ configuration: Configuration) throws(ServiceError) {
        if let exposure = configuration.exposure { throw ServiceError(exposure.description) }
        vonage = configuration.vonage
        proxies = TrustedProxies(configuration.listen.trustedProxies)
        failedLogins = FailedTries(perMinute: configuration.limits.failedTriesPerMinute)
        // A right one never waits, so the delay need not be long; and a connection whose answer waits takes a place.
        failedCalls = FailedTries(perMinute: configuration.limits.failedTriesPerMinute, longestWait: 1)
        hosts = KnownHosts(configuration)
        let access = configuration.access, secrets: Secrets
        do throws(ConfigurationProblem) { secrets = try Secrets(configuration) } catch { throw ServiceError(error.description) }
        certificates = secrets.certificates
        signatureSecrets = secrets.signatures
        tokens = vonage.requireToken ? CallTokens(keys: secrets.tokenKeys, lifetime: vonage.tokenLifetime) : nil
        credentials = access.isOpen ? nil : .init(user: access.user, passwords: secrets.passwords, tokens: secrets.accessTokens)
    }

    /// Whether a request may see what is shown of calls and of this machine. Not for paths that are open: nothing limits guesses there.
    func mayKnow(_ request: Request) -> Bool {
        if let credentials { return credentials.match(request) }
        return request.head.authority.map(hosts.isKnown) ?? true
    }

    /// The check of the carrier's signature, if there is one.
    func signature() async throws -> VonageSignature? {
        guard !signatureSecrets.isEmpty else { return nil }
        return try await VonageSignature(secrets: signatureSecrets, configuration: vonage)
    }

    /// What asks for the password, if there is one.
    func accessControl(refusals: Refusals) -> AccessControl? {
        credentials.map {
            AccessControl(
                credentials: $0, openPaths: ["/webhooks/answer", "/webhooks/event", "/healthz", "/readyz", vonage.path], proxies: proxies,
                refusals: refusals, tries: failedLogins)
        }
    }

    /// What every response's headers are made by.
    var securityHeaders: SecurityHeaders { SecurityHeaders(tls: certificates != nil, proxies: proxies) }
}
