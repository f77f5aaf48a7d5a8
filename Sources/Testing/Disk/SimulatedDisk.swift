package import CallreelCore
import Foundation
import Synchronization

/// A disk in memory that keeps synced content apart from the rest, and that fails, hangs and fills up on demand.
///
/// A history runs against it: `FileSystem.$disk.withValue(disk) { … }`. Then ``DiskImage/afterPowerCut(seed:time:)``
/// makes the disk of the next boot, and the history goes on with a new simulated disk over that image.
///
/// The disk has no symbolic links and no permissions, and one user. Its times are those of ``Clocks/current``.
package final class SimulatedDisk: Disk {
    /// The changing parts of a disk.
    struct State {
        var image: DiskImage
        var operations = 0
        /// The power is cut.
        var isCut = false
        var isReleased = false
        /// The operations that hang now.
        var hanging = 0
        /// The locked files, with the openings that hold the locks.
        var locks: [Int: ObjectIdentifier] = [:]
        /// The number of openings for writing, by file.
        var writers: [Int: Int] = [:]
        /// The operations that change the disk, with the disk before each of them.
        var history: [(operation: DiskOperation, before: DiskImage)] = []
    }

    /// The number of the device in the identities of files.
    private static let device: UInt64 = 7

    private let state: Mutex<State>
    private let gate = NSCondition()
    private let keepsHistory: Bool
    private let hasLinks: Bool
    let capacity: Int?
    private let plan: @Sendable (DiskOperation) -> DiskFault?

    /// Makes a disk.
    /// - Parameters:
    ///   - image: the content at the beginning.
    ///   - capacity: bytes of all files together; nil is without end.
    ///   - hasLinks: false for a file system without hard links, such as exFAT.
    ///   - keepsHistory: true to keep the disk before every change, for ``history``.
    ///   - plan: returns the fault of an operation; nil lets it succeed.
    package init(
        _ image: DiskImage = DiskImage(), capacity: Int? = nil, hasLinks: Bool = true, keepsHistory: Bool = false,
        plan: @escaping @Sendable (DiskOperation) -> DiskFault? = { _ in nil }
    ) {
        state = Mutex(State(image: image))
        self.capacity = capacity
        self.hasLinks = hasLinks
        self.keepsHistory = keepsHistory
        self.plan = plan
    }

    /// The present content.
    package var image: DiskImage { state.withLock { $0.image } }

    /// The number of operations so far.
    package var operationCount: Int { state.withLock { $0.operations } }

    /// The operations so far that change the disk, with the disk before each of them.
    package var history: [(operation: DiskOperation, before: DiskImage)] { state.withLock { $0.history } }

    /// The number of operations that hang now.
    package var hangingCount: Int { state.withLock { $0.hanging } }

    /// Lets the hanging operations go on, and all later ones.
    package func release() {
        state.withLock { $0.isReleased = true }
        gate.lock()
        gate.broadcast()
        gate.unlock()
    }

    /// Runs one operation, or its fault.
    /// - Parameter body: the operation. Its second parameter is true if it must report success without doing anything.
    func perform<Result: Sendable>(
        _ kind: DiskOperation.Kind, _ path: String,
        _ body: (inout State, _ skips: Bool) throws(ErrorNumber) -> Result
    ) throws(ErrorNumber) -> Result {
        let operation = state.withLock { state in
            let operation = DiskOperation(kind: kind, path: path, index: state.operations)
            state.operations += 1
            if keepsHistory, kind.isChange { state.history.append((operation, state.image)) }
            return operation
        }
        let fault = plan(operation)
        if case .hang = fault { wait() }
        var failure: Int32?
        switch fault {
        case .cut: state.withLock { $0.isCut = true }
        case .fail(let number): failure = number
        case .skip, .hang, nil: break
        }
        return try state.withLock { state throws(ErrorNumber) in
            if state.isCut { throw ErrorNumber(EIO) }
            if let failure {
                if kind == .synchronize, let node = state.image.find(path) {
                    state.image.nodes[node]?.content.isDoomed = true
                }
                throw ErrorNumber(failure)
            }
            if case .skip = fault { return try body(&state, true) }
            return try body(&state, false)
        }
    }

    private func wait() {
        state.withLock { $0.hanging += 1 }
        gate.lock()
        while !state.withLock({ $0.isReleased }) { gate.wait() }
        gate.unlock()
        state.withLock { $0.hanging -= 1 }
    }

    /// Changes the state outside of an operation.
    func change(_ body: (inout State) -> Void) { state.withLock { body(&$0) } }

    // MARK: - Disk

    package func open(_ path: String, _ opening: FileOpening) throws(ErrorNumber) -> any DiskFile {
        var kind = DiskOperation.Kind.open, mode: Int?, mustBeNew = false
        switch opening.purpose {
        case .create(let bits): (kind, mode, mustBeNew) = (.create, bits, true)
        case .createIfMissing(let bits): (kind, mode) = (.create, bits)
        case .read, .write, .change, .directory: break
        }
        let writes: Bool
        switch opening.purpose {
        case .read, .directory: writes = false
        case .write, .change, .create, .createIfMissing: writes = true
        }
        let wantsDirectory = if case .directory = opening.purpose { true } else { false }
        let node = try perform(kind, path) { state, _ throws(ErrorNumber) in
            if let node = state.image.find(path) {
                if mustBeNew { throw ErrorNumber(EEXIST) }
                let isDirectory = state.image.nodes[node]?.names != nil
                if wantsDirectory, !isDirectory { throw ErrorNumber(ENOTDIR) }
                if writes, isDirectory { throw ErrorNumber(EISDIR) }
                if writes { state.writers[node, default: 0] += 1 }
                return node
            }
            guard let mode else { throw ErrorNumber(ENOENT) }
            let place = try state.place(of: path)
            let node = state.add(DiskImage.Node(mode: mode, modified: Self.now), at: place)
            state.writers[node, default: 0] += 1
            return node
        }
        return SimulatedFile(self, node: node, path: path, writes: writes)
    }

    package func status(_ path: String, followsLinks: Bool) throws(ErrorNumber) -> FileStatus {
        try perform(.status, path) { state, _ throws(ErrorNumber) in
            guard let node = state.image.find(path) else { throw ErrorNumber(state.image.reasonMissing(path)) }
            return Self.status(of: node, in: state.image)
        }
    }

    package func list(_ path: String) throws(ErrorNumber) -> [FileSystem.Entry] {
        try perform(.list, path) { state, _ throws(ErrorNumber) in
            guard let node = state.image.find(path) else { throw ErrorNumber(state.image.reasonMissing(path)) }
            guard let names = state.image.nodes[node]?.names else { throw ErrorNumber(ENOTDIR) }
            return names.map { FileSystem.Entry(name: $0.key, kind: state.image.kind(of: $0.value)) }
        }
    }

    package func makeDirectory(_ path: String, mode: Int) throws(ErrorNumber) {
        try perform(.makeDirectory, path) { state, _ throws(ErrorNumber) in
            if state.image.find(path) != nil { throw ErrorNumber(EEXIST) }
            let place = try state.place(of: path)
            _ = state.add(DiskImage.Node(names: [:], mode: mode, modified: Self.now), at: place)
        }
    }

    package func setMode(_ path: String, _ mode: Int) throws(ErrorNumber) {
        try perform(.setMode, path) { state, _ throws(ErrorNumber) in
            guard let node = state.image.find(path) else { throw ErrorNumber(ENOENT) }
            state.image.nodes[node]?.mode = mode
        }
    }

    package func link(_ path: String, as name: String) throws(ErrorNumber) {
        try perform(.link, name) { [hasLinks] state, _ throws(ErrorNumber) in
            guard hasLinks else { throw ErrorNumber(EPERM) }
            guard let node = state.image.find(path) else { throw ErrorNumber(ENOENT) }
            if state.image.find(name) != nil { throw ErrorNumber(EEXIST) }
            let place = try state.place(of: name)
            state.image.nodes[node]?.links += 1
            state.change([.init(directory: place.directory, name: place.name, node: node)], at: Self.now)
        }
    }

    package func rename(_ path: String, to name: String) throws(ErrorNumber) {
        try perform(.rename, name) { state, _ throws(ErrorNumber) in try Self.rename(path, to: name, &state) }
    }

    package func renameExclusively(_ path: String, to name: String) throws(ErrorNumber) {
        try perform(.rename, name) { state, _ throws(ErrorNumber) in
            if state.image.find(name) != nil { throw ErrorNumber(EEXIST) }
            try Self.rename(path, to: name, &state)
        }
    }

    private static func rename(_ path: String, to name: String, _ state: inout State) throws(ErrorNumber) {
        guard let node = state.image.find(path) else { throw ErrorNumber(ENOENT) }
        let old = try state.place(of: path), new = try state.place(of: name)
        if let replaced = state.image.find(name) {
            if replaced == node { return }
            if let names = state.image.nodes[replaced]?.names {
                guard state.image.nodes[node]?.names != nil else { throw ErrorNumber(EISDIR) }
                guard names.isEmpty else { throw ErrorNumber(ENOTEMPTY) }
            }
            state.image.nodes[replaced]?.links -= 1
        }
        state.change(
            [
                .init(directory: old.directory, name: old.name, node: nil),
                .init(directory: new.directory, name: new.name, node: node),
            ], at: now)
    }

    package func removeName(_ path: String) throws(ErrorNumber) {
        try perform(.removeName, path) { state, _ throws(ErrorNumber) in
            guard let node = state.image.find(path) else { throw ErrorNumber(ENOENT) }
            if state.image.nodes[node]?.names != nil { throw ErrorNumber(EISDIR) }
            let place = try state.place(of: path)
            state.image.nodes[node]?.links -= 1
            state.change([.init(directory: place.directory, name: place.name, node: nil)], at: Self.now)
        }
    }

    package func removeDirectory(_ path: String) throws(ErrorNumber) {
        try perform(.removeDirectory, path) { state, _ throws(ErrorNumber) in
            guard let node = state.image.find(path) else { throw ErrorNumber(ENOENT) }
            guard let names = state.image.nodes[node]?.names else { throw ErrorNumber(ENOTDIR) }
            guard names.isEmpty else { throw ErrorNumber(ENOTEMPTY) }
            let place = try state.place(of: path)
            state.change([.init(directory: place.directory, name: place.name, node: nil)], at: Self.now)
        }
    }

    package func room(_ path: String) throws(ErrorNumber) -> FileSystem.Room {
        try perform(.room, path) { [capacity] state, _ throws(ErrorNumber) in
            guard state.image.find(path) != nil else { throw ErrorNumber(ENOENT) }
            return FileSystem.Room(bytes: capacity.map { max(0, $0 - state.image.usedBytes) } ?? 1 << 40, files: nil)
        }
    }

    package func checkMayCreate(in path: String) throws(ErrorNumber) { _ = try status(path, followsLinks: true) }

    package func resolved(_ path: String) -> String? { image.find(path) == nil ? nil : path }

    package func writers(of path: String, countsReaders: Bool) -> FileWriters {
        state.withLock { state in
            state.image.find(path).map { state.writers[$0, default: 0] > 0 ? .some : .none } ?? .unknown
        }
    }

    package func fileSystemType(of path: String) -> String? { "ext4" }

    package var boot: String? { "boot-\(image.cuts)" }

    package var bootTime: Double? { image.bootTime }

    /// The present time, in nanoseconds since 1970.
    static var now: Int { Int(Clocks.current.date.timeIntervalSince1970 * 1e6) * 1000 }

    /// Returns the facts about a node.
    static func status(of number: Int, in image: DiskImage) -> FileStatus {
        let node = image.nodes[number]!, bytes = node.content.bytes.count
        return FileStatus(
            identity: .init(device: device, number: UInt64(number)), kind: node.names == nil ? .file : .directory,
            size: .init(bytes: bytes, stored: bytes, block: 4096),
            modified: .init(seconds: node.modified / 1_000_000_000, nanoseconds: node.modified % 1_000_000_000),
            mode: node.mode, links: node.links)
    }
}
