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
    private let signatureSecret: String?
    /// Nil shows everything to everybody.
    private let credentials: AccessControl.Credentials?

    /// Reads every file that the configuration names. Refuses a configuration that would show recordings to everybody.
    init(_ configuration: Configuration) throws(ServiceError) {
        if let exposure = configuration.exposure { throw ServiceError(exposure.description) }
        vonage = configuration.vonage
        proxies = TrustedProxies(configuration.listen.trustedProxies)
        failedLogins = FailedTries(perMinute: configuration.limits.failedTriesPerMinute)
        // A right one never waits, so the delay need not be long; and a connection whose answer waits takes a place.
        failedCalls = FailedTries(perMinute: configuration.limits.failedTriesPerMinute, longestWait: 1)
        let access = configuration.access
        let root = ConfigurationPath.root
        do throws(ConfigurationProblem) {
            certificates = if let tls = configuration.listen.tls { try TLSCertificates(tls) } else { nil }
            signatureSecret = try vonage.signatureSecret?.value(at: root.key("vonage").key("signatureSecret"))
            let key = try vonage.tokenKey?.value(at: root.key("vonage").key("tokenKey"))
            tokens = vonage.requireToken ? CallTokens(key: key, lifetime: vonage.tokenLifetime) : nil
            let password = try access.password?.value(at: root.key("access").key("password"))
            let token = try access.token?.value(at: root.key("access").key("token"))
            credentials = access.isOpen ? nil : .init(user: access.user, password: password, token: token)
        } catch {
            throw ServiceError(error.description)
        }
    }

    /// The check of the carrier's signature, if there is one.
    func signature() async throws -> VonageSignature? {
        guard let signatureSecret else { return nil }
        return try await VonageSignature(secret: signatureSecret, configuration: vonage)
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
