/// One operation on a simulated disk.
package struct DiskOperation: Sendable, CustomStringConvertible {
    /// The kinds of operations.
    package enum Kind: String, CaseIterable, Sendable {
        case open, create, status, list, makeDirectory, setMode, link, rename, removeName, removeDirectory, room
        case read, write, truncate, synchronize, synchronizeDirectory, lock, close

        /// True for an operation that changes the disk, or brings changes to stable storage.
        package var isChange: Bool {
            switch self {
            case .open, .status, .list, .room, .read, .lock, .close: false
            default: true
            }
        }
    }

    package let kind: Kind
    /// The path given to the operation. For an open file, the path under which it was opened.
    package let path: String
    /// The position in the history: the number of earlier operations.
    package let index: Int

    /// Describes an operation.
    package init(kind: Kind, path: String, index: Int) {
        self.kind = kind
        self.path = path
        self.index = index
    }

    /// The position, the kind and the path, such as `17 link /archive/call.wav`.
    package var description: String { "\(index) \(kind) \(path)" }
}

/// The result that a test wants of an operation.
package enum DiskFault: Sendable {
    /// The operation fails with an error number, and changes nothing.
    case fail(Int32)
    /// A sync reports success, and syncs nothing.
    case skip
    /// The power is cut before the operation. It and all later operations fail, and change nothing.
    case cut
    /// The operation waits until ``SimulatedDisk/release()``.
    case hang
}
