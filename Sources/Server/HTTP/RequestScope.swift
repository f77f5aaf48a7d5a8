import HTTPTypes
import Hummingbird
import NIOCore

/// The context of a request: the peer address of its connection.
struct RequestScope: RequestContext {
    var coreContext: CoreRequestContextStorage
    /// The peer's address: a client's, or a proxy's.
    let peer: String?

    init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        peer = source.channel.remoteAddress?.ipAddress
    }
}

extension TrustedProxies {
    /// Returns a request's client address.
    func client(of request: Request, in scope: RequestScope) -> String {
        client(peer: scope.peer, headers: Self.headers(of: request))
    }

    /// Returns true if the client's request came over TLS, to Callreel or to a trusted proxy.
    func isSecure(_ request: Request, in scope: RequestScope, tls: Bool) -> Bool {
        isSecure(peer: scope.peer, tls: tls, headers: Self.headers(of: request))
    }

    /// Returns the host and port reported by a trusted proxy; nil without a report.
    func host(of request: Request, in scope: RequestScope) -> String? {
        host(peer: scope.peer, headers: Self.headers(of: request))
    }

    private static func headers(of request: Request) -> Headers {
        { name in HTTPField.Name(name).map { request.headers[values: $0] } ?? [] }
    }
}
