import CallreelNetwork
import HTTPTypes
import Hummingbird
import NIOHTTP1

/// Converts the target of every request to one form before routing. The router, the password check and the refusals
/// thus use the same path.
///
/// - Removes repeated slashes and a final slash.
/// - Removes the path of `publicURL` at the beginning: some proxies remove it, some do not.
struct RequestTarget: Sendable {
    /// The path of `publicURL`: empty, or such as `/phone`.
    let prefix: String
    /// The first components of all served paths.
    let routes: Set<String>

    /// - Parameter carrierPaths: the paths of the carriers' WebSockets and webhooks.
    init(publicURL: PublicURL?, carrierPaths: [String]) {
        prefix = publicURL?.path ?? ""
        let first = carrierPaths.compactMap { $0.split(separator: "/").first.map(String.init) }
        routes = Set(CarrierPlan.ownPaths + first)
    }

    /// Returns the path and query of a target, and the host if the target is absolute.
    /// Returns a target of another form unchanged.
    static func origin(of target: String) -> (target: String, host: String?) {
        guard !target.hasPrefix("/"),
            let scheme = ["http://", "https://", "ws://", "wss://"].first(where: { target.lowercased().hasPrefix($0) })
        else { return (target, nil) }
        let rest = target.dropFirst(scheme.count)
        let host = rest.prefix { !"/?#".contains($0) }
        let path = rest.dropFirst(host.count)
        // User information has no meaning here, and must not pass for the host.
        let name = host.split(separator: "@", omittingEmptySubsequences: false).last ?? ""
        return (path.hasPrefix("/") ? String(path) : "/" + path, String(name))
    }

    /// Returns a target in the form used for routing.
    func canonical(_ target: String) -> String {
        guard target.hasPrefix("/") else { return target }
        let path = target.prefix { $0 != "?" && $0 != "#" }
        let rest = target.dropFirst(path.count)
        let short =
            path.contains("//") || path.hasSuffix("/")
            ? "/" + path.split(separator: "/").joined(separator: "/") : String(path)
        guard !prefix.isEmpty, short == prefix || short.hasPrefix(prefix + "/") else { return short + rest }
        let inner = short.dropFirst(prefix.count)
        // The public path may begin like one of the routes. The target then stays as it is, unless the rest is a route
        // too.
        guard let first = inner.split(separator: "/").first else { return "/" + rest }
        return (routes.contains(String(first)) ? String(inner) : short) + rest
    }

    /// Returns the page's address if a target is that address without the final slash, because its relative links would
    /// then be wrong.
    func redirection(of target: String) -> String? { !prefix.isEmpty && target == prefix ? prefix + "/" : nil }
}

extension HTTPRequestHead {
    /// The same request with a path as its target. If the target was absolute, its host replaces the `Host` header (RFC
    /// 9112, section 3.2.2).
    var originForm: HTTPRequestHead {
        let (target, host) = RequestTarget.origin(of: uri)
        guard let host else { return self }
        var head = self
        head.uri = target
        head.headers.replaceOrAdd(name: "host", value: host)
        return head
    }
}

/// Converts the target of every request before the next responder answers it.
struct CanonicalRequests<Next: HTTPResponder>: HTTPResponder where Next.Context == RequestScope {
    let target: RequestTarget
    let next: Next

    func respond(to request: Request, context: RequestScope) async throws -> Response {
        var head = request.head
        let path = head.path ?? "/"
        if let place = target.redirection(of: path) {
            return Response(status: .permanentRedirect, headers: [.location: place])
        }
        head.path = target.canonical(path)
        guard head != request.head else { return try await next.respond(to: request, context: context) }
        return try await next.respond(to: Request(head: head, body: request.body), context: context)
    }
}

/// Refuses requests to an unknown host name, or from a page of another site.
struct HostCheck: RouterMiddleware {
    typealias Context = RequestScope

    let hosts: KnownHosts
    let proxies: TrustedProxies
    /// The paths of carriers. They may use any name.
    let carrierPaths: Set<String>
    let onRefusal: @Sendable (KnownHosts.Refusal, Request, RequestScope) -> Void

    func handle(
        _ request: Request, context: RequestScope, next: @concurrent (Request, RequestScope) async throws -> Response
    ) async throws -> Response {
        let path = request.uri.path
        // Load balancers send these to any name. The answers show nothing of calls or of the machine.
        if ["/healthz", "/readyz"].contains(path) { return try await next(request, context) }
        do throws(KnownHosts.Refusal) {
            try hosts.check(
                host: request.head.authority, origins: request.headers[values: .origin],
                forwardedHost: proxies.host(of: request, in: context),
                isForCarriers: carrierPaths.contains(path))
        } catch {
            onRefusal(error, request, context)
            throw HTTPError(error.status, message: error.reason)
        }
        return try await next(request, context)
    }
}
