import CallreelCore
import CallreelTesting
import Foundation
import Logging
import Synchronization

/// A delivery's possible flaws. Each breaks one rule of the contract and no other.
enum DeliveryFlaw: String, CaseIterable, Codable, Sendable {
    case none, changesItsMind, hasAnObstacle, triesTheDestination
    case deliversNothing, deliversHalf, deliversTwice, refusesAgain, mixesUp
    case writesBeside, changesAFile, claimsWithoutFiles, breaksAtOddities, runsFacts, followsFacts
    case attachesASlash, attachesTwice, attachesManifest, countsInfinity
    case swallowsFailures, givesNoReason, givesTwoLines, namesNoAddress, staysBroken, leavesALock
    case ignoresCancellation, leaksDescriptor, leaksProcess, leaksWhenCancelled
    case tellsInErrors, tellsInReceipts, tellsInLog, tellsInAttachments
}

/// A destination in memory, which a test lets fail, hang and come back.
final class TestDestination: Sendable {
    enum Mode { case works, fails, hangs }

    private struct State {
        var mode = Mode.works
        var have: [RecordingID: DeliveryEvidence] = [:]
        var lock: Int?
        var current: RecordingID?
        var asked = 0
    }

    private static let all = Mutex<[String: TestDestination]>([:])
    let name = "mem-\(UUID().uuidString)"
    private let state = Mutex(State())

    init() { Self.all.withLock { $0[name] = self } }

    /// Returns the destination of a name, as an address is looked up.
    static func named(_ name: String) -> TestDestination? { all.withLock { $0[name] } }

    /// The plan of a kit for this destination.
    func plan(secrets: [String] = []) -> DeliveryContractPlan {
        var plan = DeliveryContractPlan(
            delivered: { [self] in state.withLock(\.have) }, fail: { [self] in turn(.fails) },
            hang: { [self] in turn(.hangs) }, recover: { [self] in turn(.works) })
        plan.address = name
        plan.secrets = secrets
        plan.patience = .seconds(3)
        return plan
    }

    func turn(_ mode: Mode) { state.withLock { $0.mode = mode } }

    var mode: Mode { state.withLock(\.mode) }

    /// Counts questions.
    func ask() -> Int {
        state.withLock { state in
            state.asked += 1
            return state.asked
        }
    }

    /// Waits while the destination hangs, and throws while it fails.
    func reach() async throws {
        while mode == .hangs { try await Task.sleep(for: .milliseconds(2)) }
        if mode == .fails { throw POSIXError(.ECONNREFUSED) }
    }

    /// Takes a recording. One that is here already is replaced.
    func take(_ id: RecordingID, _ files: [[UInt8]], isNew: Bool = false) {
        state.withLock { state in
            let times = isNew ? (state.have[id]?.times ?? 0) + 1 : 1
            state.have[id] = DeliveryEvidence(times: times, files: files)
        }
    }

    func has(_ id: RecordingID) -> Bool { state.withLock { $0.have[id] != nil } }

    /// A note at the destination of the recording under way, which two deliveries would share.
    var current: RecordingID? {
        get { state.withLock(\.current) }
        set { state.withLock { $0.current = newValue } }
    }

    /// The instance that has locked the destination.
    var lock: Int? {
        get { state.withLock(\.lock) }
        set { state.withLock { $0.lock = newValue } }
    }
}

/// Delivers to a ``TestDestination``, with one flaw.
struct FlawedDelivery: Delivery {
    struct Options: Configurable {
        var flaw = DeliveryFlaw.none
        var address = "mem-none"
        var key: Secret?

        init() {}
        init(_ flaw: DeliveryFlaw, _ destination: TestDestination) {
            self.flaw = flaw
            address = destination.name
        }

        static let fields: [Field<Self>] = [
            .choice("flaw", \.flaw, "What is wrong."),
            .string("address", \.address, "The name of the destination.") {
                $0.hasPrefix("mem-") ? nil : "is not the name of a destination"
            },
            .secret("key", \.key, "The key."),
        ]
    }

    static let type = "flawed"
    static let summary = "delivers to memory, with a flaw"
    /// The secret that some flaws tell.
    static let secret = "swordfish-0123"

    private static let instances = Mutex(0)

    private let options: Options
    private let destination: TestDestination
    private let logger: Logger
    private let number: Int
    private let state = InstanceState()

    private final class InstanceState: Sendable {
        let isBroken = Mutex(false)
    }

    static func refusal(options: Options) -> String? {
        guard options.flaw == .changesItsMind, let destination = TestDestination.named(options.address) else {
            return nil
        }
        return destination.ask().isMultiple(of: 2) ? "not now" : nil
    }

    static func obstacle(options: Options) -> String? {
        switch options.flaw {
        case .hasAnObstacle: return "there is none"
        case .triesTheDestination:
            TestDestination.named(options.address)?.take(RecordingID(), [])
            return nil
        default: return nil
        }
    }

