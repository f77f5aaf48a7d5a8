import CallreelSinks
import Foundation

@testable import CallreelCarriers
@testable import CallreelCore
@testable import CallreelEngine
@testable import CallreelServer
@testable import CallreelWebSocket

/// A reader of bytes from outside, with its invariants for all bytes. A broken invariant traps.
enum FuzzTarget: String, CaseIterable {
    /// A call's socket: frames in any pieces, and the carrier's messages in them.
    case websocket
    /// Messages of the carriers, each on a line.
    case vonage
    /// The configuration file.
    case configuration
    /// A template on the first line, and facts of a call on the others.
    case name
    /// A FLAC file of a dead program.
    case flac
    /// A WAV file of a dead program.
    case wav
    /// A CAF, AIFF, Wave64, RF64 or AU file of a dead program.
    case soundfile

    /// Reads the bytes.
    func check(_ bytes: [UInt8]) {
        switch self {
        case .websocket: Self.checkFrames(bytes)
        case .vonage: Self.checkMessages(bytes)
        case .configuration: Self.checkConfiguration(bytes)
        case .name: Self.checkName(bytes)
        case .flac: Self.checkRepair(bytes, of: FLACSink.self)
        case .wav: Self.checkRepair(bytes, of: WAVSink.self)
        case .soundfile: Self.checkRepair(bytes, of: SndfileSink.self, format: AudioFormat(sampleRate: 8000))
        }
    }

    /// Decodes in pieces of one byte and of seven, with the same result as at once. TCP's cuts must not change a call.
    private static func checkFrames(_ bytes: [UInt8]) {
        let whole = FrameLog.decode(bytes, pieces: max(1, bytes.count))
        for pieces in [1, 7] {
            precondition(FrameLog.decode(bytes, pieces: pieces) == whole, "pieces of \(pieces) say something else")
        }
    }

    private static func checkMessages(_ bytes: [UInt8]) {
        check(DialectRun(VonageDialect()), bytes)
        check(DialectRun(PCMDialect()), bytes)
    }

    private static func check(_ carrier: DialectRun<some CarrierDialect>, _ bytes: [UInt8]) {
        // Fuzzed messages would hardly ever begin a call.
        carrier.begin(#"{"content-type": "audio/l16;rate=16000", "sampleRate": 16000}"#)
        for line in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            let text = Array(String(decoding: line, as: UTF8.self).utf8)
            precondition(carrier.receive(text), "a message in the middle has ended the call")
        }
    }

    private static func checkConfiguration(_ bytes: [UInt8]) {
        guard let value = try? JSONValue(parsing: Data(bytes)) else { return }
        // A parsed value can be written and parsed again; 1e3 is then 1000.
        let text = value.json()
        precondition((try? JSONValue(parsing: Data(text.utf8)))?.json() == text, text)
        var problems: [ConfigurationProblem] = []
        let configuration = Configuration(
            value, plugins: Plugins(sinks: .builtIn, carriers: .builtIn), environment: ["A": "b"], problems: &problems)
        precondition(!problems.isEmpty || !configuration.sinks.isEmpty, "a configuration without a sink has no problem")
    }

