import Foundation
import Synchronization

/// Descriptors of a failing destination. Each is tested to fail before a check relies on it.
final class Replacement: Sendable {
    /// The descriptor to put in place of a sink's own.
    let number: Int32
    private let other: Int32?

    private init(_ number: Int32, keeping other: Int32? = nil) {
        self.number = number
        self.other = other
    }

    deinit {
        close(number)
        if let other { close(other) }
    }

    /// Returns a descriptor that takes no byte, like a full disk. Without a device for that,
    /// returns a read-only descriptor.
    static func full() throws(SinkContractError) -> Replacement {
        for (path, flags) in [("/dev/full", O_RDWR), ("/dev/null", O_RDONLY)] {
            let number = unsafe open(path, flags | O_CLOEXEC)
            guard number >= 0 else { continue }
            let replacement = Replacement(number)
            if unsafe write(number, [0 as UInt8], 1) < 0 { return replacement }
        }
        throw SinkContractError(
            cannotCheck: "cannot simulate a full disk: neither /dev/full nor a read-only descriptor refuses a byte")
    }

    /// Makes sure that a read-only descriptor refuses a byte, and can still be synced and closed.
    static func checkReadOnly(_ path: String) throws(SinkContractError) {
        put(Data(), path)
        let number = unsafe open(path, O_RDONLY | O_CLOEXEC)
        defer { close(number) }
        guard number >= 0, unsafe write(number, [0 as UInt8], 1) < 0, fsync(number) == 0 else {
            throw SinkContractError(
                cannotCheck:
                    "a read-only descriptor takes bytes, or cannot be synced")
        }
    }

    /// Returns a descriptor that takes every byte, and cannot be brought to stable storage.
    static func unsyncable() throws(SinkContractError) -> Replacement {
        let device = unsafe open("/dev/null", O_RDWR | O_CLOEXEC)
        if device >= 0 {
            let replacement = Replacement(device)
            if unsafe write(device, [0 as UInt8], 1) == 1, fsync(device) != 0 { return replacement }
        }
        // If the device can be synced, a pipe cannot. A pipe cannot seek either, so fewer sinks reach the sync.
        if let pipe = Pipe() {
            let replacement = Replacement(pipe.input, keeping: pipe.output)
            if fsync(pipe.input) != 0 { return replacement }
        }
        throw SinkContractError(cannotCheck: "every descriptor can be synced, so a missing sync would not be found")
    }
}

/// The identity of the file behind a descriptor.
private struct FileIdentity: Equatable {
    private let device, number, flags: UInt64

    /// Reads the identity. Returns nil if the descriptor is not open.
    init?(_ descriptor: Int32) {
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { return nil }
        device = UInt64(truncatingIfNeeded: status.st_dev)
        number = UInt64(truncatingIfNeeded: status.st_ino)
        flags = UInt64(truncatingIfNeeded: fcntl(descriptor, F_GETFL))
    }
}

/// The two ends of a pipe. The caller must close them. Neither blocks, and child processes inherit neither.
struct Pipe {
    let output: Int32
    let input: Int32

    init?() {
        var ends: [Int32] = [-1, -1]
        guard unsafe pipe(&ends) == 0 else { return nil }
        (output, input) = (ends[0], ends[1])
        for end in ends {
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
        }
    }
}

/// Replaces the files behind a sink's open descriptors below a directory. The descriptor numbers stay.
/// The sink notices only the errors that the system returns.
///
/// Use it only between two operations of the sink, when the sink neither opens nor closes descriptors.
final class Substitution: Sendable {
    private struct Place {
        let number: Int32
        /// The original file, to be put back. Nil if it was closed.
        let original: Int32?
        /// The identity of the replacement.
        let replacement: FileIdentity?
    }

    /// The replacement for the sink's files.
    enum Source {
        /// Another descriptor.
        case descriptor(Int32)
        /// The same file, open for reading only: it takes no byte, but can be synced and closed without an error.
        case readOnly
    }

    private let directory: String
    private let source: Source
    private let canBeUndone: Bool
    private let places = Mutex<[Place]>([])

    /// Prepares the replacement. Nothing is changed yet.
    /// - Parameter canBeUndone: true if ``undo()`` will be called. Only then are the sink's files kept open meanwhile,
    ///   because a sink may check for other openers.
    init(below directory: String, by source: Source, canBeUndone: Bool = false) {
        self.directory = directory
        self.source = source
        self.canBeUndone = canBeUndone
    }

    deinit {
        for place in places.withLock({ $0 }) {
            if let original = place.original { close(original) }
        }
    }

    /// True when the sink had no file open below the directory.
    var isEmpty: Bool { places.withLock(\.isEmpty) }

    /// Replaces the files that the sink has open now.
    func apply() {
        let now = OpenDescriptor.below(directory)
        places.withLock { places in
            for descriptor in now where !places.contains(where: { $0.original == descriptor.number }) {
                let original = canBeUndone ? fcntl(descriptor.number, F_DUPFD_CLOEXEC, 0) : nil
                if let original, original < 0 { continue }
                switch source {
                case .descriptor(let replacement): Self.put(replacement, under: descriptor.number)
                case .readOnly:
                    let same = unsafe open(descriptor.path ?? "", O_RDONLY | O_CLOEXEC)
                    // A moved or removed file stays open as it is: another rule is broken then.
                    guard same >= 0 else {
                        if let original { close(original) }
                        continue
                    }
                    Self.put(same, under: descriptor.number)
                    close(same)
                }
                places.append(
                    Place(number: descriptor.number, original: original, replacement: FileIdentity(descriptor.number)))
            }
        }
    }

    /// Puts the original files back. If the sink has closed a number since, the number may have
    /// a new owner and is left alone.
    func undo() {
        places.withLock { places in
            for place in places {
                guard let original = place.original else { continue }
                if let replacement = place.replacement, FileIdentity(place.number) == replacement {
                    Self.put(original, under: place.number)
                }
                close(original)
            }
            places = []
        }
    }

    private static func put(_ descriptor: Int32, under number: Int32) {
        _ = dup2(descriptor, number)
        _ = fcntl(number, F_SETFD, FD_CLOEXEC)
    }
}