    init(options: Options, context: DeliveryContext) throws(ConfigurationProblem) {
        guard let destination = TestDestination.named(options.address) else {
            throw ConfigurationProblem(at: context.place.key("address"), "\"\(options.address)\" is no destination")
        }
        self.options = options
        self.destination = destination
        logger = context.logger
        number = Self.instances.withLock { count in
            count += 1
            return count
        }
    }

    func deliver(_ recording: PublishedRecording) async throws(DeliveryError) -> DeliveryReceipt {
        do { return try await take(recording) } catch let error as DeliveryError { throw error } catch {
            throw failure(recording, error)
        }
    }

    private func failure(_ recording: PublishedRecording, _ error: any Error) -> DeliveryError {
        switch options.flaw {
        case .givesNoReason: DeliveryError("  ")
        case .givesTwoLines: DeliveryError("\(options.address):\nno answer")
        case .namesNoAddress: DeliveryError("it does not work")
        case .tellsInErrors: DeliveryError("\(options.address): the key \(Self.secret) is refused")
        default: DeliveryError("\(options.address) does not take \(recording.name.debugDescription)", cause: error)
        }
    }

    private func take(_ recording: PublishedRecording) async throws -> DeliveryReceipt {
        let flaw = options.flaw, id = recording.id
        switch flaw {
        case .ignoresCancellation: while destination.mode == .hangs { usleep(2000) }
        case .leaksDescriptor: _ = unsafe open("/dev/null", O_RDONLY | O_CLOEXEC)
        case .leaksProcess:
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/bin/sleep")
            process.arguments = ["20"]
            try process.run()
        case .mixesUp: destination.current = id
        case .staysBroken where state.isBroken.withLock({ $0 }): throw POSIXError(.EPIPE)
        case .leavesALock:
            if let lock = destination.lock, lock != number { throw POSIXError(.EBUSY) }
        case .refusesAgain where destination.has(id): throw POSIXError(.EEXIST)
        case .tellsInLog: logger.debug("connecting", metadata: ["key": "\(Self.secret)"])
        case .breaksAtOddities where recording.files.isEmpty: state.isBroken.withLock { $0 = true }
        case .breaksAtOddities where state.isBroken.withLock({ $0 }): throw POSIXError(.EPIPE)
        default: break
        }
        do { try await destination.reach() } catch {
            if flaw == .swallowsFailures, !(error is CancellationError) { return DeliveryReceipt() }
            if flaw == .staysBroken { state.isBroken.withLock { $0 = true } }
            if flaw == .leavesALock { destination.lock = number }
            if flaw == .leaksWhenCancelled { _ = unsafe open("/dev/null", O_RDONLY | O_CLOEXEC) }
            throw error
        }
        if flaw == .leavesALock { destination.lock = nil }
        if flaw == .mixesUp { try await Task.sleep(for: .milliseconds(20)) }
        try meddle(recording)
        if flaw == .deliversNothing || flaw == .claimsWithoutFiles && recording.files.isEmpty {
            return DeliveryReceipt()
        }
        let files = try recording.files.map { file in
            [UInt8](try Data(contentsOf: URL(fileURLWithPath: file.path)))
        }
        let half = files.map { Array($0.prefix($0.count / 2)) }
        destination.take(
            flaw == .mixesUp ? destination.current ?? id : id, flaw == .deliversHalf ? half : files,
            isNew: flaw == .deliversTwice)
        return receipt
    }

    /// Does what no delivery may do.
    private func meddle(_ recording: PublishedRecording) throws {
        let directory = URL(fileURLWithPath: recording.manifestPath).deletingLastPathComponent()
        switch options.flaw {
        case .writesBeside: try Data("sent".utf8).write(to: directory.appendingPathComponent("sent"))
        case .changesAFile:
            if let file = recording.files.first { try Data("x".utf8).write(to: URL(fileURLWithPath: file.path)) }
        case .runsFacts:
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/bin/sh")
            process.arguments = ["-c", "true \(recording.call.from ?? "")"]
            process.standardError = FileHandle.nullDevice
            // A text with a zero byte cannot be an argument.
            if recording.call.from?.contains("\r") != true { try process.run() }
            process.waitUntilExit()
        case .followsFacts:
            guard let name = recording.call.to, name.hasPrefix("../") else { return }
            try Data("notes".utf8).write(to: directory.appendingPathComponent(name))
        default: break
        }
    }

    private var receipt: DeliveryReceipt {
        var receipt = DeliveryReceipt(details: ["address": .string(options.address)])
        switch options.flaw {
        case .attachesASlash: receipt.attachments = [.init("a/b", [1])]
        case .attachesTwice: receipt.attachments = [.init("txt", [1]), .init("txt", [2])]
        case .attachesManifest: receipt.attachments = [.init("JSON", [1])]
        case .countsInfinity: receipt.details["seconds"] = .array([.number(.infinity)])
        case .tellsInReceipts: receipt.details["key"] = .string(Self.secret)
        case .tellsInAttachments: receipt.attachments = [.init("txt", Array("key: \(Self.secret)".utf8))]
        default: break
        }
        return receipt
    }
}
