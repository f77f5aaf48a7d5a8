import CallreelCore
import CallreelTesting
import Foundation
import Synchronization

/// The possible flaws of a sink for a destination other than files. Each breaks one rule and no other.
enum UploadFlaw: String, CaseIterable, Sendable {
    case none, uploadsNothing, uploadsHalf, doesNotWait, swallowsFailures, blamesItself, forbidsRetry, waitsForEver
    case staysBroken, repeatsAtParts, swapsChannels

    var rule: SinkContractRule? {
        switch self {
        case .none: nil
        case .uploadsNothing, .uploadsHalf, .doesNotWait: .arrival
        case .swallowsFailures: .failedDestination
        case .blamesItself: .blame
        case .forbidsRetry: .retryable
        case .waitsForEver: .hangingDestination
        case .staysBroken: .comeback
        case .repeatsAtParts: .wholeParts
        case .swapsChannels: .channels
        }
    }
}

/// A server in memory that takes audio, and that a test lets fail, hang and come back.
final class TestServer: Sendable {
    enum Mode { case works, fails, hangs }

    private struct State {
        var mode = Mode.works
        var samples: [Int16] = []
        var isLocked = false
    }

    private static let all = Mutex<[String: TestServer]>([:])
    let name = UUID().uuidString
    private let state = Mutex(State())

    init() { Self.all.withLock { $0[name] = self } }

    static func named(_ name: String) -> TestServer? { all.withLock { $0[name] } }

    var destination: SinkDestination {
        SinkDestination(
            received: { [self] in .samples(state.withLock(\.samples)) }, fail: { [self] in turn(.fails) },
            hang: { [self] in turn(.hangs) }, comeBack: { [self] in turn(.works) })
    }

    func turn(_ mode: Mode) { state.withLock { $0.mode = mode } }

    /// Takes samples. Suspends, and throws while the server fails, or if it has not answered within the limit.
    func send(_ samples: [Int16], limit: Duration) async throws {
        let end = ContinuousClock.now + limit
        await Task.yield()
        while state.withLock({ $0.mode == .hangs }) {
            if .now >= end { throw POSIXError(.ETIMEDOUT) }
            try await Task.sleep(for: .milliseconds(2))
        }
        try state.withLock { state in
            if state.mode == .fails { throw POSIXError(.ECONNRESET) }
            state.samples += samples
        }
    }

    /// A lock that a broken sink leaves.
    var isLocked: Bool {
        get { state.withLock(\.isLocked) }
        set { state.withLock { $0.isLocked = newValue } }
    }
}

/// Sends audio to a ``TestServer`` with verbs that suspend, with one flaw.
struct UploadSink: ~Copyable, AudioSink {
    struct Options: Configurable {
        var flaw = UploadFlaw.none
        var server = ""

        init() {}
        init(_ flaw: UploadFlaw, _ server: TestServer) {
            self.flaw = flaw
            self.server = server.name
        }

        static let fields: [Field<Self>] = [
            .choice("flaw", \.flaw, "What is wrong."), .string("server", \.server, "The server."),
        ]
    }

    static let type = "upload"
    static let summary = "sends samples to a server, with a flaw"

    private let options: Options
    private let server: TestServer
    private let channels: Int
    private let part: Int
    private var frames = 0

    init(options: Options, context: SinkContext) async throws(SinkError) {
        guard let server = TestServer.named(options.server) else {
            throw SinkError(.open, "\(options.server.debugDescription) is no server", blame: .options)
        }
        if options.flaw == .staysBroken, server.isLocked { throw SinkError(.open, "\(options.server) is locked") }
        try await Self.send([], .open, server, options.flaw)
        self.options = options
        self.server = server
        channels = context.format.channels
        part = context.part
    }

    mutating func write(_ chunk: borrowing PCMChunk) async throws(SinkError) {
        var samples = chunk.withSamples { span in span.indices.map { span[$0] } }
        let isFirst = frames == 0
        frames += chunk.frameCount
        switch options.flaw {
        case .uploadsNothing: samples = []
        case .uploadsHalf where channels == 1: samples = Array(samples.prefix(samples.count / 2))
        case .uploadsHalf: return
        case .repeatsAtParts where part > 0 && isFirst: samples += samples
        case .swapsChannels where channels == 2:
            for index in stride(from: 0, to: samples.count, by: 2) { samples.swapAt(index, index + 1) }
        case .doesNotWait:
            // The verb has returned before its chunk is on the way.
            let late = samples, server = server
            Task {
                try await Task.sleep(for: .milliseconds(20))
                try await server.send(late, limit: .seconds(1))
            }
            return
        default: break
        }
        try await Self.send(samples, .write, server, options.flaw)
    }

    consuming func finish(_ end: CallEnd) async throws(SinkError) -> SinkReceipt {
        try await Self.send([], .finish, server, options.flaw)
        return SinkReceipt(frames: frames)
    }

    private static func send(
        _ samples: [Int16], _ code: SinkError.Code, _ server: TestServer, _ flaw: UploadFlaw
    ) async throws(SinkError) {
        do {
            try await server.send(samples, limit: flaw == .waitsForEver ? .seconds(600) : .milliseconds(100))
        } catch {
            if flaw == .swallowsFailures { return }
            if flaw == .staysBroken { server.isLocked = true }
            throw SinkError(
                code, "\(server.name) does not answer", cause: error,
                blame: flaw == .blamesItself ? .bug : .destination,
                isRetryable: flaw == .forbidsRetry || flaw == .blamesItself ? false : nil)
        }
    }
}
