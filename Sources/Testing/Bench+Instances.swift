import CallreelCore
import Foundation

/// One of several calls that run at the same time in one directory.
private struct Neighbour: Sendable {
    let stem: String
    let call: TestCall
    /// The outcome of the call when it runs alone.
    let alone: Outcome
}

extension Bench where Sink: ~Copyable {
    /// Runs several calls at once, each with its own audio: first in turns, chunk by chunk, and then in parallel.
    mutating func checkInstances(_ take: Take) async {
        var neighbours: [Neighbour] = []
        for (index, stem) in ["first", "second", "third"].enumerated() {
            let call = call(
                frames: 2400 - 320 * index, take.call.format, seed: UInt64(index) + 7, level: [0.9, 0.5, 0.2][index])
            do throws(LifeError) {
                neighbours.append(
                    Neighbour(stem: stem, call: call, alone: try await record(call, call.chunks(call.even), stem: stem))
                )
            } catch {
                return note(
                    .anyCall, "a call of \(call.frames) frames in chunks of 20 ms ends with an error; \(error)",
                    call.format)
            }
        }
        await checkTurns(neighbours)
        if !isBroken([.independence]) { await checkThreads(neighbours) }
    }

    /// Runs three instances in one task. A static variable changed by one instance would affect the next.
    private mutating func checkTurns(_ neighbours: [Neighbour]) async {
        let room = sandbox.room()
        let contexts = neighbours.map { room.context($0.call.format, stem: $0.stem) }
        let chunks = neighbours.map { $0.call.chunks($0.call.even) }
        do throws(LifeError) {
            var first = try await Life<Sink>.open(options, contexts[0])
            var second = try await Life<Sink>.open(options, contexts[1])
            var third = try await Life<Sink>.open(options, contexts[2])
            for index in 0..<(chunks.map(\.count).max() ?? 0) {
                if index < chunks[0].count { try await Life<Sink>.write(&first, chunks[0][index]) }
                if index < chunks[1].count { try await Life<Sink>.write(&second, chunks[1][index]) }
                if index < chunks[2].count { try await Life<Sink>.write(&third, chunks[2][index]) }
            }
            // Not in the order in which they began.
            let receipts = [
                1: try await Life<Sink>.finish(second, after: chunks[1]),
                0: try await Life<Sink>.finish(first, after: chunks[0]),
                2: try await Life<Sink>.finish(third, after: chunks[2]),
            ]
            for (index, receipt) in receipts.sorted(by: { $0.key < $1.key }) {
                await compare(
                    neighbours[index], Outcome(receipt: receipt, files: Life<Sink>.files(contexts[index])), "in turns")
            }
        } catch {
            note(.independence, "three instances in turns: \(error)", neighbours[0].call.format)
        }
    }

    /// Runs the instances in parallel, on as many threads as the executor has.
    private mutating func checkThreads(_ neighbours: [Neighbour]) async {
        let room = sandbox.room(), before = await arrivals()
        let outcomes = await withTaskGroup(of: (Int, Result<Outcome, LifeError>).self) { group in
            for (index, neighbour) in neighbours.enumerated() {
                group.addTask { [options] in
                    let context = room.context(neighbour.call.format, stem: neighbour.stem)
                    do throws(LifeError) {
                        let receipt = try await Life<Sink>.run(
                            options, context, neighbour.call.chunks(neighbour.call.even))
                        return (index, .success(Outcome(receipt: receipt, files: Life<Sink>.files(context))))
                    } catch {
                        return (index, .failure(error))
                    }
                }
            }
            var outcomes: [(Int, Result<Outcome, LifeError>)] = []
            for await outcome in group { outcomes.append(outcome) }
            return outcomes.sorted { $0.0 < $1.0 }
        }
        let whole = neighbours.reduce(0) { $0 + $1.call.frames }
        if let before, let arrived = await arrived(since: before, neighbours[0].call.format), arrived.frames != whole {
            note(
                .independence,
                "three instances at the same time: of \(whole) frames, \(arrived.frames) arrive at the destination",
                neighbours[0].call.format)
        }
        for (index, outcome) in outcomes {
            switch outcome {
            case .success(let outcome): await compare(neighbours[index], outcome, "at the same time")
            case .failure(let error):
                note(.independence, "three instances at the same time: \(error)", neighbours[index].call.format)
            }
        }
    }

    private mutating func compare(_ neighbour: Neighbour, _ outcome: Outcome, _ how: String) async {
        if let difference = Self.difference(outcome, neighbour.alone) {
            return note(
                .independence, "three instances \(how): of the instance \(neighbour.stem), \(difference)",
                neighbour.call.format)
        }
        let details = outcome.receipt.details, wanted = neighbour.alone.receipt.details
        var suspects = Set(details.keys).union(wanted.keys).filter { details[$0] != wanted[$0] }
        // Details with the time differ for other reasons. A differing detail is therefore checked again
        // alone, with a pause and without.
        for pause in [1_100_000, 0, 0] as [UInt32] where !suspects.isEmpty {
            let call = neighbour.call, context = sandbox.room().context(call.format, stem: neighbour.stem)
            let again = try? await Life<Sink>.run(options, context, call.chunks(call.even)) {
                if $0 == .finish { usleep(pause) }
            }
            suspects = suspects.filter { again?.details[$0] == wanted[$0] }
        }
        guard let key = suspects.sorted().first else { return }
        let found = details[key]?.found ?? "nothing", alone = wanted[key]?.found ?? "nothing"
        note(
            .independence,
            "three instances \(how): \(neighbour.stem) reports \(found) as \(key), but \(alone) when it is alone",
            neighbour.call.format)
    }
}
