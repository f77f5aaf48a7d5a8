#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// Whether some process has a file open for writing, or mapped for it.
package enum FileWriters: Sendable {
    case none, some
    /// The file system cannot tell, or the file is another user's.
    case unknown

    /// Asks for a lease, which the system grants only where nobody writes, or has the file open at all (fcntl(2), "Leases").
    /// - Parameter countsReaders: whether a process that has it open for reading counts as well. It can open it again, for writing.
    package static func of(_ path: String, countsReaders: Bool = false) -> Self {
        #if os(Linux)
            let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
            guard descriptor >= 0 else { return .unknown }
            defer { close(descriptor) }
            // If somebody opens the file for writing at this moment, the signal that says so is one that does nothing by default.
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
        /// `F_SETSIG` and `F_SETLEASE` (fcntl-linux.h), which not every C library shows by default.
        private static let setSignal: Int32 = 10, setLease: Int32 = 1024
    #endif
}
