import Foundation

/// A child process of this process. Its number alone may soon belong to another.
struct ChildProcess: Hashable, Sendable {
    let number: Int32
    /// The time of its start, in the system's ticks.
    private let start: Substring

    /// Returns the child processes, also those that have ended and that nothing has waited for. Empty where the system
    /// has no `/proc`, as on macOS.
    static func all() -> Set<ChildProcess> {
        let own = getpid()
        let numbers = ((try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []).compactMap { Int32($0) }
        return Set(
            numbers.compactMap { number in
                // proc_pid_stat(5): the name is in parentheses and may hold anything. The parent is the second field
                // behind it, the start the twentieth.
                guard let data = FileManager.default.contents(atPath: "/proc/\(number)/stat") else { return nil }
                let text = String(decoding: data, as: UTF8.self)
                guard let name = text.lastIndex(of: ")") else { return nil }
                let fields = text[text.index(after: name)...].split(separator: " ")
                guard fields.count > 19, fields[1] == "\(own)" else { return nil }
                return ChildProcess(number: number, start: fields[19])
            })
    }
}
