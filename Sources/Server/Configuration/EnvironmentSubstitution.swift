import CallreelCore
import Foundation

/// A configuration in which environment variables replace `${NAME}` in every text. `$${` stands for `${` itself.
struct EnvironmentSubstitution {
    /// A value before and after the replacement.
    private struct Change {
        let path: ConfigurationPath
        let before: JSONValue
        let after: JSONValue
    }

    /// The configuration with the variables' values.
    private(set) var value: JSONValue
    /// Every changed value, by its path.
    private var changes: [String: Change] = [:]

    /// Replaces every variable. Reports each unset variable as a problem.
    init(_ environment: [String: String], in value: JSONValue, problems: inout [ConfigurationProblem]) {
        self.value = value
        self.value = substitute(environment, in: value, at: .root, problems: &problems)
    }

    /// Shows the variable's name instead of its value in problems, because any value may be a secret.
    func hideValues(in problems: inout ArraySlice<ConfigurationProblem>) {
        for index in problems.indices {
            guard let change = changes[problems[index].path] else { continue }
            let shown = change.after.found
            if problems[index].reason.hasPrefix(shown) {
                problems[index] = .init(
                    at: change.path, change.before.found + problems[index].reason.dropFirst(shown.count))
            }
            // Some reasons repeat the value elsewhere. Values of up to three characters are not treated as secrets.
            if let text = change.after.string, text.count > 3, problems[index].reason.contains(text) {
                problems[index] = .init(at: change.path, "the value of \(change.before.found) is not valid here")
            }
        }
    }

    private static let hint = "$${ stands for ${ itself"

    /// Returns true if a text can name a variable (POSIX.1-2017, Base Definitions, 8.1).
    private static func isName(_ text: String) -> Bool {
        !text.isEmpty && text.first?.isNumber == false
            && text.utf8.allSatisfy { byte in
                UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte | 0x20 || UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte
                    || byte == UInt8(ascii: "_")
            }
    }

    private mutating func substitute(
        _ environment: [String: String], in value: JSONValue, at path: ConfigurationPath,
        problems: inout [ConfigurationProblem]
    ) -> JSONValue {
        var after = value
        switch value {
        case .object(let members):
            var result: [String: JSONValue] = [:]
            for (name, member) in members.sorted(by: { $0.key < $1.key }) {
                result[name] = substitute(environment, in: member, at: path.key(name), problems: &problems)
            }
            after = .object(result)
        case .array(let elements):
            after = .array(
                elements.enumerated().map { substitute(environment, in: $1, at: path.index($0), problems: &problems) })
        case .string(let text):
            var result = ""
            var rest = text[...]
            while let open = rest.range(of: "${") {
                let before = rest[..<open.lowerBound]
                result += before
                rest = rest[open.upperBound...]
                if before.last == "$" {
                    result += "{"
                    continue
                }
                guard let close = rest.firstIndex(of: "}") else {
                    problems.append(.init(at: path, "has a ${ without its }; \(Self.hint)"))
                    break
                }
                let name = String(rest[..<close])
                if let value = environment[name] {
                    result += value
                } else if Self.isName(name) {
                    problems.append(.init(at: path, "the environment variable \(name) is not set; \(Self.hint)"))
                } else {
                    problems.append(
                        .init(
                            at: path,
                            "\(name.debugDescription) cannot be the name of an environment variable; \(Self.hint)"))
                }
                rest = rest[rest.index(after: close)...]
            }
            after = .string(result + rest)
        default:
            break
        }
        if after != value { changes[path.description] = Change(path: path, before: value, after: after) }
        return after
    }
}
