import Foundation

/// The file system's facts about one name.
package struct FileStatus: Sendable {
    /// A file's device and inode number, the same for all of its names.
    package struct Identity: Hashable, Sendable {
        package let device: UInt64
        package let number: UInt64

        /// Makes an identity.
        package init(device: UInt64, number: UInt64) {
            self.device = device
            self.number = number
        }
    }

    /// The kind of file at a name.
    package enum Kind: Sendable {
        case directory, file, link
        /// A pipe, a socket or a device.
        case other
    }

    /// A file's length, and its space on the disk.
    package struct Size: Hashable, Sendable {
        /// Bytes of content.
        package let bytes: Int
        /// Bytes on the disk.
        package let stored: Int
        /// Bytes of a block, the unit of space on the disk.
        package let block: Int

        /// Makes a size.
        package init(bytes: Int, stored: Int, block: Int) {
            self.bytes = bytes
            self.stored = stored
            self.block = block
        }
    }

    /// The time of a file's last change, to the nanosecond.
    package struct Moment: Hashable, Sendable {
        package let seconds: Int
        package let nanoseconds: Int

        /// Makes a time since 1970.
        package init(seconds: Int, nanoseconds: Int) {
            self.seconds = seconds
            self.nanoseconds = nanoseconds
        }
    }

    package let identity: Identity
    package let kind: Kind
    package let size: Size
    package let modified: Moment
    /// The permission bits, and the three bits above them.
    package let mode: Int
    /// Number of the file's names.
    package let links: Int

    /// The file's length in bytes.
    package var bytes: Int { size.bytes }
    /// Bytes of a block, the unit of space on the disk.
    package var blockSize: Int { size.block }
    /// Bytes on the disk. A file with holes has fewer of them than ``bytes``.
    package var storedBytes: Int { size.stored }

    /// Makes a status of its facts.
    package init(identity: Identity, kind: Kind, size: Size, modified: Moment, mode: Int, links: Int) {
        self.identity = identity
        self.kind = kind
        self.size = size
        self.modified = modified
        self.mode = mode
        self.links = links
    }

    /// Reads the facts. May block.
    /// - Parameter followsLinks: true for the facts of a symbolic link's target, false for those of the link.
    package init(_ path: String, followsLinks: Bool = true) throws(DiskError) {
        do throws(ErrorNumber) {
            self = try FileSystem.disk.status(path, followsLinks: followsLinks)
        } catch {
            throw DiskError("cannot find \(path)", underlying: error.value)
        }
    }

    /// Returns true if there is nothing at a path. Returns false if this cannot be determined.
    package static func isMissing(_ path: String) -> Bool {
        do {
            _ = try FileStatus(path, followsLinks: false)
            return false
        } catch {
            return error.isMissing
        }
    }
}

extension DiskError {
    /// True when the file system reports a missing file.
    package var isMissing: Bool { underlying == ENOENT || underlying == ENOTDIR }
}
