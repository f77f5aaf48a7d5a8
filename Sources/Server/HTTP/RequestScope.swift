import HTTPTypes
import Hummingbird
import NIOCore

/// What is known of a request beside itself: the other end of its connection.
struct RequestScope: RequestContext {
    var coreContext: CoreRequestContextStorage
    /// The address at the other end: a client, or a proxy.
    let peer: String?

    init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        peer = source.channel.remoteAddress?.ipAddress
    }
}

extension TrustedProxies {
    /// The address that a request comes from.
    func client(of request: Request, in scope: RequestScope) -> String { client(peer: scope.peer, headers: Self.headers(of: request)) }

    /// Whether a request came over TLS, on its whole way or to a proxy.
    func isSecure(_ request: Request, in scope: RequestScope, tls: Bool) -> Bool {
        isSecure(peer: scope.peer, tls: tls, headers: Self.headers(of: request))
    }

    /// The host and port that a trusted proxy was asked for; nil where none says so.
    func host(of request: Request, in scope: RequestScope) -> String? { host(peer: scope.peer, headers: Self.headers(of: request)) }

    private static func headers(of request: Request) -> Headers {
        { name in HTTPField.Name(name).map { request.headers[values: $0] } ?? [] }
    }
}
