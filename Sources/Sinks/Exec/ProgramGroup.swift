import Foundation

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// The process group of a program that has ended: what it started and left running, as far as that has not left the group.
///
/// As long as a group has a member, its number is given to no other. So a signal to it cannot reach a stranger.
struct ProgramGroup {
    let id: pid_t

    /// Whether there is a member that runs. A member that has ended and waits for its parent counts unless `lookCloser` is set, which costs
    /// a look at every process of the system.
    func isAlive(lookCloser: Bool = false) -> Bool {
        // Where this process is the first of a container, what lost its parent is its child now, and it has to take leave of it.
        while waitpid(-id, nil, WNOHANG) > 0 {}
        guard kill(-id, 0) == 0 || errno == EPERM else { return false }
        guard lookCloser, let processes = ProcessEntry.all() else { return true }
        return processes.contains { $0.group == id && !$0.isZombie }
    }

    /// Sends a signal to every member.
    func signal(_ number: Int32) { _ = kill(-id, number) }
}

/// A process of the system, as `/proc` shows it.
struct ProcessEntry {
    let id: pid_t
    let parent: pid_t
    let group: pid_t
    /// Whether it has ended, and its parent has not asked for its status.
    let isZombie: Bool

    /// Every process that can be seen; nil without `/proc`.
    static func all() -> [ProcessEntry]? {
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: "/proc"), names.contains("self") else { return nil }
        return names.compactMap { pid_t($0) }.compactMap(ProcessEntry.init)
    }

    /// Reads `/proc/<id>/stat` (proc(5)): after the name, which may contain anything, come the state, the parent and the group.
    private init?(_ id: pid_t) {
        guard let text = FileManager.default.contents(atPath: "/proc/\(id)/stat").map({ String(decoding: $0, as: UTF8.self) }),
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
