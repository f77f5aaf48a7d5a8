import Foundation
import TestSupport
import Testing

@testable import CallreelArchive
@testable import CallreelCore
@testable import CallreelEngine

@Suite struct LeaseTests {
    private let workspace: Workspace
    private let own: Lease

    init() throws {
        workspace = try Workspace()
        own = Lease(directory: workspace.path)
        try own.begin()
    }

    /// Plants a lease of a program on another host.
    private func foreign(_ id: String, beat: Int = 1) throws {
        try workspace.plant(
            "server-\(id)", #"{"id": "\#(id)", "host": "elsewhere", "boot": "another", "beat": \#(beat)}"#)
    }

    private func call(_ owner: String?) throws -> String {
        let id = RecordingID()
        try workspace.plant("\(id)/call.json", owner.map { #"{"owner": "\#($0)"}"# } ?? "{}")
        return workspace.file("\(id)")
    }

    @Test func `calls of this program and of one that renews its lease are left alone`() throws {
        let leases = Leases(own: own, directory: workspace.path, limit: .seconds(3600))
        // Where locks are reliable, the lock of its own running call would not be free.
        #expect(try leases.mayRecover(call(own.id)) == own.locksAreReal)
        let call = try call("other")
        try foreign("other")
        #expect(!leases.mayRecover(call))
        #expect(leases.isWaiting && !leases.sparesOthers, "it is not known yet")
        leases.releaseClaims()
        try foreign("other", beat: 2)
        #expect(!leases.mayRecover(call))
        #expect(!leases.isWaiting && leases.sparesOthers)
    }

    @Test func `a lease that is not renewed is over, and one program recovers its calls`() throws {
        try foreign("other")
        let call = try call("other")
        let leases = Leases(own: own, directory: workspace.path, limit: .zero)
        let rival = Lease(directory: workspace.path)
        try rival.begin()
        let others = Leases(own: rival, directory: workspace.path, limit: .seconds(3600))
        #expect(leases.mayRecover(call, claims: false), "who only looks takes nothing")
        #expect(try workspace.files().contains("server-other"))
        #expect(leases.mayRecover(call))
        #expect(leases.mayRecover(call), "it has more calls than one")
        // To a program of another host, this one is foreign.
        try foreign(own.id)
        #expect(!others.mayRecover(call), "another program recovers them, and runs")
        leases.releaseClaims()
        #expect(others.mayRecover(call), "what was left behind can be looked at again")
        #expect(
            try workspace.files().filter { $0.hasPrefix("server-") }
                == ["server-\(own.id)", "server-\(rival.id)"].sorted())
    }

    @Test func `a program that dies while it recovers the calls of another one passes them on`() throws {
        try foreign("first")
        let call = try call("first")
        let second = Lease(directory: workspace.path)
        try second.begin()
        #expect(Leases(own: second, directory: workspace.path, limit: .zero).mayRecover(call))
        // Its host is gone: the lease is not of this boot, and no program renews it.
        try foreign(second.id)
        let leases = Leases(own: own, directory: workspace.path, limit: .zero)
        #expect(leases.mayRecover(call))
    }

    @Test func `calls without an owner, and those of a program that ended in order, are recovered at once`() throws {
        let leases = Leases(own: own, directory: workspace.path, limit: .seconds(3600))
        #expect(try leases.mayRecover(call(nil)))
        #expect(try leases.mayRecover(call("gone")))
        let ended = Lease(directory: workspace.path)
        try ended.begin()
        ended.end()
        #expect(try leases.mayRecover(call(ended.id)))
    }

    /// The recovery asks only about a call with a free lock.
    @Test func `a program of this kernel that has lost its lock is dead at once`() throws {
        let other = Lease(directory: workspace.path)
        try other.begin()
        let leases = Leases(own: own, directory: workspace.path, limit: .seconds(3600))
        #expect(Lease.boot == nil || own.locksAreReal)
        #expect(leases.verdict(of: other.id) == (Lease.boot == nil ? .undecided : .dead))
    }

    /// After a power cut, no other host can have the disk.
    @Test func `a program of an earlier boot is dead at once on a disk that no other host sees`() throws {
        try foreign("other")
        let local = Leases(own: own, directory: workspace.path, limit: .seconds(3600), isOfOneKernel: true)
        let shared = Leases(own: own, directory: workspace.path, limit: .seconds(3600), isOfOneKernel: false)
        #expect(local.verdict(of: "other") == (own.locksAreReal ? .dead : .undecided))
        // A power cut may leave it empty.
        try Data().write(to: URL(fileURLWithPath: workspace.file("server-other")))
        #expect(local.verdict(of: "other") == (own.locksAreReal ? .dead : .undecided))
        try foreign("other")
        #expect(shared.verdict(of: "other") == .undecided)
    }

    @Test func `two programs that claimed each other's calls and are gone are both dead`() throws {
        try workspace.plant("server-one.by-other", "{}")
        try workspace.plant("server-other.by-one", "{}")
        #expect(Leases(own: own, directory: workspace.path, limit: .seconds(3600)).verdict(of: "one") == .dead)
    }

    @Test func `what programs left that died without calls is removed in the end`() throws {
        for id in ["rebooted", "young"] { try foreign(id) }
        // The clock of another host may be hours away.
        let hoursAgo = Date(timeIntervalSinceNow: -10_000)
        try FileManager.default.setAttributes(
            [.modificationDate: hoursAgo], ofItemAtPath: workspace.file("server-young"))
        try workspace.plant("server-first.by-gone", "{}")
        try workspace.plant("server-first.by-young", "{}")
        Leases(own: own, directory: workspace.path, limit: .seconds(3600), isOfOneKernel: false).removeLeftovers()
        let left = ["server-\(own.id)", "server-first.by-young", "server-rebooted", "server-young"]
        #expect(try workspace.files() == left.sorted())
        guard own.locksAreReal, Lease.boot != nil else { return }
        // Both leases were of another boot. The next look finds that the owner of each claim is gone with its lease.
        let local = Leases(own: own, directory: workspace.path, limit: .seconds(3600), isOfOneKernel: true)
        local.removeLeftovers()
        local.removeLeftovers()
        #expect(try workspace.files() == ["server-\(own.id)"])
    }

    @Test func `a lease is removed when it was seen without a change for long`() throws {
        try foreign("silent")
        try foreign("busy")
        let leases = Leases(
            own: own, directory: workspace.path, limit: .seconds(3600), forgottenAfter: .milliseconds(200))
        leases.removeLeftovers()
        #expect(try workspace.files().count == 3)
        Thread.sleep(forTimeInterval: 0.3)
        try foreign("busy", beat: 2)
        leases.removeLeftovers()
        #expect(try workspace.files() == ["server-\(own.id)", "server-busy"].sorted())
    }

    @Test func `a renewal changes the file and not its length, and a lost lease begins again`() throws {
        let file = "server-\(own.id)"
        let before = try workspace.data(file)
        #expect(try own.renew())
        let after = try workspace.data(file)
        #expect(before != after && before.count == after.count)
        _ = try JSONDecoder().decode(Lease.Record.self, from: after)
        // The number of beats gets longer, and the file does not.
        for _ in 0..<100 { #expect(try own.renew()) }
        #expect(try JSONDecoder().decode(Lease.Record.self, from: workspace.data(file)).beat > 100)
        #expect(try workspace.data(file).count == before.count)
        try FileManager.default.removeItem(atPath: workspace.file(file))
        #expect(try !own.renew())
        #expect(try own.renew())
    }

    @Test func `recovery leaves a call alone whose server runs elsewhere, though its lock is free`() throws {
        let bench = try StoreBench(template: "{id}")
        let lease = Lease(directory: bench.store.partialDirectory),
            other = Lease(directory: bench.store.partialDirectory)
        try lease.begin()
        try other.begin()
        try bench.workspace.plant(
            ".partial/server-\(other.id)", #"{"id": "\#(other.id)", "host": "elsewhere", "boot": "another", "beat": 1}"#
        )
        var store = bench.store
        store.lease = other
        let ledger = CallLedger(
            id: RecordingID(), name: "call", call: CallFacts(carrier: "test"), format: .telephone, startedAt: Date(),
            sinks: [CallLedger.Sink(type: "probe", name: "probe", state: .recording)])
        let place = RecordingLayout.partialDirectory(of: ledger.id, in: store.directory)
        do {
            let partial = try store.begin(ledger)
            #expect(
                try CallLedger(json: Data(contentsOf: URL(fileURLWithPath: partial.ledgerPath))).owner == other.id)
            try bench.workspace.plant(".partial/\(ledger.id)/call.probe", "audi")
        }
        let leases = Leases(own: lease, directory: bench.store.partialDirectory, limit: .seconds(3600))
        let recovery = Recovery(store: bench.store, registry: testRegistry, leases: leases, logger: silentLogger)
        #expect(recovery.run().isEmpty)
        #expect(FileSystem.exists(place) && leases.isWaiting)
        // The program has ended: its call is published.
        other.end()
        #expect(recovery.run().map(\.problems) == [[]])
        #expect(try bench.store.manifest(named: "call").id == ledger.id)
    }
}
