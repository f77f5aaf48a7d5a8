import CallreelCore
import Foundation
import Synchronization

/// An open file or directory of a simulated disk.
final class SimulatedFile: DiskFile {
    private let disk: SimulatedDisk
    private let node: Int
    private let path: String
    private let writes: Bool
    /// The offset behind the bytes appended so far; nil after the file was closed.
    private let end = Mutex<Int?>(0)

    init(_ disk: SimulatedDisk, node: Int, path: String, writes: Bool) {
        self.disk = disk
        self.node = node
        self.path = path
        self.writes = writes
    }

    deinit { letGo() }

    var descriptor: Int32 { -1 }

    func status() throws(ErrorNumber) -> FileStatus {
        try disk.perform(.status, path) { state, _ throws(ErrorNumber) in
            SimulatedDisk.status(of: node, in: state.image)
        }
    }

    func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(ErrorNumber) -> Int {
        let bytes = try disk.perform(.read, path) { state, _ throws(ErrorNumber) in
            let node = state.image.nodes[node]!
            if node.names != nil { throw ErrorNumber(EISDIR) }
            return node.content.bytes
        }
        let count = max(0, min(buffer.count, bytes.count - offset))
        if count > 0 { unsafe buffer.copyBytes(from: bytes[offset..<offset + count]) }
        return count
    }

    func append(_ bytes: RawSpan) throws(ErrorNumber) {
        guard let offset = end.withLock({ $0 }) else { throw ErrorNumber(EBADF) }
        let bytes = Self.copy(bytes)
        let written = try write(bytes, at: offset)
        end.withLock { $0 = offset + written }
        if written < bytes.count { throw ErrorNumber(ENOSPC) }
    }

    func write(_ bytes: RawSpan, at offset: Int) throws(ErrorNumber) -> Int { try write(Self.copy(bytes), at: offset) }

    /// Writes bytes, and on a full disk only as many as fit.
    private func write(_ bytes: [UInt8], at offset: Int) throws(ErrorNumber) -> Int {
        try disk.perform(.write, path) { state, _ throws(ErrorNumber) in
            let length = state.image.nodes[node]!.content.bytes.count
            let count = disk.fitting(bytes.count, at: offset, length: length, state)
            if count == 0, !bytes.isEmpty { throw ErrorNumber(ENOSPC) }
            let change = DiskImage.Change.write(offset: offset, bytes: Array(bytes.prefix(count)))
            state.image.nodes[node]?.content.apply(change)
            state.image.nodes[node]?.modified = SimulatedDisk.now
            return count
        }
    }

    func truncate(to length: Int) throws(ErrorNumber) {
        try disk.perform(.truncate, path) { state, _ throws(ErrorNumber) in
            state.image.nodes[node]?.content.apply(.truncate(length: length))
            state.image.nodes[node]?.modified = SimulatedDisk.now
        }
    }

    func setMode(_ mode: Int) throws(ErrorNumber) {
        try disk.perform(.setMode, path) { state, _ throws(ErrorNumber) in state.image.nodes[node]?.mode = mode }
    }

    func synchronize() throws(ErrorNumber) {
        let isDirectory = disk.image.nodes[node]?.names != nil
        try disk.perform(isDirectory ? .synchronizeDirectory : .synchronize, path) { state, skips throws(ErrorNumber) in
            if skips { return }
            if isDirectory {
                state.image.synchronizeNames(of: node)
            } else {
                state.image.nodes[node]?.content.synchronize()
            }
        }
    }

    func lock() throws(ErrorNumber) -> FileLocking {
        try disk.perform(.lock, path) { state, _ throws(ErrorNumber) in
            let own = ObjectIdentifier(self)
            if let holder = state.locks[node], holder != own { return .held }
            state.locks[node] = own
            return .taken
        }
    }

    func close() throws(ErrorNumber) {
        letGo()
        try disk.perform(.close, path) { _, _ throws(ErrorNumber) in }
    }

    /// Ends the opening: its lock, and its count among the writers.
    private func letGo() {
        let wasOpen = end.withLock { end in
            defer { end = nil }
            return end != nil
        }
        if wasOpen { disk.forget(node, ObjectIdentifier(self), writes: writes) }
    }

    private static func copy(_ bytes: RawSpan) -> [UInt8] { unsafe bytes.withUnsafeBytes { unsafe Array($0) } }
}

extension SimulatedDisk {
    /// Ends an opening of a file.
    fileprivate func forget(_ node: Int, _ opening: ObjectIdentifier, writes: Bool) {
        change { state in
            if state.locks[node] == opening { state.locks[node] = nil }
            if writes { state.writers[node, default: 1] -= 1 }
        }
    }

    /// Returns the number of bytes that fit at an offset of a file.
    fileprivate func fitting(_ count: Int, at offset: Int, length: Int, _ state: State) -> Int {
        guard let capacity else { return count }
        let room = max(0, capacity - state.image.usedBytes)
        return min(count, max(0, length - offset) + room)
    }
}
