import Foundation
import Synchronization

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// Takes leave of processes that have ended without a parent, where this process is the first of a container: nobody else would.
///
/// A child of this process's own is left to whoever started it. One that has been dead at two looks, a second apart, is an orphan.
package enum OrphanReaper {
    /// Time between two looks.
    private static let interval: TimeInterval = 1
    private static let hasStarted = Atomic(false)

    /// Starts to look, on a thread of its own for as long as the process lives, if this process is the first one.
    package static func startIfFirst() {
        guard getpid() == 1, !hasStarted.exchange(true, ordering: .relaxed) else { return }
        let thread = Thread {
            var seen: Set<pid_t> = []
            while true {
                seen = look(after: seen)
                Thread.sleep(forTimeInterval: interval)
            }
        }
        thread.name = "orphans"
        thread.start()
    }

    /// Takes leave of the dead that were seen before, and returns the others.
    static func look(after seen: Set<pid_t>) -> Set<pid_t> {
        // One system call, as long as nobody is dead.
        var information = unsafe siginfo_t()
        guard unsafe waitid(P_ALL, 0, &information, WEXITED | WNOHANG | WNOWAIT) == 0 && information.si_signo != 0 else { return [] }
        let own = getpid()
        let dead = Set((ProcessEntry.all() ?? []).filter { $0.isZombie && $0.parent == own && !ProgramTask.isWaited(for: $0.id) }.map(\.id))
        for id in dead.intersection(seen) { _ = waitpid(id, nil, WNOHANG) }
        return dead.subtracting(seen)
    }
}
