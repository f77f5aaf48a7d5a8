/// The file operations on which recordings are built.
///
/// Engine, archive and sinks reach the disk through ``FileSystem``, which asks ``FileSystem/disk``. That is the
/// system's disk, or a simulated one in a test. A failure is a bare error number; ``FileSystem`` adds the words.
/// Every operation may block.
package protocol Disk: Sendable {
    /// Opens a file or a directory. May create a file.
    func open(_ path: String, _ opening: FileOpening) throws(ErrorNumber) -> any DiskFile

    /// Returns the facts about a name.
    /// - Parameter followsLinks: true for the facts of a symbolic link's target, false for those of the link.
    func status(_ path: String, followsLinks: Bool) throws(ErrorNumber) -> FileStatus

    /// Returns the names in a directory, in any order, without `.` and `..`.
    func list(_ path: String) throws(ErrorNumber) -> [FileSystem.Entry]

    /// Creates one directory.
    func makeDirectory(_ path: String, mode: Int) throws(ErrorNumber)

    /// Sets the permission bits, and the bits above them, of a file or directory.
    func setMode(_ path: String, _ mode: Int) throws(ErrorNumber)

    /// Gives a file a second name. Fails with `EEXIST` if the name is taken.
    func link(_ path: String, as name: String) throws(ErrorNumber)

    /// Renames a file or directory. Replaces a file of the new name.
    func rename(_ path: String, to name: String) throws(ErrorNumber)

    /// Renames a file to an unused name. Fails with `EEXIST` if the name is taken.
    func renameExclusively(_ path: String, to name: String) throws(ErrorNumber)

    /// Removes one name of a file.
    func removeName(_ path: String) throws(ErrorNumber)

    /// Removes an empty directory.
    func removeDirectory(_ path: String) throws(ErrorNumber)

    /// Returns the free space under a directory.
    func room(_ path: String) throws(ErrorNumber) -> FileSystem.Room

    /// Returns if this process may create names in a directory. Otherwise throws the reason.
    func checkMayCreate(in path: String) throws(ErrorNumber)

    /// Returns a path without symbolic links, or nil if there is nothing at its end.
    func resolved(_ path: String) -> String?

    /// Searches for processes that have a file open for writing.
    /// - Parameter countsReaders: true also counts processes that have the file open for reading.
    func writers(of path: String, countsReaders: Bool) -> FileWriters

    /// Returns the type of a path's file system, such as `ext4`; nil if unknown.
    func fileSystemType(of path: String) -> String?

    /// The identifier of the machine's boot, which a power cut changes; nil if the system gives none.
    var boot: String? { get }

    /// The time of the machine's boot, in seconds since 1970; nil if the system does not report it.
    var bootTime: Double? { get }
}

/// An open file or directory. It is closed by ``close()``, or when the last reference is released.
package protocol DiskFile: AnyObject, Sendable {
    /// The system's descriptor, for C libraries and child programs; -1 on a simulated disk.
    var descriptor: Int32 { get }

    /// Returns the facts about the file.
    func status() throws(ErrorNumber) -> FileStatus

    /// Reads bytes from an offset on, and returns their number: 0 only at the end of the file.
    func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(ErrorNumber) -> Int

    /// Writes all the bytes after those appended before, or fails. A failure is final: some may have been written.
    func append(_ bytes: RawSpan) throws(ErrorNumber)

    /// Writes bytes at an offset in one step, and returns their number, which may be smaller than asked for.
    func write(_ bytes: RawSpan, at offset: Int) throws(ErrorNumber) -> Int

    /// Cuts the file to a length, or extends it by zeros.
    func truncate(to length: Int) throws(ErrorNumber)

    /// Sets the file's permission bits.
    func setMode(_ mode: Int) throws(ErrorNumber)

    /// Brings a file's content, or the names in a directory, to stable storage.
    func synchronize() throws(ErrorNumber)

    /// Locks the file or directory against other openings of it, until it is closed. Does not wait.
    func lock() throws(ErrorNumber) -> FileLocking

    /// Closes the file. Reports an error of earlier writes, if the file system kept one.
    func close() throws(ErrorNumber)
}

/// The result of an attempt to lock a file.
package enum FileLocking: Sendable {
    case taken
    /// Another opening of the file has the lock.
    case held
    /// The file system has no locks.
    case unsupported
}

/// The purpose for which a file is opened.
package struct FileOpening: Sendable {
    /// The permitted operations, and the treatment of a missing file.
    package enum Purpose: Sendable {
        case read
        /// Writing, without reading.
        case write
        /// Reading and writing.
        case change
        /// Reading and writing a file that does not exist yet. Fails with `EEXIST` if the name is taken.
        case create(mode: Int)
        /// Reading and writing. A missing file is created.
        case createIfMissing(mode: Int)
        /// Syncing or locking a directory.
        case directory
    }

    package var purpose: Purpose
    /// Follows a symbolic link at the end of the path.
    package var followsLinks: Bool
    /// Waits for the other end of a pipe, and for the release of a lease.
    package var waits: Bool

    /// Describes an opening.
    package init(_ purpose: Purpose, followsLinks: Bool = true, waits: Bool = true) {
        self.purpose = purpose
        self.followsLinks = followsLinks
        self.waits = waits
    }
}

/// The system's number for the failure of a file operation, such as `ENOSPC`.
package struct ErrorNumber: Error, Equatable, Sendable {
    /// The number, as in errno(3).
    package let value: Int32

    /// Makes an error of a number.
    package init(_ value: Int32) { self.value = value }
}
