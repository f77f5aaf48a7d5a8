import CallreelCore
import CallreelEngine
import Hummingbird
import NIOCore

/// The routes for monitoring: liveness, readiness and metrics.
struct HealthRoutes: Sendable {
    /// The reserved paths.
    static let paths = ["healthz", "readyz", "metrics"]

    let recorder: Recorder
    let admission: Admission
    let metrics: PrometheusMetrics
    /// Returns true if a request may see details besides the readiness.
    let mayKnow: @Sendable (Request) -> Bool

    /// Adds `GET /healthz`, `/readyz` and `/metrics`.
    func add(to router: Router<RequestScope>) {
        // This answer proves that the event loop and the thread pool are running, and nothing more.
        router.get("/healthz") { _, _ in
            Response(status: .ok, headers: Self.headers("text/plain; charset=utf-8"), body: Self.body("alive\n"))
        }
        router.get("/readyz") { request, _ in readiness(isDetailed: mayKnow(request)) }
        router.get("/metrics") { _, _ in
            Response(status: .ok, headers: Self.headers(PrometheusMetrics.mediaType), body: Self.body(metrics.text()))
        }
    }

    /// Answers 200 if Callreel takes calls, 503 if not, with the obstacles in JSON.
    ///
    /// Without a password, a client sees only the kinds of obstacles. The reasons and warnings name paths and sinks,
    /// so they need a password.
    private func readiness(isDetailed: Bool) -> Response {
        let readiness = admission.readiness(recorder.readiness)
        let obstacles = readiness.obstacles.map { obstacle -> JSONValue in
            .object(
                ["kind": .string(obstacle.kind.rawValue)].merging(
                    isDetailed ? ["reason": .string(obstacle.reason)] : [:]
                ) { _, new in new })
        }
        var value: [String: JSONValue] = ["ready": .boolean(readiness.isReady), "obstacles": .array(obstacles)]
        if isDetailed { value["warnings"] = .array(readiness.warnings.map(JSONValue.string)) }
        return Response(
            status: readiness.isReady ? .ok : .serviceUnavailable,
            headers: Self.headers("application/json; charset=utf-8"),
            body: Self.body(JSONValue.object(value).json() + "\n"))
    }

    private static func headers(_ type: String) -> HTTPFields { [.contentType: type, .cacheControl: "no-store"] }

    private static func body(_ text: String) -> ResponseBody { ResponseBody(byteBuffer: ByteBuffer(string: text)) }
}
