import ArgumentParser
import CallreelCore
import CallreelServer
import CallreelSimulator
import CallreelSinks
import Foundation
import Synchronization
import UnixSignals

/// `callreel call`
struct Call: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Plays a file into a call, as a carrier would.",
        discussion: """
            With an http or https address, it requests the NCCO from that answer webhook and follows it. With a ws or \
            wss address, it connects directly. It plays any file that libsndfile reads, and converts rate and channels \
            to those of the call. At the end it waits until the server has published each recording, and prints the \
            recording's path.
            """)

    enum Speed: String, ExpressibleByArgument, CaseIterable, Sendable { case realtime, max }
    enum Carrier: String, ExpressibleByArgument, CaseIterable, Sendable { case vonage }

    /// A digit to send, and the second to send it at.
    struct Digit: ExpressibleByArgument, Sendable {
        let digit: Character
        let seconds: Double

        init?(argument: String) {
            let parts = argument.split(separator: "@", maxSplits: 1)
            guard let digit = parts.first, digit.count == 1, "0123456789*#".contains(digit) else { return nil }
            self.digit = digit[digit.startIndex]
            if parts.count == 2 {
                guard let seconds = Double(parts[1]), seconds >= 0, seconds.isFinite else { return nil }
                self.seconds = seconds
            } else {
                seconds = 0
            }
        }
    }

    @Argument(help: "The audio file to play, or - for standard input. Default: a scale of four seconds.")
    var file: String?

    @Option(help: "The answer webhook (http, https) or the WebSocket (ws, wss) to call.")
    var to = "http://127.0.0.1:9292/webhooks/answer"

    @Option(help: "The carrier to imitate.")
    var carrier = Carrier.vonage

    @Option(help: "Sends audio in real time, or as fast as the server takes it.")
    var speed = Speed.realtime

    @Option(help: "The number of calls to place at once.")
    var calls = 1

    @Option(help: "The caller's number.")
    var from = "447700900123"

    @Option(help: "A digit to press and its time in seconds, such as 5@1.5. May be given more than once.")
    var dtmf: [Digit] = []

    @Flag(help: "Drop the connection at the end instead of closing it.")
    var abrupt = false

    @Option(help: "The server's access.token, to ask for the recordings' paths. Default: CALLREEL_ACCESS_TOKEN.")
    var accessToken: String?

    @OptionGroup var identity: CarrierIdentityOptions

    func validate() throws {
        if !(1...10_000).contains(calls) { throw ValidationError("--calls \(calls) is not in 1...10000") }
        let scheme = URLComponents(string: to)?.scheme?.lowercased() ?? ""
        if !["http", "https", "ws", "wss"].contains(scheme) {
            throw ValidationError("--to \(to) is not an http, https, ws or wss URL")
        }
        if let mistake = URLComponents(string: to)?.portMistake {
            throw ValidationError("cannot call --to \(to): \(mistake)")
        }
    }

    func run() async throws {
        // Refuses an unreadable file here once, rather than in each of many calls.
        let input = try AudioInput(try file ?? TestTone.makeFile())
        let fileFormat = try input.reader().fileFormat
        let board = CallBoard(calls: calls)
        let executor = BlockingExecutor(name: "call")
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await Self.watchSignals(board) }
            group.addTask { await board.show() }
            await withTaskGroup(of: Void.self) { calls in
                for number in 0..<self.calls {
                    calls.addTask(executorPreference: executor) {
                        do {
                            board.finished(number, try await place(number, input, fileFormat: fileFormat, board))
                        } catch {
                            board.failed(number, "\(error)")
                        }
                    }
                }
            }
            board.summarize()
            await showRecordings(of: board)
            group.cancelAll()
        }
        if board.hasFailed { throw ExitCode.failure }
    }

    /// Waits until the server has published every placed call, and prints each path.
    ///
    /// A server without an answer is no failure.
    private func showRecordings(of board: CallBoard) async {
        let token =
            accessToken
            ?? ProcessInfo.processInfo.environment["CALLREEL_ACCESS_TOKEN"].flatMap { $0.isEmpty ? nil : $0 }
        var waiting = board.placed
        guard !waiting.isEmpty, let lookup = RecordingLookup(target: to, token: token, identity: identity.value) else {
            return
        }
        var found: [RecordingLookup.Published] = []
        var pause = 0.05
        /// Consecutive answers without a trace of the call, by call.
        var unknown: [String: Int] = [:]
        while !waiting.isEmpty {
            let answer: RecordingLookup.Answer
            do throws(CallerError) { answer = try await lookup.ask(waiting) } catch {
                Terminal.note(error.description)
                break
            }
            for uuid in waiting {
                if let published = answer.published[uuid] {
                    waiting.remove(uuid)
                    found.append(published)
                } else {
                    unknown[uuid] = answer.live.contains(uuid) ? 0 : unknown[uuid, default: 0] + 1
                }
            }
            let lost = waiting.filter { unknown[$0, default: 0] > 5 }
            if !lost.isEmpty {
                waiting.subtract(lost)
                board.lose(
                    "the server has not published \(lost.count) call\(lost.count == 1 ? "" : "s"); see its log"
                )
            }
            if !waiting.isEmpty { try? await Task.sleep(for: .seconds(pause)) }
            pause = min(1, 1.5 * pause)
        }
        let here = FileManager.default.currentDirectoryPath + "/"
        for published in found.prefix(Self.shownRecordings) {
            Terminal.say(
                "Recorded: "
                    + (published.manifest.hasPrefix(here)
                        ? String(published.manifest.dropFirst(here.count)) : published.manifest)
            )
            for problem in published.problems { Terminal.note("  \(problem)") }
        }
        if found.count > Self.shownRecordings { Terminal.say("and \(found.count - Self.shownRecordings) more") }
    }

    /// The largest number of recordings to list one by one.
    private static let shownRecordings = 10

    /// Ends the calls properly after Ctrl-C or SIGTERM. A second signal ends the program.
    private static func watchSignals(_ board: CallBoard) async {
        for await _ in await UnixSignalsSequence(trapping: .sigint, .sigterm) {
            if board.isStopping { _exit(130) }
            board.stop()
        }
    }

    /// Places one call, from the first question to the last byte. Returns the server's closing words.
    private func place(_ number: Int, _ input: AudioInput, fileFormat: AudioFormat, _ board: CallBoard) async throws
        -> String
    {
        let uuid = UUID().uuidString.lowercased()
        let instructions = try await instructions(uuid, fileFormat)
        let format = instructions.format
        var reader = try input.reader(convertingTo: format)
        if let frames = reader.frameCount { board.expect(seconds: format.seconds(frames: frames)) }
        let connection = try await CarrierConnection.open(instructions, as: identity.value)
        board.place(uuid)
        var digits = dtmf.sorted { $0.seconds < $1.seconds }[...]
        let clock = ContinuousClock(), start = clock.now
        // One message in real time; otherwise a batch large enough to be worth a system call.
        let batch = format.frames(seconds: speed == .realtime ? CarrierConnection.frameDuration : 0.5)
        var sent = 0
        while !board.isStopping {
            let samples = try reader.read(maximumFrames: batch)
            if samples.isEmpty { break }
            if speed == .realtime { try? await clock.sleep(until: start + .seconds(format.seconds(frames: sent))) }
            while let next = digits.first, next.seconds <= format.seconds(frames: sent) {
                try await connection.send(digit: next.digit)
                digits = digits.dropFirst()
            }
            try await connection.send(audio: samples, format: format)
            sent += samples.count / format.channels
            board.sent(number, seconds: format.seconds(frames: sent))
        }
        for digit in digits where !board.isStopping { try await connection.send(digit: digit.digit) }
        guard !abrupt else {
            await connection.drop()
            return "the connection was dropped, as requested"
        }
        let ending = try await connection.hangUp()
        guard let code = ending.code else { throw CallerError("the call was not closed properly: \(ending.reason)") }
        return "closed with \(code)\(ending.reason.isEmpty ? "" : " \(ending.reason)")"
    }

    /// Asks the answer webhook for instructions, or makes them from a WebSocket address alone.
    private func instructions(_ uuid: String, _ fileFormat: AudioFormat) async throws -> CallInstructions {
        let call = CallFacts(
            carrier: carrier.rawValue, from: from, to: "442079460000", uuid: uuid,
            conversation: "CON-" + UUID().uuidString.lowercased())
        if to.lowercased().hasPrefix("http") {
            return try await CallInstructions.ask(to, about: call, as: identity.value)
        }
        let rate = AudioFormat.supportedSampleRates.contains(fileFormat.sampleRate) ? fileFormat.sampleRate : 16000
        let facts = [
            ("uuid", call.uuid), ("conversation_uuid", call.conversation), ("from", call.from), ("to", call.to),
        ]
        let headers = facts.reduce(into: [String: JSONValue]()) { $0[$1.0] = $1.1.map(JSONValue.string) }
        return CallInstructions(url: to, format: AudioFormat(sampleRate: rate), headers: headers)
    }
}

