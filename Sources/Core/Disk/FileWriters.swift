import Foundation

/// The answer to a search for processes that have a file open, or mapped, for writing.
package enum FileWriters: Sendable {
    case none, some
    /// The file system cannot tell, or the file belongs to another user.
    case unknown

    /// Asks for a lease on a file. The system grants it only if no process has the file open for writing, or open at
    /// all (fcntl(2), "Leases").
    /// - Parameter countsReaders: true also counts processes that have the file open for reading. They can open it
    ///   again, for writing.
    package static func of(_ path: String, countsReaders: Bool = false) -> Self {
        FileSystem.disk.writers(of: path, countsReaders: countsReaders)
    }

    /// Asks the system.
    static func ofSystemFile(_ path: String, countsReaders: Bool) -> Self {
        #if os(Linux)
            let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
            guard descriptor >= 0 else { return .unknown }
            defer { close(descriptor) }
            // If a process opens the file for writing at this moment, the kernel sends this signal, ignored by default.
            guard fcntl(descriptor, setSignal, SIGURG) == 0 else { return .unknown }
            if fcntl(descriptor, setLease, countsReaders ? F_WRLCK : F_RDLCK) == 0 {
                _ = fcntl(descriptor, setLease, F_UNLCK)
                return .none
            }
            return errno == EAGAIN ? .some : .unknown
        #else
            return .unknown
        #endif
    }

    #if os(Linux)
        /// `F_SETSIG` and `F_SETLEASE` (fcntl-linux.h). Not every C library shows them by default.
        private static let setSignal: Int32 = 10, setLease: Int32 = 1024
    #endif
}
