import CallreelCore
import Hummingbird
import NIOCore

/// What machines ask: whether the program lives, whether it takes calls, and its numbers.
struct HealthRoutes: Sendable {
    /// The paths, which nothing else may take.
    static let paths = ["healthz", "readyz", "metrics"]

    let recorder: Recorder
    let admission: Admission
    let metrics: PrometheusMetrics
    /// Who sees more than whether calls are taken.
    let mayKnow: @Sendable (Request) -> Bool

    /// Adds `GET /healthz`, `/readyz` and `/metrics`.
    func add(to router: Router<RequestScope>) {
        // Whoever gets this answer knows that the event loop and the thread pool are alive, and nothing more.
        router.get("/healthz") { _, _ in Response(status: .ok, headers: Self.headers("text/plain; charset=utf-8"), body: Self.body("alive\n")) }
        router.get("/readyz") { request, _ in readiness(isDetailed: mayKnow(request)) }
        router.get("/metrics") { _, _ in
            Response(status: .ok, headers: Self.headers(PrometheusMetrics.mediaType), body: Self.body(metrics.text()))
        }
    }

    /// 200 when calls are taken, 503 when not; and in JSON why, and what else an operator should know.
    ///
    /// Strangers learn what kind of obstacle there is. The words name paths and sinks, which are for those who may see the page.
    private func readiness(isDetailed: Bool) -> Response {
        let readiness = admission.readiness(recorder.readiness)
        let obstacles = readiness.obstacles.map { obstacle -> JSONValue in
            .object(["kind": .string(obstacle.kind.rawValue)].merging(isDetailed ? ["reason": .string(obstacle.reason)] : [:]) { _, new in new })
        }
        var value: [String: JSONValue] = ["ready": .boolean(readiness.isReady), "obstacles": .array(obstacles)]
        if isDetailed { value["warnings"] = .array(readiness.warnings.map(JSONValue.string)) }
        return Response(
            status: readiness.isReady ? .ok : .serviceUnavailable, headers: Self.headers("application/json; charset=utf-8"),
            body: Self.body(JSONValue.object(value).json() + "\n"))
    }

    private static func headers(_ type: String) -> HTTPFields { [.contentType: type, .cacheControl: "no-store"] }

    private static func body(_ text: String) -> ResponseBody { ResponseBody(byteBuffer: ByteBuffer(string: text)) }
}