/// Progress of the calls, for the progress bar and the summary.
private final class CallBoard: Sendable {
    private struct State {
        var seconds: [Double]
        var expected = 0.0
        var endings: [Int: String] = [:]
        var failures: [Int: String] = [:]
        var isStopping = false
        var placed: Set<String> = []
        var hasLost = false
        var isSummarized = false
    }

    private let state: Mutex<State>

    init(calls: Int) { state = Mutex(State(seconds: Array(repeating: 0, count: calls))) }

    var isStopping: Bool { state.withLock { $0.isStopping } }
    func stop() { state.withLock { $0.isStopping = true } }
    func expect(seconds: Double) { state.withLock { $0.expected = seconds } }
    func sent(_ call: Int, seconds: Double) { state.withLock { $0.seconds[call] = seconds } }
    func finished(_ call: Int, _ ending: String) { state.withLock { $0.endings[call] = ending } }
    func failed(_ call: Int, _ reason: String) { state.withLock { $0.failures[call] = reason } }

    /// The uuids of the calls accepted by the server.
    var placed: Set<String> { state.withLock { $0.placed } }
    func place(_ uuid: String) { state.withLock { _ = $0.placed.insert(uuid) } }
    /// At least one call could not be placed, went wrong, or was not published.
    var hasFailed: Bool { state.withLock { !$0.failures.isEmpty || $0.hasLost } }

