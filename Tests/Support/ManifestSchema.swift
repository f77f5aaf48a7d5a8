import CallreelCore
public import Foundation

/// The schema of published manifests, and a judge that knows its keywords.
///
/// Tests hold every manifest that they see to it. A test of its own compares this judge with another one.
public enum ManifestSchema {
    /// The schema's file.
    public static let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("Docs/Reference/manifest.schema.json").path

    private static let schema: JSONValue = {
        do {
            return try JSONValue(parsing: Data(contentsOf: URL(fileURLWithPath: path)))
        } catch {
            preconditionFailure("the schema of manifests cannot be read: \(error)")
        }
    }()

    /// Returns what is wrong with a manifest, each with its path.
    public static func problems(_ manifest: Data) throws -> [String] {
        judge(try JSONValue(parsing: manifest), schema, "manifest")
    }

    /// The keywords of JSON Schema (draft 2020-12) that the schema uses.
    private static func judge(_ value: JSONValue, _ schema: JSONValue, _ path: String) -> [String] {
        guard case .object(let rules) = schema else { return ["\(path): the schema is no object"] }
        var found: [String] = []
        for (keyword, rule) in rules.sorted(by: { $0.key < $1.key }) {
            switch keyword {
            case "$schema", "title", "description": break
            case "type": if !isType(value, rule.string ?? "") { found.append("\(path): \(value.found) is no \(rule)") }
            case "const": if value != rule { found.append("\(path): \(value.found) is not \(rule)") }
            case "enum": if !list(rule).contains(value) { found.append("\(path): \(value.found) is not in \(rule)") }
            case "required":
                for name in list(rule).compactMap(\.string) where value[name] == nil {
                    found.append("\(path): \(name) is missing")
                }
            case "properties":
                guard case .object(let properties) = rule, case .object(let members) = value else { break }
                for (name, member) in members {
                    if let property = properties[name] { found += judge(member, property, "\(path).\(name)") }
                }
            case "items":
                for (index, element) in list(value).enumerated() { found += judge(element, rule, "\(path)[\(index)]") }
            case "minItems": if list(value).count < integer(rule) { found.append("\(path): has too few elements") }
            case "maxItems": if list(value).count > integer(rule) { found.append("\(path): has too many elements") }
            case "minimum": if number(value) < number(rule) { found.append("\(path): \(value) is less than \(rule)") }
            case "exclusiveMinimum":
                if number(value) <= number(rule) { found.append("\(path): \(value) is not above \(rule)") }
            case "pattern":
                guard let text = value.string, let pattern = try? Regex(rule.string ?? "") else { break }
                if text.firstMatch(of: pattern) == nil { found.append("\(path): \(value.found) does not match") }
            case "not": if judge(value, rule, path).isEmpty { found.append("\(path): has what it must not have") }
            case "anyOf":
                if list(rule).allSatisfy({ !judge(value, $0, path).isEmpty }) {
                    found.append("\(path): is none of these")
                }
            default: found.append("\(path): this judge does not know the keyword \(keyword)")
            }
        }
        return found
    }

    private static func list(_ value: JSONValue) -> [JSONValue] {
        if case .array(let elements) = value { elements } else { [] }
    }

    private static func integer(_ value: JSONValue) -> Int {
        if case .integer(let number) = value { number } else { 0 }
    }

    private static func number(_ value: JSONValue) -> Double {
        switch value {
        case .integer(let number): Double(number)
        case .number(let number): number
        default: .infinity
        }
    }

    private static func isType(_ value: JSONValue, _ type: String) -> Bool {
        switch (value, type) {
        case (.object, "object"), (.array, "array"), (.string, "string"), (.integer, "integer"), (.boolean, "boolean"):
            true
        case (.integer, "number"), (.number, "number"): true
        default: false
        }
    }
}
