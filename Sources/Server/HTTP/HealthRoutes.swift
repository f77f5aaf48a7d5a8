import CallreelCore
import Hummingbird
import NIOCore

/// What machines ask: whether the program lives, whether it takes calls, and its numbers.
struct HealthRoutes: Sendable {
    /// The paths, which nothing else may take.
    static let paths = ["healthz", "readyz", "metrics"]

    let recorder: Recorder
    let metrics: PrometheusMetrics

    /// Adds `GET /healthz`, `/readyz` and `/metrics`.
    func add(to router: Router<RequestScope>) {
        // Whoever gets this answer knows that the event loop and the thread pool are alive, and nothing more.
        router.get("/healthz") { _, _ in Response(status: .ok, headers: Self.headers("text/plain; charset=utf-8"), body: Self.body("alive\n")) }
        router.get("/readyz") { _, _ in readiness() }
        router.get("/metrics") { _, _ in
            Response(status: .ok, headers: Self.headers(PrometheusMetrics.mediaType), body: Self.body(metrics.text()))
        }
    }

    /// 200 when calls are taken, 503 when not; and in JSON why, and what else an operator should know.
    private func readiness() -> Response {
        let readiness = recorder.readiness
        let obstacles = readiness.obstacles.map { JSONValue.object(["kind": .string($0.kind.rawValue), "reason": .string($0.reason)]) }
        let value = JSONValue.object([
            "ready": .boolean(readiness.isReady), "obstacles": .array(obstacles), "warnings": .array(readiness.warnings.map(JSONValue.string)),
        ])
        return Response(
            status: readiness.isReady ? .ok : .serviceUnavailable, headers: Self.headers("application/json; charset=utf-8"),
            body: Self.body(value.json() + "\n"))
    }

    private static func headers(_ type: String) -> HTTPFields { [.contentType: type, .cacheControl: "no-store"] }

    private static func body(_ text: String) -> ResponseBody { ResponseBody(byteBuffer: ByteBuffer(string: text)) }
}
