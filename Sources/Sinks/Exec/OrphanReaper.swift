import Foundation
import Synchronization

/// Reaps orphaned processes if this process is the first of a container (PID 1). No other process can reap them.
///
/// This process's own children are left to the code that started them.
/// A process found dead at two checks, a second apart, is an orphan.
package enum OrphanReaper {
    /// Seconds between two checks.
    private static let interval: TimeInterval = 1
    private static let hasStarted = Atomic(false)

    /// Starts the checks if this process is PID 1. They run on their own thread for the life of the process.
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

    /// Reaps the dead processes that were already dead at the last check, and returns the others.
    static func look(after seen: Set<pid_t>) -> Set<pid_t> {
        // Only one system call while no child is dead.
        var information = unsafe siginfo_t()
        guard unsafe waitid(P_ALL, 0, &information, WEXITED | WNOHANG | WNOWAIT) == 0 && information.si_signo != 0
        else { return [] }
        let own = getpid()
        let dead = Set(
            (ProcessEntry.all() ?? []).filter { $0.isZombie && $0.parent == own && !ProgramTask.isWaited(for: $0.id) }
                .map(\.id))
        for id in dead.intersection(seen) { _ = waitpid(id, nil, WNOHANG) }
        return dead.subtracting(seen)
    }
}
