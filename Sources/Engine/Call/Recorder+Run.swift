import CallreelCore
import CoreMetrics
import Foundation
import Logging
import Synchronization

// The recorder's work beside the calls: time, recovery, and the watch over directories and sinks.
extension Recorder {
    /// Interval at which the counts of dropped late events are added to the manifests.
    private static let settleInterval = Duration.seconds(10)

    /// Recovers interrupted recordings, indexes the finished ones, and keeps time for running calls until the task is
    /// cancelled. Calls can be recorded meanwhile.
    package func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.keepArchive() }
            group.addTask { await self.watchPlaces() }
            group.addTask { await self.finishWaiting() }
            group.addTask { [deliverer] in await deliverer.run() }
            group.addTask { [lateEvents] in
                while !Task.isCancelled {
                    try? await Task.sleep(for: Self.settleInterval)
                    await lateEvents.settle()
                }
            }
            await keepTime()
            if storage.home.isStuck { storage.home.giveUp() }
        }
        guard storage.home.hang == nil else { return reportUnpublished() }
        await lateEvents.settle()
        await close()
    }

    /// Makes a last attempt at the remaining work for ended calls, and ends the lease begun by ``prepare()``.
    /// ``run()`` calls this at its end.
    package func close() async {
        await finishLast()
        await writers.run { [lease] in lease.end() }
    }

    /// Recovers interrupted calls, and keeps the index in line with the disk, until the task is cancelled.
    private func keepArchive() async {
        let looked = try? await storage.home.run(on: writers) { [lease, store] () throws(DiskError) in
            Leases(own: lease, directory: store.partialDirectory)
        }
        // The call was given up, because the program is about to end.
        guard let leases = looked else { return }
        let recovery = Recovery(
            store: store, registry: registry, roots: storage.others.map(\.path), leases: leases, logger: logger)
        let found: @Sendable (Recording) -> Void = { [self] recording in
            // A call of this program comes by itself, once nothing more is to be changed in its manifest.
            let isOurs = state.withLock { state in
                state.live[recording.id] != nil || state.unfinished[recording.id].map { !$0.isPublished } ?? false
            }
            if !isOurs { deliverer.add(recording, isOwn: false) }
        }
        await archive.run(catalogue, recovery, in: storage.home, onFound: found) { [metrics, deliverer] in
            metrics.callsRecovered.increment()
            deliverer.add($0)
        }
    }

    /// Starts rehearsals in every directory and tests of required and failed sinks, until the task is cancelled.
    /// Also renews the lease and keeps the reserve. Waits for no disk.
    private func watchPlaces() async {
        var isFirst = true
        while !Task.isCancelled {
            storage.rehearse(logger)
            probe.start(all: isFirst)
            isFirst = false
            lease.renewSoon { [logger] result in
                switch result {
                case .success(true): break
                case .success(false):
                    logger.error("lease lost: another server may have published this server's calls")
                case .failure(let error):
                    logger.error("could not renew the server's lease", metadata: ["reason": "\(error)"])
                }
            }
            if storage.home.problem == nil {
                Task(executorPreference: writers) { [store] in store.keepReserve() }
            }
            try? await Task.sleep(for: SinkProbe.interval)
        }
    }

    /// Checks the clocks of running calls and their threads until the task is cancelled and the last call is published.
    /// Cancellation ends the running calls. A call with a stuck sink needs the clock to end.
    package func keepTime() async {
        while !Task.isCancelled || !sessions.isEmpty {
            // A cancelled task cannot sleep, but a separate thread can.
            if Task.isCancelled {
                for session in sessions { session.end("the recorder was stopped") }
                await clock.run { Thread.sleep(forTimeInterval: Heartbeat.interval / .seconds(1)) }
            } else {
                try? await Task.sleep(for: Heartbeat.interval)
            }
            // A program about to end does not wait for a hanging directory.
            if Task.isCancelled || state.withLock({ $0.isLeaving }), storage.home.isStuck { storage.home.giveUp() }
            let now = Clocks.current.now
            let sessions = sessions
            for session in sessions { session.tick(now: now) }
            metrics.callsLive.set(Int64(sessions.count))
            let sinks = Dictionary(grouping: sessions.flatMap(\.sinks)) { ObjectIdentifier($0.station) }
            for station in stations {
                let sinks = sinks[ObjectIdentifier(station)] ?? []
                station.note(
                    queuedSeconds: sinks.map(\.queuedSeconds).max() ?? 0, callsBehind: sinks.count(where: \.isBehind))
                station.threads.relieve()
            }
            writers.relieve()
            environment.disk.sealer.relieve()
            storage.relieve()
            deliverer.relieve()
        }
    }
}
