package import CallreelCore
import Foundation

/// Mistakes in the configuration. They stop the program at the start.
package struct ConfigurationError: Error, CustomStringConvertible, Sendable {
    /// The configuration file.
    package let file: String
    package let problems: [ConfigurationProblem]

    /// Makes an error from mistakes.
    package init(file: String, problems: [ConfigurationProblem]) {
        self.file = file
        self.problems = problems
    }

    /// One line for each mistake.
    package var lines: [String] { problems.map { "\(file): \($0)" } }

    package var description: String { lines.joined(separator: "\n") }
}

extension Configuration {
    /// Largest size of a configuration file, in bytes.
    private static let fileLimit = 1 << 24

    /// Reads a configuration file or a pipe; `-` is standard input. Blocks. The error names every mistake.
    package init(
        file: String, plugins: Plugins, environment: [String: String]
    ) throws(ConfigurationError) {
        func failure(_ reason: String) -> ConfigurationError {
            ConfigurationError(file: file, problems: [.init(at: .root, reason)])
        }
        let data: Data
        do throws(FileContent.Failure) {
            data = try FileContent.read(file, limit: Self.fileLimit, dash: true)
        } catch {
            throw failure(
                error.isMissing
                    ? "there is no such file; name another with --config, or write one from `config example`"
                    : "cannot be read: \(error.reason)")
        }
        let value: JSONValue
        do throws(JSONSyntaxError) { value = try JSONValue(parsing: data) } catch {
            throw failure("is not JSON: \(error.reason)")
        }
        var problems: [ConfigurationProblem] = []
        self.init(value, plugins: plugins, environment: environment, problems: &problems)
        guard problems.isEmpty else { throw ConfigurationError(file: file, problems: problems) }
    }
}
