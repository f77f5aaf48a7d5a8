package import Foundation

/// The few file operations needed by recordings, each with an error naming its path. All of them may block.
package enum FileSystem {
    /// The disk for all operations of the present task.
    ///
    /// Tests replace it. A new `Task` has the disk of the task that makes it. A new thread has the system's disk;
    /// ``DiskThread`` hands the present one over.
    @TaskLocal package static var disk: any Disk = SystemDisk()

    /// The free space under a directory.
    package struct Room: Equatable, Sendable {
        /// Bytes free to write.
        package var bytes: Int
        /// Files free to create. Nil if the file system does not count them.
        package var files: Int?

        /// Makes a room.
        package init(bytes: Int, files: Int?) {
            self.bytes = bytes
            self.files = files
        }
    }

    /// A name in a directory.
    package struct Entry: Sendable {
        package let name: String
        /// The kind of file. Nil if the directory does not list it.
        package let kind: FileStatus.Kind?

        /// Makes an entry.
        package init(name: String, kind: FileStatus.Kind?) {
            self.name = name
            self.kind = kind
        }
    }

    /// Runs operations of the disk, and puts a reason in front of a failure's number.
    static func saying<Result>(
        _ reason: @autoclosure () -> String, _ body: () throws(ErrorNumber) -> Result
    ) throws(DiskError) -> Result {
        do throws(ErrorNumber) { return try body() } catch { throw DiskError(reason(), underlying: error.value) }
    }

    /// Returns the facts about a name, or nil if they cannot be had.
    private static func status(_ path: String, followsLinks: Bool = true) -> FileStatus? {
        try? disk.status(path, followsLinks: followsLinks)
    }

    /// Returns true if the path leads to a directory.
    package static func isDirectory(_ path: String) -> Bool { status(path)?.kind == .directory }

    /// Returns true if the path exists, even as a dangling link.
    package static func exists(_ path: String) -> Bool { status(path, followsLinks: false) != nil }

    /// Returns the permission bits of a file, or nil if the file cannot be examined.
    package static func mode(of path: String) -> Int? { status(path).map { $0.mode & 0o777 } }

    /// Returns true if the path is a regular file of zero bytes.
    package static func isEmptyFile(_ path: String) -> Bool {
        status(path, followsLinks: false).map { $0.kind == .file && $0.bytes == 0 } ?? false
    }

    /// Returns the number of a path's file system, or nil if there is nothing at the path.
    package static func device(_ path: String) -> UInt64? { status(path)?.identity.device }

    /// Returns a file's length in bytes, or nil if the file cannot be examined.
    package static func size(_ path: String) -> Int? { status(path)?.bytes }

    /// Returns the time of a file's last change, or nil if the file cannot be examined.
    package static func modified(_ path: String) -> Date? {
        status(path).map {
            Date(timeIntervalSince1970: Double($0.modified.seconds) + Double($0.modified.nanoseconds) / 1e9)
        }
    }

    /// Returns true if a directory last changed more than a minute ago.
    package static func isOld(_ path: String) -> Bool {
        modified(path).map { $0.timeIntervalSince(Clocks.current.date) < -60 } ?? false
    }

    /// Returns true if two paths lead to one directory, by any links.
    package static func isSameDirectory(_ one: String, _ other: String) -> Bool {
        guard let first = status(one), let second = status(other) else { return false }
        return first.identity == second.identity
    }

    /// Returns true if two paths name one file. Does not follow symbolic links.
    package static func isSameFile(_ one: String, _ other: String) -> Bool {
        guard let first = status(one, followsLinks: false), let second = status(other, followsLinks: false) else {
            return false
        }
        return first.identity == second.identity
    }

    /// Returns the names in a directory, sorted, without `.` and `..`. May block.
    package static func list(_ path: String) throws(DiskError) -> [Entry] {
        try saying("cannot read the directory \(path)") { () throws(ErrorNumber) in
            try disk.list(path).sorted { $0.name < $1.name }
        }
    }

    /// Returns the names in a directory, sorted. Returns none if the directory cannot be read.
    package static func names(in path: String) -> [String] { ((try? list(path)) ?? []).map(\.name) }

    /// Returns the free space under a directory, or nil if the system does not report it.
    package static func room(_ path: String) -> Room? { try? disk.room(path) }

    /// Returns the bytes free to write under a directory, or nil if the system does not report them.
    package static func freeBytes(_ path: String) -> Int? { room(path)?.bytes }

    /// Returns the free space from the values of `statvfs(3)`. A file system may report any values.
    package static func room(blocks: UInt64, blockSize: UInt64, files: UInt64, totalFiles: UInt64) -> Room {
        // Some file systems report a negative number while blocks reserved for root are in use.
        let blocks = Int64(bitPattern: blocks) < 0 ? 0 : blocks
        let (product, overflows) = blocks.multipliedReportingOverflow(by: blockSize)
        return Room(
            bytes: overflows ? .max : Int(clamping: product),
            files: totalFiles == 0 ? nil : Int64(bitPattern: files) < 0 ? 0 : Int(clamping: files))
    }

    /// Returns a path with all links resolved, or the path itself if there is nothing at its end.
    package static func resolved(_ path: String) -> String { disk.resolved(path) ?? path }

    /// Returns true if the machine was started after a moment. Returns false if either time is unknown.
    package static func isBeforeBoot(_ moment: Date?) -> Bool {
        guard let moment, let bootTime = disk.bootTime else { return false }
        return moment.timeIntervalSince1970 < bootTime
    }
}
