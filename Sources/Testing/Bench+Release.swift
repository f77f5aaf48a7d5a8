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
// cannot be theirs. One kind leads into the kit's own directory. Pipes and sockets have no path:
// they count if each of several instances leaves one behind, and none of as many pauses of the same length does.
extension Bench where Sink: ~Copyable {
    /// Makes sure that the kit would see a descriptor left open.
    func checkDescriptorsCanBeSeen() throws(SinkContractError) {
        let room = sandbox.room()
        put(Data(), room.file("seen"))
        let number = unsafe open(room.file("seen"), O_RDONLY | O_CLOEXEC)
        let isSeen = OpenDescriptor.below(room.path).map(\.number) == [number]
        close(number)
        guard isSeen, OpenDescriptor.below(room.path).isEmpty else {
            throw SinkContractError(
                cannotCheck: "/dev/fd does not show open files, so a file that a sink leaves open would not be found"
            )
        }
        guard let pipe = Pipe() else { throw SinkContractError(cannotCheck: "cannot create a pipe: error \(errno)") }
        let seen = Set(OpenDescriptor.all().map(\.number))
        for end in [pipe.input, pipe.output] { close(end) }
        guard seen.isSuperset(of: [pipe.input, pipe.output]) else {
            throw SinkContractError(
                cannotCheck: "/dev/fd does not show open pipes, so a pipe that a sink leaves open would not be found"
            )
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
        for _ in 0..<10 {
            var lives: [Set<OpenDescriptor>] = [], pauses: [Set<OpenDescriptor>] = []
            for _ in 0..<5 {
                let begin = ContinuousClock.now
                let before = OpenDescriptor.all()
                await live(ending, call, sandbox.room(), full)
                let after = OpenDescriptor.all()
                try? await Task.sleep(for: max(.milliseconds(1), .now - begin))
                lives.append(after.subtracting(before))
                pauses.append(OpenDescriptor.all().subtracting(after))
            }
            let left = await remaining { OpenDescriptor.all().intersection(lives.reduce([]) { $0.union($1) }) }
            let leavers = lives.count { !$0.isDisjoint(with: left) }
            if leavers < lives.count { return }
            let now = OpenDescriptor.all()
            if pauses.allSatisfy({ $0.isDisjoint(with: now) }) {
                return note(
                    .release, "each of \(lives.count) instances that were \(ending.rawValue) leaves a descriptor open",
                    call.format)
            }
            // Other code has opened descriptors and kept them; the next round may see none.
        }
        throw SinkContractError(
            cannotCheck: "other code in this process opens descriptors all the time; run this check by itself")
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

    /// Returns the remaining things, after up to 2 seconds for a sink that releases them late.
    private func remaining<Things: Collection>(_ look: () -> Things) async -> Things {
        let end = ContinuousClock.now + .seconds(2)
        while true {
            let found = look()
            if found.isEmpty || .now >= end { return found }
            try? await Task.sleep(for: .milliseconds(10))
        }
    }
}
