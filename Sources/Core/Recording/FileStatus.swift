import Foundation

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// The facts that a file system keeps about one name.
package struct FileStatus: Sendable {
    /// A file's device and number, which are the same for all of its names.
    package struct Identity: Hashable, Sendable {
        package let device: UInt64
        package let number: UInt64
    }

    /// What stands at a name.
    package enum Kind: Sendable {
        case directory, file, link
        /// A pipe, a socket or a device.
        case other
    }

    /// When a file was last changed, to the nanosecond.
    package struct Moment: Hashable, Sendable {
        package let seconds: Int
        package let nanoseconds: Int
    }

    package let identity: Identity
    package let kind: Kind
    package let bytes: Int
    package let modified: Moment

    /// Reads the facts. May block.
    /// - Parameter followsLinks: whether they are those of the file that a symbolic link leads to.
    package init(_ path: String, followsLinks: Bool = true) throws(RecordingError) {
        var status = stat()
        let result = unsafe followsLinks ? stat(path, &status) : lstat(path, &status)
        guard result == 0 else { throw RecordingError("cannot find \(path)", underlying: errno) }
        identity = Identity(device: UInt64(truncatingIfNeeded: status.st_dev), number: UInt64(truncatingIfNeeded: status.st_ino))
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

    /// Whether nothing stands at a path. False when that cannot be found out.
    static func isMissing(_ path: String) -> Bool {
        do {
            _ = try FileStatus(path, followsLinks: false)
            return false
        } catch {
            return error.isMissing
        }
    }
}

extension RecordingError {
    /// Whether the file system says that there is no such file.
    var isMissing: Bool { underlying == ENOENT || underlying == ENOTDIR }
}

extension FileSystem {
    /// A name in a directory.
    struct Entry: Sendable {
        let name: String
        /// What stands there; nil when the file system does not say so here.
        let kind: FileStatus.Kind?
    }

    /// The names in a directory, sorted, without `.` and `..`. May block.
    static func list(_ path: String) throws(RecordingError) -> [Entry] {
        guard let stream = unsafe opendir(path) else { throw RecordingError("cannot read the directory \(path)", underlying: errno) }
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
        guard errno == 0 else { throw RecordingError("cannot read the directory \(path)", underlying: errno) }
        return entries.sorted { $0.name < $1.name }
    }

    /// Where a path leads after every link; the path itself where nothing is there.
    static func resolved(_ path: String) -> String {
        guard let found = unsafe realpath(path, nil) else { return path }
        defer { unsafe free(found) }
        return unsafe String(cString: found)
    }

    /// Whether the machine was started after a moment. False where that is not known.
    static func isBeforeBoot(_ moment: Date?) -> Bool {
        guard let moment, let bootTime else { return false }
        return moment.timeIntervalSince1970 < bootTime
    }

    /// Seconds since 1970 at which the machine was started; nil where the system does not say.
    static var bootTime: Double? {
        #if canImport(Darwin)
            return nil
        #else
            var now = timespec(), up = timespec()
            guard unsafe clock_gettime(CLOCK_REALTIME, &now) == 0, unsafe clock_gettime(CLOCK_BOOTTIME, &up) == 0 else { return nil }
            return Double(now.tv_sec - up.tv_sec) + Double(now.tv_nsec - up.tv_nsec) / 1e9
        #endif
    }
}