    /// Checks that no name leaves the directory, hides, or is too long for a file system.
    private static func checkName(_ bytes: [UInt8]) {
        var lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false).map(
            String.init)
        guard let template = try? NameTemplate(lines.removeFirst()) else { return }
        lines += Array(repeating: "", count: 5)
        let call = CallFacts(carrier: lines[0], from: lines[1], to: lines[2], uuid: lines[3], conversation: lines[4])
        let name = template.name(id: RecordingID(), call: call, startedAt: Date(timeIntervalSince1970: 0))
        precondition(!name.isEmpty && !name.hasPrefix("/") && !name.hasSuffix("/"), name)
        for part in name.split(separator: "/", omittingEmptySubsequences: false) {
            precondition(!part.isEmpty && !part.hasPrefix(".") && part.utf8.count <= 200, name)
            precondition(part.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F }, name)
        }
    }

    /// Checks that a repair ends, lengthens a file by a header at most, and has nothing more to do the second time.
    private static func checkRepair<Sink: AudioSink & ~Copyable>(
        _ bytes: [UInt8], of sink: Sink.Type, format: AudioFormat = AudioFormat(sampleRate: 16000)
    ) {
        let path = scratch
        guard (try? Data(bytes).write(to: URL(fileURLWithPath: path))) != nil else {
            preconditionFailure("cannot write \(path)")
        }
        defer { try? FileManager.default.removeItem(atPath: path) }
        let dry = try? sink.repair(path, format: format, dryRun: true)
        precondition(FileManager.default.contents(atPath: path) == Data(bytes), "a dry run has changed the file")
        let first = try? sink.repair(path, format: format, dryRun: false)
        precondition(
            dry?.frames == first?.frames,
            "a dry run promised \(String(describing: dry)), and it became \(String(describing: first))")
        let repaired = FileManager.default.contents(atPath: path)
        guard let first else {
            return precondition(repaired == Data(bytes), "a file that cannot be repaired was changed")
        }
        let second = try? sink.repair(path, format: format, dryRun: false)
        precondition(
            second?.frames == first.frames && second?.change == nil,
            "the second repair found \(String(describing: second))")
        precondition(FileManager.default.contents(atPath: path) == repaired, "the second repair has changed the file")
        _ = try? sink.decode(path, format: format) { _ in }
    }

    /// A file used by this process alone.
    private static let scratch = NSTemporaryDirectory() + "callreel-fuzz-\(ProcessInfo.processInfo.processIdentifier)"
}

/// A dialect under test: one call that has begun, and one that may begin.
private final class DialectRun<Dialect: CarrierDialect> {
    private var fresh: Dialect, begun: Dialect
    private let first = SilentDesk(), second = SilentDesk()

    init(_ dialect: Dialect) {
        fresh = dialect
        begun = dialect
    }

    func begin(_ text: String) {
        var desk = Desk(second)
        try? begun.receive(text: Array(text.utf8).span, at: &desk)
        precondition(second.hasBegun, "the call has not begun")
    }

    /// Gives a message to both calls. Returns false if it has ended the one that has begun.
    func receive(_ text: [UInt8]) -> Bool {
        var desk = Desk(first)
        try? fresh.receive(text: text.span, at: &desk)
        desk = Desk(second)
        do throws(CarrierRefusal) { try begun.receive(text: text.span, at: &desk) } catch { return false }
        return true
    }
}

/// A desk that only notes the beginning of a call.
private final class SilentDesk: DeskRecipient {
    var hasBegun = false

    func begin(_ call: CallFacts, format: AudioFormat, binary: BinaryMessages) { hasBegun = true }
    func audio(_ bytes: Span<UInt8>) {}
    func event(_ type: String, _ data: [String: JSONValue]) {}
    func malformed(_ reason: String) {}
    func reply(text: String) {}
    func reply(binary: [UInt8]) {}
    func end(call reason: String) {}
}

/// A decoder's results, independent of the pieces they came in.
private final class FrameLog: Equatable {
    private var lines: [String] = []
    private var binary: [UInt8] = []

    static func == (left: FrameLog, right: FrameLog) -> Bool {
        left.lines == right.lines && left.binary == right.binary
    }

    static func decode(_ bytes: [UInt8], pieces: Int) -> FrameLog {
        let log = FrameLog()
        var decoder = WebSocketFrameDecoder(role: .server)
        do throws(WebSocketError) {
            for start in stride(from: 0, to: bytes.count, by: pieces) {
                let piece = Array(bytes[start..<min(start + pieces, bytes.count)])
                let outcome: Result<Void, WebSocketError> = unsafe piece.withUnsafeBytes { buffer in
                    do throws(WebSocketError) {
                        var offset = 0
                        while let event = unsafe try decoder.next(in: buffer, from: &offset) { log.add(event) }
                        return .success(())
                    } catch {
                        return .failure(error)
                    }
                }
                try outcome.get()
            }
        } catch {
            log.lines.append("refused with \(error.code.rawValue)")
        }
        return log
    }

    private func add(_ event: consuming WebSocketEvent) {
        switch consume event {
        case .binary(let piece, let isLast):
            piece.append(to: &binary)
            if isLast { lines.append("binary up to \(binary.count)") }
        case .text(let text): lines.append("text \(text)")
        case .ping(let payload): lines.append("ping \(payload)")
        case .pong(let payload): lines.append("pong \(payload)")
        case .close(let code, let reason): lines.append("close \(code?.rawValue ?? 0) \(reason)")
        }
    }
}
