package import Foundation

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// The file system's facts about one name.
package struct FileStatus: Sendable {
    /// A file's device and inode number, the same for all of its names.
    package struct Identity: Hashable, Sendable {
        package let device: UInt64
        package let number: UInt64
    }

    /// The kind of file at a name.
    package enum Kind: Sendable {
        case directory, file, link
        /// A pipe, a socket or a device.
        case other
    }

    /// The time of a file's last change, to the nanosecond.
    package struct Moment: Hashable, Sendable {
        package let seconds: Int
        package let nanoseconds: Int
    }

    package let identity: Identity
    package let kind: Kind
    package let bytes: Int
    package let modified: Moment

    /// Reads the facts. May block.
    /// - Parameter followsLinks: true for the facts of a symbolic link's target, false for those of the link.
    package init(_ path: String, followsLinks: Bool = true) throws(DiskError) {
        var status = stat()
        let result = unsafe followsLinks ? stat(path, &status) : lstat(path, &status)
        guard result == 0 else { throw DiskError("cannot find \(path)", underlying: errno) }
        identity = Identity(
            device: UInt64(truncatingIfNeeded: status.st_dev), number: UInt64(truncatingIfNeeded: status.st_ino))
        bytes = Int(status.st_size)
        kind =
            switch status.st_mode & S_IFMT {
            case S_IFDIR: .directory
            case S_IFREG: .file
            case S_IFLNK: .link
            default: .other
            }
        #if canImport(Darwin)
            let time = status.st_mtimespec
        #else
            let time = status.st_mtim
        #endif
        modified = Moment(seconds: Int(time.tv_sec), nanoseconds: Int(time.tv_nsec))
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

extension FileSystem {
    /// A name in a directory.
    package struct Entry: Sendable {
        package let name: String
        /// The kind of file. Nil if the directory does not list it.
        package let kind: FileStatus.Kind?
    }

    /// Returns the names in a directory, sorted, without `.` and `..`. May block.
    package static func list(_ path: String) throws(DiskError) -> [Entry] {
        guard let stream = unsafe opendir(path) else {
            throw DiskError("cannot read the directory \(path)", underlying: errno)
        }
        defer { unsafe closedir(stream) }
        var entries: [Entry] = []
        while true {
            errno = 0
            guard let entry = unsafe readdir(stream) else { break }
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
            }
            guard name != ".", name != ".." else { continue }
            let kind: FileStatus.Kind? =
                switch Int(unsafe entry.pointee.d_type) {
                case Int(DT_DIR): .directory
                case Int(DT_REG): .file
                case Int(DT_LNK): .link
                default: nil
                }
            entries.append(Entry(name: name, kind: kind))
        }
        guard errno == 0 else { throw DiskError("cannot read the directory \(path)", underlying: errno) }
        return entries.sorted { $0.name < $1.name }
    }

    /// Returns a path with all links resolved, or the path itself if there is nothing at its end.
    package static func resolved(_ path: String) -> String {
        guard let found = unsafe realpath(path, nil) else { return path }
        defer { unsafe free(found) }
        return unsafe String(cString: found)
    }

    /// Returns true if the machine was started after a moment. Returns false if either time is unknown.
    package static func isBeforeBoot(_ moment: Date?) -> Bool {
        guard let moment, let bootTime else { return false }
        return moment.timeIntervalSince1970 < bootTime
    }

    /// The time the machine was started, in seconds since 1970. Nil if the system does not report it.
    static var bootTime: Double? {
        #if canImport(Darwin)
            return nil
        #else
            var now = timespec(), up = timespec()
            guard unsafe clock_gettime(CLOCK_REALTIME, &now) == 0, unsafe clock_gettime(CLOCK_BOOTTIME, &up) == 0 else {
                return nil
            }
            return Double(now.tv_sec - up.tv_sec) + Double(now.tv_nsec - up.tv_nsec) / 1e9
        #endif
    }
}
