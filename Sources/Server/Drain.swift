import CallreelCore
import ServiceLifecycle

/// Stands before the server's end: once it is asked for, no new call is answered, and running ones have some time to end by themselves.
///
/// Calls that were answered before, whose callers hear the greeting, have the same time to come and to end.
/// As long as that lasts the server goes on answering, so that whoever asks is told that it is not ready, and carriers can still say
/// what becomes of the running calls.
struct Drain: Service {
    let recorder: Recorder
    let admission: Admission
    /// Seconds that calls have.
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
