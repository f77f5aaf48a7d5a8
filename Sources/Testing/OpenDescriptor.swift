import Foundation

/// A descriptor that this process has open, and the file it leads to. The number alone may soon belong to another file.
struct OpenDescriptor: Hashable, Sendable {
    let number: Int32
    private let device: UInt64
    private let inode: UInt64

    private init?(_ number: Int32) {
        var status = stat()
        guard unsafe fstat(number, &status) == 0 else { return nil }
        self.number = number
        device = UInt64(truncatingIfNeeded: status.st_dev)
        inode = UInt64(truncatingIfNeeded: status.st_ino)
    }

    /// Returns all open descriptors of the process.
    static func all() -> Set<OpenDescriptor> {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/dev/fd")) ?? []
        // The list includes the descriptor that was used to read it, which is closed by now.
        return Set(names.compactMap { Int32($0) }.compactMap { OpenDescriptor($0) })
    }

    /// Returns the descriptors of files below a directory. The directory must be given without symbolic
    /// links. A removed file still counts.
    static func below(_ directory: String) -> [OpenDescriptor] {
        all().filter { $0.path?.hasPrefix(directory + "/") == true }
    }

    /// The path of the open file, if it has one.
    var path: String? {
        #if canImport(Darwin)
            var buffer = [CChar](repeating: 0, count: Int(MAXPATHLEN))
            guard unsafe fcntl(number, F_GETPATH, &buffer) == 0 else { return nil }
            return unsafe String(cString: buffer)
        #else
            return try? FileManager.default.destinationOfSymbolicLink(atPath: "/dev/fd/\(number)")
        #endif
    }

    /// Makes sure that descriptors left open would be seen.
    /// - Parameter directory: an empty directory of the kit.
    static func checkVisibility(in directory: String) throws(CannotCheck) {
        put(Data(), directory + "/seen")
        let number = unsafe open(directory + "/seen", O_RDONLY | O_CLOEXEC)
        let isSeen = below(directory).map(\.number) == [number]
        close(number)
        guard isSeen, below(directory).isEmpty else {
            throw CannotCheck("/dev/fd does not show open files, so a file that is left open would not be found")
        }
        guard let pipe = Pipe() else { throw CannotCheck("cannot create a pipe: error \(errno)") }
        let seen = Set(all().map(\.number))
        for end in [pipe.input, pipe.output] { close(end) }
        guard seen.isSuperset(of: [pipe.input, pipe.output]) else {
            throw CannotCheck("/dev/fd does not show open pipes, so a pipe that is left open would not be found")
        }
    }
}
