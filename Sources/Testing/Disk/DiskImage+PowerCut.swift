// The end of a program, and the loss of power.
extension DiskImage {
    /// The order in which a file system may bring operations on names to the disk, if nobody syncs.
    package enum NameOrder: Sendable {
        /// In the order of the operations, over the whole disk: the journals of ext4 and XFS.
        case journal
        /// In the order of the operations in each directory, and in no order between directories.
        case directory
        /// In no order at all, as POSIX permits. Each operation is on the disk or not.
        case none
    }

    /// Returns the disk after the end of its program: everything is there, and the locks are gone.
    package func afterKill() -> DiskImage { self }

    /// Returns the disk after a power cut. Everything synced is there.
    ///
    /// Of the writes to a file since its last sync, each one is on the disk, is lost, or is torn at any byte. A lost
    /// write before a later one reads as the old content, and as zeros behind its end. The operations on names survive
    /// by a ``NameOrder``; each is on the disk as a whole. A file without a name is gone.
    /// - Parameters:
    ///   - seed: the choice of what survives: 0 loses everything not synced, 1 keeps all of it, others choose.
    ///   - time: the time of the next boot, in seconds since 1970.
    package func afterPowerCut(seed: UInt64, time: Double) -> DiskImage {
        var image = self, dice = Dice(seed: seed)
        image.cuts += 1
        image.bootTime = time
        for changes in surviving(&dice) { image.commit(changes) }
        image.nameChanges = []
        for number in nodes.keys.sorted() {
            var node = image.nodes[number]!
            if node.names != nil { node.names = node.syncedNames }
            if !node.content.changes.isEmpty || node.content.isDoomed {
                var bytes = node.content.synced
                for change in node.content.changes where !node.content.isDoomed {
                    if let change = dice.part(of: change) { Content.apply(change, to: &bytes) }
                }
                node.content = Content(bytes: bytes, synced: bytes)
            }
            image.nodes[number] = node
        }
        image.dropUnnamed()
        return image
    }

    private func surviving(_ dice: inout Dice) -> [[NameChange]] {
        switch dice.order() {
        case .journal: return Array(nameChanges.prefix(dice.number(upTo: nameChanges.count)))
        case .directory:
            var limits: [Int: Int] = [:], counts: [Int: Int] = [:]
            let directories = Set(nameChanges.joined().map(\.directory)).sorted()
            for directory in directories {
                limits[directory] = dice.number(
                    upTo: nameChanges.count { $0.contains { $0.directory == directory } })
            }
            // A rename between two directories is kept only if both keep it. Later operations on them are lost then.
            return nameChanges.filter { changes in
                let own = Set(changes.map(\.directory))
                let isKept = own.allSatisfy { counts[$0, default: 0] < limits[$0, default: 0] }
                for directory in own {
                    counts[directory, default: 0] += 1
                    if !isKept { limits[directory] = 0 }
                }
                return isKept
            }
        case .none:
            if dice.keeps() { return nameChanges.filter { _ in dice.keeps() } }
            // A missing sync shows most often where a single operation is lost.
            let lost = dice.number(upTo: nameChanges.count)
            return nameChanges.indices.filter { $0 != lost }.map { nameChanges[$0] }
        }
    }

    /// Removes the nodes that no name leads to, and counts the names of the others.
    private mutating func dropUnnamed() {
        var links: [Int: Int] = [Self.rootNode: 1], waiting = [Self.rootNode]
        while let number = waiting.popLast() {
            for child in nodes[number]?.names?.values.sorted() ?? [] {
                if links[child] == nil, nodes[child]?.names != nil { waiting.append(child) }
                links[child, default: 0] += 1
            }
        }
        nodes = nodes.filter { links[$0.key] != nil }
        for (number, count) in links { nodes[number]?.links = count }
    }
}

/// Choices that depend on a seed alone.
private struct Dice {
    private let seed: UInt64
    private var state: UInt64

    init(seed: UInt64) {
        self.seed = seed
        // Mixed, so that neighbouring seeds make different choices.
        var mixed = (seed &+ 1) &* 0xD6E8_FEB8_6659_FD93
        mixed = (mixed ^ (mixed >> 32)) &* 0xD6E8_FEB8_6659_FD93
        state = mixed ^ (mixed >> 32)
    }

    /// The next number of SplitMix64 (Steele, Lea and Flood, 2014).
    private mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }

    mutating func number(upTo limit: Int) -> Int {
        switch seed {
        case 0: 0
        case 1: limit
        default: Int(next() % UInt64(limit + 1))
        }
    }

    mutating func keeps() -> Bool { number(upTo: 1) == 1 }

    mutating func order() -> DiskImage.NameOrder {
        seed < 2 ? .journal : [.journal, .directory, .none, .none][number(upTo: 3)]
    }

    /// Returns the part of a write that is on the disk, or nil if there is none.
    mutating func part(of change: DiskImage.Change) -> DiskImage.Change? {
        guard case .write(let offset, let bytes) = change else { return keeps() ? change : nil }
        if seed < 2 { return seed == 1 ? change : nil }
        return switch number(upTo: 3) {
        case 0: nil
        case 1: .write(offset: offset, bytes: Array(bytes.prefix(number(upTo: bytes.count))))
        default: change
        }
    }
}
