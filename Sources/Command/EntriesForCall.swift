import CallreelCore
import CallreelEngine
import CallreelServer
import CallreelSimulator
import Foundation

/// The entries of a configuration, each with its answer to one call.
struct EntriesForCall {
    /// An entry and its answer.
    private struct Answer {
        let family: SkippedEntry.Family
        let name: String
        let type: String
        /// The key that keeps the call out; nil if the entry wants the call.
        let mismatch: String?

        var words: String { mismatch.map { "skipped: when.\($0)" } ?? (family == .sinks ? "records" : "delivers") }

        var json: JSONValue {
            var members: [String: JSONValue] = [
                "family": .string(family.rawValue), "name": .string(name), "type": .string(type),
            ]
            if let mismatch { members["skipped"] = .string("when.\(mismatch)") }
            return .object(members)
        }
    }

    /// Largest size of a file with a call's facts: that of a manifest with many events.
    private static let fileLimit = 1 << 26

    private let answers: [Answer]
    private let unwanted: UnwantedCalls

    /// Asks the entries of a configuration.
    /// - Parameters:
    ///   - file: the file with the call's facts, or `-` for standard input.
    ///   - configuration: the configuration file.
    init(_ file: String, configuration: String) throws {
        let call = try Self.facts(in: file)
        let settings = try Configuration(
            file: configuration, plugins: CommandLineTool.plugins, environment: ProcessInfo.processInfo.environment)
        unwanted = settings.recordings.unwantedCalls
        answers =
            settings.sinks.map { Answer(family: .sinks, name: $0.name, type: $0.type, mismatch: $0.mismatch(call)) }
            + settings.deliveries.map {
                Answer(family: .deliveries, name: $0.name, type: $0.type, mismatch: $0.mismatch(call))
            }
    }

    /// Prints the answers.
    func show(json: Bool) {
        if json { return Terminal.say(JSONValue.array(answers.map(\.json)).json(pretty: true)) }
        Terminal.say(Terminal.table(answers.map { [$0.family.rawValue, $0.name, $0.type, $0.words] }))
        guard answers.allSatisfy({ $0.family != .sinks || $0.mismatch != nil }) else { return }
        let effect = unwanted == .refuse ? "refused" : "only counted, and not recorded"
        Terminal.say("\nNo sink wants this call: it is \(effect) (recordings.unwantedCalls).")
    }

    /// Reads a call's facts: an object of the form of `call` in a manifest, or a whole manifest.
    private static func facts(in file: String) throws -> CallFacts {
        func mistake(_ reason: String) -> CallerError { CallerError("\(file): \(reason)") }
        let data: Data
        do throws(FileContent.Failure) {
            data = try FileContent.read(file, limit: fileLimit, dash: true)
        } catch {
            throw mistake(error.isMissing ? "there is no such file" : "cannot be read: \(error.reason)")
        }
        let value: JSONValue
        do throws(JSONSyntaxError) { value = try JSONValue(parsing: data) } catch {
            throw mistake("is not JSON: \(error.reason)")
        }
        guard case .object(let outer) = value else {
            throw mistake(#"\#(value.found) is not an object such as {"carrier": "pcm", "to": "442079460000"}"#)
        }
        var members = outer
        if case .object(let call) = outer["call"] { members = call }
        func text(_ key: String) throws -> String? {
            guard let value = members.removeValue(forKey: key), value != .null else { return nil }
            guard let text = value.string else { throw mistake("\(key): \(value.found) is not text in double quotes") }
            return text
        }
        var facts = CallFacts(carrier: try text("carrier") ?? "")
        facts.from = try text("from")
        facts.to = try text("to")
        facts.uuid = try text("uuid")
        facts.conversation = try text("conversation")
        // In manifests, and no matter for any condition.
        members["legs"] = nil
        switch members.removeValue(forKey: "headers") {
        case .object(let headers): facts.headers = headers
        case nil, .null: break
        case .some(let other): throw mistake("headers: \(other.found) is not an object")
        }
        if let unknown = members.keys.sorted().first {
            let known = ["carrier", "from", "to", "uuid", "conversation", "headers"]
            let near = unknown.nearest(in: known).map { "did you mean \"\($0)\"?" }
            throw mistake("\(unknown): unknown key; \(near ?? "known keys are \(known.joined(separator: ", "))")")
        }
        return facts
    }
}
