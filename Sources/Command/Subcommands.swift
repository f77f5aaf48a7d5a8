import ArgumentParser
import CallreelCore

/// The names of the subcommands, for suggestions.
enum Subcommands {
    /// Suggests the intended subcommand, such as `; did you mean "serve"?`. Returns nil if none is mistyped.
    static func hint(for words: [String]) -> String? {
        var command: any ParsableCommand.Type = Root.self
        for word in words {
            let children = command.configuration.subcommands
            guard !children.isEmpty, !word.hasPrefix("-") else { return nil }
            if word == "help" { continue }
            if let child = children.first(where: { $0._commandName == word }) {
                command = child
                continue
            }
            let names = children.filter { $0.configuration.shouldDisplay }.map { $0._commandName }
            if let near = word.nearest(in: names) { return "; did you mean \"\(near)\"?" }
            return "; known are \(names.joined(separator: ", "))"
        }
        return nil
    }
}
