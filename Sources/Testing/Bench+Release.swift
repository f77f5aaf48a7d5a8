import CallreelCore
import Foundation

/// A way in which a sink's instance ends.
private enum Ending: String, CaseIterable {
    case finished = "finished"
    case opened = "released as soon as it was open"
    case abandoned = "released in the middle of a call"
    case failed = "failed"
}

// Other tests run in this process and may open and close descriptors. The kit therefore counts only descriptors that
// cannot be theirs. One kind leads into the kit's own directory. Pipes and sockets have no path: `Growth` finds them.
extension Bench where Sink: ~Copyable {
    /// Makes sure that the kit would see a descriptor left open.
    func checkDescriptorsCanBeSeen() throws(SinkContractError) {
        do throws(CannotCheck) { try OpenDescriptor.checkVisibility(in: sandbox.room().path) } catch {
            throw SinkContractError(cannotCheck: error.reason)
        }
    }

    /// Runs instances with every ending, and checks that none leaves a descriptor open.
    mutating func checkRelease(_ take: Take) async throws(SinkContractError) {
        let full = try Replacement.full()
        for ending in Ending.allCases where ending != .failed || !take.outcome.files.isEmpty {
            let room = sandbox.room()
            await live(ending, take.call, room, full)
            let open = await remaining { OpenDescriptor.below(room.path) }
            if let path = open.first?.path {
                return note(
                    .release, "\(path.lastPathComponent) is still open after an instance was \(ending.rawValue)",
                    take.call.format)
            }
        }
        for ending in [Ending.finished, .opened] { try await checkGrowth(ending, take.call, full) }
    }

    /// Checks that instances do not each leave a descriptor open, even one without a path.
    private mutating func checkGrowth(_ ending: Ending, _ call: TestCall, _ full: Replacement)
        async throws(SinkContractError)
    {
        do throws(CannotCheck) {
            let growth = Growth(all: OpenDescriptor.all)
            if try await growth.found({ await live(ending, call, sandbox.room(), full) }) == nil { return }
            note(
                .release,
                "each of \(Growth<OpenDescriptor>.runs) instances that were \(ending.rawValue) "
                    + "leaves a descriptor open",
                call.format)
        } catch {
            throw SinkContractError(cannotCheck: error.reason)
        }
    }

    /// Runs one instance that ends in this way.
    private func live(_ ending: Ending, _ call: TestCall, _ room: Room, _ full: Replacement) async {
        let context = room.context(call.format), chunks = call.chunks(call.even)
        switch ending {
        case .finished: _ = try? await Life<Sink>.run(options, context, chunks)
        case .opened: try? await Life<Sink>.abandon(options, context, [], checkpointAfter: 0)
        case .abandoned: try? await Life<Sink>.abandon(options, context, Array(chunks.prefix(7)), checkpointAfter: 3)
        case .failed:
            _ = try? await Life<Sink>.run(options, context, chunks) { moment in
                guard moment == .chunk(after: chunks[chunks.count / 2].start.frames) else { return }
                Substitution(below: room.directory, by: .descriptor(full.number)).apply()
            }
        }
    }
}
