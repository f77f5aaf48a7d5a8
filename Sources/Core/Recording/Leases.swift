import Foundation
import Synchronization

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// Finds out which of the programs that share a recordings directory still run, for the recovery of their calls.
///
/// Clocks of different hosts are not compared: a lease is over if its file has not changed for ``Lease/limit`` by this program's
/// clock. A program is known to be dead at once if the lock of its call is free and this kernel would know of the lock: the program
/// ran under this kernel, or the disk is one that no other kernel can have mounted since.
package final class Leases: Sendable {
    /// Seconds after which a lease that nobody renews is removed: much more than clocks of hosts differ.
    private static let forgottenAfter: TimeInterval = 3600

    /// Whether the program that a lease belongs to runs.
    enum Verdict: Sendable { case alive, dead, undecided }

    private struct Sight {
        var data: Data
        var since: ContinuousClock.Instant
        var hasChanged = false
    }

    private struct State {
        var seen: [String: Sight] = [:]
        var claimed: Set<String> = []
        var isWaiting = false
        var sparesOthers = false
    }

    private let own: Lease
    private let directory: String
    private let limit: Duration
    /// Whether the directory is on a disk of this kernel alone.
    private let isOfOneKernel: Bool
    private let state = Mutex(State())

    /// Prepares to look at the leases in a directory of unfinished recordings. `own` is the lease of this program, and has begun. Blocks.
    package convenience init(own: Lease, directory: String) {
        self.init(own: own, directory: directory, limit: Lease.limit, isOfOneKernel: MountTable.isOfOneKernel(directory))
    }

    init(own: Lease, directory: String, limit: Duration, isOfOneKernel: Bool = false) {
        self.own = own
        self.directory = directory
        self.limit = limit
        self.isOfOneKernel = isOfOneKernel
    }

    /// Whether calls were spared since the last ``releaseClaims()`` because it was not known yet if their program runs.
    package var isWaiting: Bool { state.withLock { $0.isWaiting } }

    /// Whether calls were spared since the last ``releaseClaims()`` because their program runs elsewhere.
    package var sparesOthers: Bool { state.withLock { $0.sparesOthers } }

    /// Whether the call in a partial directory, whose lock is free, may be recovered: its program is dead, and no other one recovers it.
    /// Blocks.
    /// - Parameter claims: whether the call is to be recovered, and not only looked at.
    func mayRecover(_ callDirectory: String, claims: Bool = true) -> Bool {
        guard let owner = Self.owner(of: callDirectory) else { return true }
        // The lock of a running call of this very program would not be free.
        if owner == own.id { return own.locksAreReal }
        switch verdict(of: owner) {
        case .dead: return !claims || claim(owner)
        case .alive:
            state.withLock { $0.sparesOthers = true }
            return false
        case .undecided:
            state.withLock { $0.isWaiting = true }
            return false
        }
    }

    /// Gives back what was claimed, forgets what was spared, and removes what programs left that died without calls: a pass of recovery is
    /// over. Blocks.
    /// - Parameter keepsClaimed: whether a call is still being recovered, so that no other program may have the claims.
    package func releaseClaims(keepsClaimed: Bool = false) {
        let claimed = state.withLock { state in
            defer {
                if !keepsClaimed { state.claimed = [] }
                state.isWaiting = false
                state.sparesOthers = false
            }
            return keepsClaimed ? [] : state.claimed
        }
        for owner in claimed { FileSystem.removeName(claimPath(owner, by: own.id)) }
        removeLeftovers()
    }

    /// Removes leases that were over long ago, or at the last boot of a disk of this kernel alone, and claims of programs that are gone. A call
    /// that still names one counts as a dead program's, which it is.
    private func removeLeftovers() {
        let names = Set((try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []).filter { $0.hasPrefix(Lease.prefix) }
        for name in names where name != Lease.prefix + own.id {
            let path = "\(directory)/\(name)"
            if let claim = name.firstRange(of: ".by-") {
                if !names.contains(Lease.prefix + name[claim.upperBound...]) { FileSystem.removeName(path) }
            } else if isOfEarlierBoot(path) || FileSystem.modified(path).map({ $0.timeIntervalSinceNow < -Self.forgottenAfter }) ?? false {
                FileSystem.removeName(path)
            }
        }
    }

    /// Whether a lease is one of an earlier boot of this kernel's own disk.
    private func isOfEarlierBoot(_ path: String) -> Bool {
        guard isOfOneKernel, own.locksAreReal, let current = Lease.boot,
            let data = try? Data(contentsOf: URL(fileURLWithPath: path))
        else { return false }
        // One that a power cut has emptied has its time left.
        guard let record = try? JSONDecoder().decode(Lease.Record.self, from: data) else {
            return FileSystem.modified(path).map { FileSystem.isBeforeBoot($0) } ?? false
        }
        return record.boot != nil && record.boot != current
    }

    /// Whether the program with a lease runs. The lock of one of its calls was found to be free. Blocks.
    func verdict(of owner: String) -> Verdict { verdict(of: owner, asked: []) }

    /// - Parameter asked: the programs whose calls led to this one. Two that claimed each other's calls are both dead.
    private func verdict(of owner: String, asked: Set<String>) -> Verdict {
        if owner == own.id { return .alive }
        if asked.contains(owner) { return .dead }
        let path = Lease.path(owner, in: directory)
        guard let data = try? Data(contentsOf: URL(fileURLWithPath: path)) else {
            // It has ended, or another program recovers its calls.
            return claimer(of: owner).map { $0 == own.id ? .dead : verdict(of: $0, asked: asked.union([owner])) } ?? .dead
        }
        // The lock of its call is free, and a kernel forgets no lock but by a new boot. After a power cut the lease may be empty.
        if own.locksAreReal, isOfOneKernel { return .dead }
        let record = try? JSONDecoder().decode(Lease.Record.self, from: data)
        if let boot = record?.boot, own.locksAreReal, boot == Lease.boot { return .dead }
        return state.withLock { state in
            var sight = state.seen[owner] ?? Sight(data: data, since: .now)
            if sight.data != data { sight = Sight(data: data, since: .now, hasChanged: true) }
            state.seen[owner] = sight
            if .now - sight.since >= limit { return .dead }
            return sight.hasChanged ? .alive : .undecided
        }
    }

    // MARK: - One recoverer for each dead program

    private func claimPath(_ owner: String, by id: String) -> String { "\(Lease.path(owner, in: directory)).by-\(id)" }

    /// The program that recovers the calls of a dead one.
    private func claimer(of owner: String) -> String? {
        let prefix = "\(Lease.prefix)\(owner).by-"
        let names = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
        return names.first { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) }
    }

    /// Takes over the calls of a dead program. Of several programs that try, the one that renames the lease gets them.
    private func claim(_ owner: String) -> Bool {
        if state.withLock({ $0.claimed.contains(owner) }) { return true }
        let mine = claimPath(owner, by: own.id)
        if unsafe rename(Lease.path(owner, in: directory), mine) != 0 {
            guard errno == ENOENT else { return false }
            // Without a lease and a claim, it ended in order, or its calls were looked at before.
            if let other = claimer(of: owner), other != own.id, unsafe rename(claimPath(owner, by: other), mine) != 0 { return false }
        }
        state.withLock { _ = $0.claimed.insert(owner) }
        return true
    }

    /// The lease that the manifest of a running call names.
    static func owner(of callDirectory: String) -> String? {
        struct Owner: Decodable { var owner: String? }
        let names = (try? FileManager.default.contentsOfDirectory(atPath: callDirectory)) ?? []
        for name in names where name.hasSuffix(".json") || name.hasSuffix(".json.new") {
            if let data = try? Data(contentsOf: URL(fileURLWithPath: callDirectory + "/" + name)),
                let owner = try? JSONDecoder().decode(Owner.self, from: data).owner
            {
                return owner
            }
        }
        return nil
    }
}
