import Foundation

/// The process group of a program that has ended: the processes it left running, except processes that left it.
///
/// While a group has a member, the system gives its number to no other group.
/// A signal to the group therefore cannot reach another program.
struct ProgramGroup {
    let id: pid_t

    /// Returns true if a member is running. A zombie counts as running unless `lookCloser` is true,
    /// which reads the state of every process on the system.
    func isAlive(lookCloser: Bool = false) -> Bool {
        // If this process is PID 1, orphans of the group are now its children, and it has to reap them.
        while waitpid(-id, nil, WNOHANG) > 0 {}
        guard kill(-id, 0) == 0 || errno == EPERM else { return false }
        guard lookCloser, let processes = ProcessEntry.all() else { return true }
        return processes.contains { $0.group == id && !$0.isZombie }
    }

    /// Sends a signal to every member of the group.
    func signal(_ number: Int32) { _ = kill(-id, number) }
}

/// A process of the system, as shown in `/proc`.
struct ProcessEntry {
    let id: pid_t
    let parent: pid_t
    let group: pid_t
    /// True when the process has ended and its parent has not reaped it.
    let isZombie: Bool

    /// Returns every visible process, or nil without `/proc`.
    static func all() -> [ProcessEntry]? {
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: "/proc"), names.contains("self") else {
            return nil
        }
        return names.compactMap { pid_t($0) }.compactMap(ProcessEntry.init)
    }

    /// Parses `/proc/<id>/stat` (proc(5)). The name may contain any character; the state,
    /// the parent and the group follow it.
    private init?(_ id: pid_t) {
        guard
            let text = FileManager.default.contents(atPath: "/proc/\(id)/stat").map({
                String(decoding: $0, as: UTF8.self)
            }),
            let end = text.lastIndex(of: ")")
        else { return nil }
        let fields = text[text.index(after: end)...].split(separator: " ")
        guard fields.count > 3, let parent = pid_t(fields[1]), let group = pid_t(fields[2]) else { return nil }
        self.id = id
        self.parent = parent
        self.group = group
        isZombie = fields[0] == "Z"
    }
}