    /// Reports unpublished calls.
    func lose(_ reason: String) {
        state.withLock { $0.hasLost = true }
        Terminal.note(reason)
    }

    /// Draws the progress bar until the task is cancelled or the calls are summarized.
    func show() async {
        while !Task.isCancelled, !state.withLock({ $0.isSummarized }) {
            let (seconds, expected) = state.withLock { ($0.seconds, $0.expected) }
            let slowest = seconds.min() ?? 0
            let width = 30, done = expected > 0 ? min(width, Int(Double(width) * slowest / expected)) : 0
            let bar = String(repeating: "=", count: done) + String(repeating: " ", count: width - done)
            let calls = seconds.count == 1 ? "" : "  \(seconds.count) calls"
            Terminal.progress("[\(bar)] \(Self.tenths(slowest)) of \(Self.tenths(expected)) s\(calls)")
            try? await Task.sleep(for: .milliseconds(100))
        }
    }

    /// Prints how the calls ended.
    func summarize() {
        let state = state.withLock { state in
            state.isSummarized = true
            return state
        }
        Terminal.progress("")
        for (call, reason) in state.failures.sorted(by: { $0.key < $1.key }) {
            Terminal.note("call \(call + 1): \(reason)")
        }
        if let ending = state.endings.values.first {
            let count = state.endings.count
            Terminal.say(
                "\(count) call\(count == 1 ? "" : "s") sent, "
                    + "\(Self.tenths(state.seconds.max() ?? 0)) s of audio, \(ending)."
            )
        }
    }

    private static func tenths(_ seconds: Double) -> String { String(format: "%.1f", seconds) }
}
