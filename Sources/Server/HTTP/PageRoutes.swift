import Crypto
import Foundation
import HTTPTypes
import Hummingbird
import NIOCore

/// The routes of the page: three files built into the program.
enum PageRoutes {
    /// Adds `GET /` with its style sheet and script.
    static func add(to router: Router<RequestScope>) {
        add("/", PackageResources.index_html, "text/html; charset=utf-8", to: router)
        add("/page.css", PackageResources.style_css, "text/css; charset=utf-8", to: router)
        add("/page.js", PackageResources.page_js, "text/javascript; charset=utf-8", to: router)
    }

    private static func add(_ path: RouterPath, _ content: [UInt8], _ type: String, to router: Router<RequestScope>) {
        let body = ByteBuffer(bytes: content)
        let tag = "\"" + SHA256.hash(data: content).prefix(8).map { String($0, radix: 16) }.joined() + "\""
        router.get(path) { request, _ in
            // A browser revalidates each file every time, so that it never mixes files of two versions.
            let headers: HTTPFields = [.contentType: type, .eTag: tag, .cacheControl: "no-cache"]
            guard request.headers[.ifNoneMatch] != tag else { return Response(status: .notModified, headers: headers) }
            return Response(status: .ok, headers: headers, body: ResponseBody(byteBuffer: body))
        }
    }
}

/// Adds the headers that restrict a browser's use of a response.
struct SecurityHeaders: RouterMiddleware {
    typealias Context = RequestScope

    /// This server itself uses TLS.
    let tls: Bool
    let proxies: TrustedProxies

    func handle(
        _ request: Request, context: RequestScope, next: @concurrent (Request, RequestScope) async throws -> Response
    ) async throws -> Response {
        var response: Response
        do {
            response = try await next(request, context)
        } catch let error as any HTTPResponseError {
            response = try error.response(from: request, context: context)
        }
        response.headers[.xContentTypeOptions] = "nosniff"
        response.headers[.contentSecurityPolicy] =
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; media-src 'self'; "
            + "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        // A page of another site can neither show nor play these responses.
        if let name = HTTPField.Name("Cross-Origin-Resource-Policy") { response.headers[name] = "same-origin" }
        if let name = HTTPField.Name("Referrer-Policy") { response.headers[name] = "no-referrer" }
        // After one visit over TLS, a browser uses only TLS for a year (RFC 6797).
        if proxies.isSecure(request, in: context, tls: tls) {
            response.headers[.strictTransportSecurity] = "max-age=31536000"
        }
        return response
    }
}
