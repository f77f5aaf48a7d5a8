import CallreelCore
import CallreelEngine
import ServiceLifecycle

/// Delays the server's shutdown. Once shutdown is requested, Callreel answers no new call, and running calls get some
/// time to end by themselves.
///
/// Calls whose webhook was already answered, and whose callers hear the greeting, get the same time to connect and end.
/// Meanwhile the server keeps answering: health checks learn that it is not ready, and carriers can still send events
/// about running calls.
struct Drain: Service {
    let recorder: Recorder
    let admission: Admission
    /// Time for calls to end, in seconds.
    let timeout: Double
    let hurry: HurrySignal

    func run() async throws {
        try await gracefulShutdown()
        recorder.drain()
        let deadline = ContinuousClock.now + .seconds(timeout)
        while hasCalls, ContinuousClock.now < deadline, !hurry.isGiven, !Task.isCancelled {
            try? await Task.sleep(for: .milliseconds(50))
        }
        recorder.leave()
    }

    private var hasCalls: Bool { admission.hasCalls || !admission.expected.isEmpty() || !recorder.liveCalls.isEmpty }
}
