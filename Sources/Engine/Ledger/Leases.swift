import CallreelCore
import Foundation
import Synchronization

/// Finds out which programs with the same recordings directory still run,
/// so that the calls of dead ones can be recovered.
///
/// Clocks of different hosts are not compared. A lease is over if its file has not changed for ``Lease/limit`` by this
/// program's clock.
///
/// A program is known to be dead at once if the lock of its call is free and this kernel would know of the lock.
/// The kernel would know if the program ran under it, or if no other kernel can have mounted the disk since.
package final class Leases: Sendable {
    /// Time after which a lease without renewal is removed. It leaves a program much more time than ``Lease/limit``.
    private static let forgottenAfter = Duration.seconds(3600)

    /// The state of a program, judged by its lease.
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
    private let forgottenAfter: Duration
    /// The directory is on a disk that only this kernel can have mounted.
    private let isOfOneKernel: Bool
    private let state = Mutex(State())

    /// Prepares to judge the leases in a directory of unfinished recordings. Blocks.
    /// - Parameter own: the lease of this program. It must have begun.
    package convenience init(own: Lease, directory: String) {
        self.init(
            own: own, directory: directory, limit: Lease.limit, isOfOneKernel: MountTable.isOfOneKernel(directory))
    }

    init(
        own: Lease, directory: String, limit: Duration, isOfOneKernel: Bool = false,
        forgottenAfter: Duration = Leases.forgottenAfter
    ) {
        self.forgottenAfter = forgottenAfter
        self.own = own
        self.directory = directory
        self.limit = limit
        self.isOfOneKernel = isOfOneKernel
    }

    /// Calls were skipped since the last ``releaseClaims(keepsClaimed:)``. It was not known yet if their program runs.
    package var isWaiting: Bool { state.withLock { $0.isWaiting } }

    /// Calls were skipped since the last ``releaseClaims(keepsClaimed:)``, because their program still runs.
    package var sparesOthers: Bool { state.withLock { $0.sparesOthers } }

    /// Returns true if a call with a free lock may be recovered: its program is dead, and no other program recovers it.
    /// Blocks.
    /// - Parameters:
    ///   - callDirectory: the call's partial directory.
    ///   - claims: true to claim the call for recovery, false only to examine it.
    func mayRecover(_ callDirectory: String, claims: Bool = true) -> Bool {
        guard let owner = Self.owner(of: callDirectory) else { return true }
        // A running call of this program would hold its lock.
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

    /// Ends a pass of recovery. Releases the claims, and forgets the skipped calls. Blocks.
    /// - Parameter keepsClaimed: true while a call is still being recovered.
    ///   The claims then stay, and no other program can take them.
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
    }

    /// Removes old leases, and claims of programs without a lease. Blocks.
    ///
    /// A lease is old after an hour without renewal under the eyes of this program. Its file's time says nothing:
    /// another host has another clock. On a disk of this kernel alone, a lease from an earlier boot is old, too.
    /// A call that still names a removed lease counts as a call of a dead program, which is correct.
    package func removeLeftovers() {
        let names = Set(FileSystem.names(in: directory)).filter {
            $0.hasPrefix(Lease.prefix)
        }
        for name in names where name != Lease.prefix + own.id {
            let path = "\(directory)/\(name)"
            if let claim = name.firstRange(of: ".by-") {
                if !names.contains(Lease.prefix + name[claim.upperBound...]) { FileSystem.removeName(path) }
            } else if isOfEarlierBoot(path) || age(of: String(name.dropFirst(Lease.prefix.count))) >= forgottenAfter {
                FileSystem.removeName(path)
            }
        }
    }

    /// Returns the time for which this program has seen a lease unchanged.
    private func age(of owner: String) -> Duration {
        guard let data = try? FileSystem.contents(Lease.path(owner, in: directory)) else {
            return .zero
        }
        return Clocks.current.now - look(at: owner, data).since
    }

    /// Remembers the content of a lease, and returns since when it is the same.
    private func look(at owner: String, _ data: Data) -> Sight {
        let now = Clocks.current.now
        return state.withLock { state in
            var sight = state.seen[owner] ?? Sight(data: data, since: now)
            if sight.data != data { sight = Sight(data: data, since: now, hasChanged: true) }
            state.seen[owner] = sight
            return sight
        }
    }

    /// Returns true if a lease is from an earlier boot, on a disk of this kernel alone.
    private func isOfEarlierBoot(_ path: String) -> Bool {
        guard isOfOneKernel, own.locksAreReal, let current = Lease.boot,
            let data = try? FileSystem.contents(path)
        else { return false }
        // A power cut may have emptied the file. Its time remains.
        guard let record = try? JSONDecoder().decode(Lease.Record.self, from: data) else {
            return FileSystem.modified(path).map { FileSystem.isBeforeBoot($0) } ?? false
        }
        return record.boot != nil && record.boot != current
    }

    /// Returns the state of a program whose call has a free lock. Blocks.
    func verdict(of owner: String) -> Verdict { verdict(of: owner, asked: []) }

    /// Returns the state of a program, or of the program that claimed its calls.
    /// - Parameter asked: the programs whose claims led to this one.
    ///   If two programs claimed each other's calls, both are dead.
    private func verdict(of owner: String, asked: Set<String>) -> Verdict {
        if owner == own.id { return .alive }
        if asked.contains(owner) { return .dead }
        let path = Lease.path(owner, in: directory)
        guard let data = try? FileSystem.contents(path) else {
            // The program has ended, or another program recovers its calls.
            return claimer(of: owner).map { $0 == own.id ? .dead : verdict(of: $0, asked: asked.union([owner])) }
                ?? .dead
        }
        // The lock of its call is free, and only a new boot makes a kernel forget a lock.
        // After a power cut the lease may be empty.
        if own.locksAreReal, isOfOneKernel { return .dead }
        let record = try? JSONDecoder().decode(Lease.Record.self, from: data)
        if let boot = record?.boot, own.locksAreReal, boot == Lease.boot { return .dead }
        let sight = look(at: owner, data)
        if Clocks.current.now - sight.since >= limit { return .dead }
        return sight.hasChanged ? .alive : .undecided
    }

    // MARK: - One recoverer for each dead program

    private func claimPath(_ owner: String, by id: String) -> String { "\(Lease.path(owner, in: directory)).by-\(id)" }

    /// Returns the program that recovers the calls of a dead one.
    private func claimer(of owner: String) -> String? {
        let prefix = "\(Lease.prefix)\(owner).by-"
        return FileSystem.names(in: directory).first { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) }
    }

    /// Takes over the calls of a dead program. If several programs try, the first to rename the lease succeeds.
    private func claim(_ owner: String) -> Bool {
        if state.withLock({ $0.claimed.contains(owner) }) { return true }
        let mine = claimPath(owner, by: own.id)
        let disk = FileSystem.disk
        do throws(ErrorNumber) {
            try disk.rename(Lease.path(owner, in: directory), to: mine)
        } catch {
            guard error.value == ENOENT else { return false }
            // Without a lease and a claim, the program ended in order, or its calls were examined before.
            if let other = claimer(of: owner), other != own.id,
                (try? disk.rename(claimPath(owner, by: other), to: mine)) == nil
            {
                return false
            }
        }
        state.withLock { _ = $0.claimed.insert(owner) }
        return true
    }

    /// Returns the identifier of the lease named in the manifest of an unpublished call.
    static func owner(of callDirectory: String) -> String? {
        struct Owner: Decodable { var owner: String? }
        for name in FileSystem.names(in: callDirectory) where name.hasSuffix(".json") || name.hasSuffix(".json.new") {
            if let data = try? FileSystem.contents(callDirectory + "/" + name),
                let owner = try? JSONDecoder().decode(Owner.self, from: data).owner
            {
                return owner
            }
        }
        return nil
    }
}
