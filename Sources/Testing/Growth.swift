import Foundation

/// Finds out if runs leave things behind, such as open descriptors.
///
/// Other code works in the same process and may open and close its own. So things count only if each of several runs
/// leaves some, and few of as many pauses of the same length do.
struct Growth<Thing: Hashable & Sendable>: Sendable {
    /// Runs in a round.
    static var runs: Int { 8 }
    /// Pauses in which other code may leave something. If it does so in any share of the windows, the chance that a
    /// round blames runs that leave nothing is below 0.001.
    private static var noise: Int { 2 }
    /// Rounds that must agree. Other code may be busy for the length of one.
    private static var agreement: Int { 2 }
    /// Rounds until the kit gives up.
    private static var rounds: Int { 10 }

    /// Returns all such things of the process.
    let all: @Sendable () -> Set<Thing>

    /// Runs something several times. Returns the things left behind if each run leaves some, and nil if not.
    /// - Throws: an error if other code leaves such things all the time.
    func found(_ run: () async -> Void) async throws(CannotCheck) -> Set<Thing>? {
        var blaming = 0
        for _ in 0..<Self.rounds {
            var lives: [Set<Thing>] = [], pauses: [Set<Thing>] = []
            for _ in 0..<Self.runs {
                let begin = ContinuousClock.now
                let before = all()
                await run()
                let after = all()
                try? await Task.sleep(for: max(.milliseconds(1), .now - begin))
                lives.append(after.subtracting(before))
                pauses.append(all().subtracting(after))
            }
            let left: Set<Thing> = await remaining { all().intersection(lives.reduce([]) { $0.union($1) }) }
            if lives.contains(where: { $0.isDisjoint(with: left) }) { return nil }
            let now = all()
            if pauses.count(where: { !$0.isDisjoint(with: now) }) <= Self.noise { blaming += 1 }
            if blaming == Self.agreement { return left }
            // Otherwise other code has opened some and kept them; the next round may see none.
        }
        throw CannotCheck("other code in this process opens descriptors all the time; run this check by itself")
    }
}

/// Returns the remaining things, after up to 2 seconds for code that releases them late.
func remaining<Things: Collection>(_ look: () -> Things) async -> Things {
    let end = ContinuousClock.now + .seconds(2)
    while true {
        let found = look()
        if found.isEmpty || .now >= end { return found }
        try? await Task.sleep(for: .milliseconds(10))
    }
}
