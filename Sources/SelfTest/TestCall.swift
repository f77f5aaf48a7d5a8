import CallreelCore
import CallreelSimulator
import Foundation
import Synchronization

/// One call of the self-test, on the wire like a carrier's.
final class TestCall: Sendable {
    /// The key of the call's number in the handshake message, and so in the manifest.
    static let key = "selftest-call"

    /// The speed of sending: real time, or as fast as the server takes audio.
    enum Pace { case live, maximum }

    let signal: TestSignal
    private let connection: CarrierConnection
    private struct Counts {
        var tried = 0
        var sent = 0
        var isStopped = false
    }
    private let counts = Mutex(Counts())

    private init(_ signal: TestSignal, _ connection: CarrierConnection) {
        self.signal = signal
        self.connection = connection
    }

    /// Places a call.
    /// - Parameter from: the caller's number; by default the call's.
    static func open(_ number: Int, to server: ServerProcess, from: String? = nil) async throws -> TestCall {
        let instructions = CallInstructions(
            url: server.url.replacing("http:", with: "ws:") + "/cable", format: TestSignal.format,
            headers: [key: .integer(number), "from": .string(from ?? "\(number)"), "uuid": .string(UUID().uuidString)])
        return TestCall(TestSignal(call: number), try await CarrierConnection.open(instructions))
    }

    /// Frames accepted by the system for certain.
    var sent: Int { counts.withLock { $0.sent } }
    /// Frames sent, including those being sent.
    var tried: Int { counts.withLock { $0.tried } }

    /// Makes ``send(_:_:)`` end at the next message.
    func stop() { counts.withLock { $0.isStopped = true } }

    /// Sends the next frames of the call's audio. Throws if the server ends the call.
    func send(_ frames: Int, _ pace: Pace) async throws {
        let format = TestSignal.format
        let batch = format.frames(seconds: pace == .live ? 2 * CarrierConnection.frameDuration : 0.5)
        let start = ContinuousClock.now, begin = tried, end = begin + frames
        while let range = counts.withLock({ counts -> Range<Int>? in
            guard !counts.isStopped, counts.tried < end else { return nil }
            defer { counts.tried = min(counts.tried + batch, end) }
            return counts.tried..<min(counts.tried + batch, end)
        }) {
            if pace == .live {
                try? await Task.sleep(until: start + .seconds(format.seconds(frames: range.lowerBound - begin)))
            }
            try await connection.send(audio: signal.samples(range), format: format)
            counts.withLock { $0.sent = range.upperBound }
        }
    }

    /// Sends audio in real time, until the server ends the call or ``stop()`` is called.
    func speak() async { try? await send(Int.max / 2, .live) }

    /// Ends the call with a closing handshake, and returns the server's code.
    func hangUp(code: UInt16 = 1000) async throws -> UInt16? { try await connection.hangUp(code: code).code }

    /// Breaks the connection.
    func drop() async { await connection.drop() }

    /// Stops reading and answering.
    func fallSilent() async { await connection.fallSilent() }

    /// Waits until the server ends the call, and returns its code.
    func ending() async -> UInt16? { await connection.ending().code }
}
