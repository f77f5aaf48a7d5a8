package import CallreelCore
import Foundation

/// A program that was run to its end, for plug-ins that give it no audio.
package struct ProgramRun: Sendable {
    /// The way the program ended, as a phrase after its name: `ended with status 1`.
    package let ending: String
    /// The program ended with status 0.
    package let hasSucceeded: Bool
    /// The last bytes of the program's output.
    package let output: String
    /// The last bytes of its standard error.
    package let errors: String

    /// The last errors as the end of an error: `; its output: …`. Empty if there are none.
    package var lastWords: String { Self.lastWords(of: errors) }

    /// Bytes of a program's last errors that an error quotes.
    private static let quotedBytes = 400

    /// Returns a program's last errors on one line, without control characters, as the end of an error.
    static func lastWords(of errors: String) -> String {
        let lines = errors.suffix(quotedBytes).split(whereSeparator: \.isNewline).map { CallTags.clean(String($0)) }
        let said = lines.filter { !$0.isEmpty }.joined(separator: " / ")
        return said.isEmpty ? "" : "; its output: \(said)"
    }

    /// Returns the reason why a program cannot be started, or nil. Blocks.
    /// - Parameter command: the program and its arguments.
    package static func obstacle(_ command: [String], environment: [String]) -> String? {
        do throws(SinkError) {
            _ = try ProgramEnvironment(adding: environment).find(command.first ?? "")
            return nil
        } catch {
            return error.reason
        }
    }

    /// Runs a program with an empty standard input, in a process group of its own. Blocks until it has ended.
    /// Processes that it leaves running are ended. If the task is cancelled, the program is ended.
    /// - Parameters:
    ///   - command: the program and its arguments.
    ///   - environment: the names of further variables for the program.
    ///   - deadline: seconds after which the program is ended.
    package static func run(
        _ command: [String], environment: [String], deadline: Double
    ) async throws(SinkError) -> ProgramRun {
        let environment = ProgramEnvironment(adding: environment), name = command.first ?? ""
        let launch = ProgramLaunch(
            path: try environment.find(name), name: name, arguments: Array(command.dropFirst()),
            environment: environment, deadline: deadline, file: nil)
        do {
            var program = try RunningProgram(launch)
            let stop = program.stop
            let outcome = try await withTaskCancellationHandler {
                try program.conclude()
            } onCancel: {
                stop()
            }
            return ProgramRun(
                ending: outcome.status.description, hasSucceeded: outcome.status == .exited(0),
                output: outcome.output, errors: outcome.errors)
        } catch {
            let failure = error as? ProgramFailure ?? ProgramFailure("\(error)")
            throw SinkError(.open, "\"\(name)\" \(failure.reason)", underlying: failure.systemError)
        }
    }
}
