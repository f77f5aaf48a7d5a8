package import Foundation

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// Reads small files whole: a configuration, a secret.
///
/// Any path that can be opened and read will do: a pipe of the shell, `/dev/stdin`, a FIFO. Pipes have no size, so
/// Callreel does not ask for it.
package enum FileContent {
    /// The reason why a file could not be read.
    package enum Failure: Error, Sendable {
        /// The system refused, with this error number.
        case system(Int32)
        /// The file holds more bytes than it may.
        case tooLarge(limit: Int)

        /// The file does not exist.
        package var isMissing: Bool { if case .system(ENOENT) = self { true } else { false } }

        /// The reason in words, such as `Is a directory`.
        package var reason: String {
            switch self {
            case .system(let number): systemMessage(number)
            case .tooLarge(let limit): "it has more than \(limit) bytes"
            }
        }
    }

    /// Returns the whole content of a file. Blocks.
    /// - Parameters:
    ///   - limit: the most bytes that the file may hold.
    ///   - dash: true reads standard input for the path `-`.
    package static func read(_ path: String, limit: Int, dash: Bool = false) throws(Failure) -> Data {
        let descriptor =
            dash && path == "-" ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .system(errno) }
        defer { close(descriptor) }
        var content = Data()
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = unsafe buffer.withUnsafeMutableBytes {
                unsafe systemRead(descriptor, $0.baseAddress!, $0.count)
            }
            if count < 0 {
                if errno == EINTR { continue }
                throw .system(errno)
            }
            if count == 0 { return content }
            content.append(contentsOf: buffer[..<count])
            if content.count > limit { throw .tooLarge(limit: limit) }
        }
    }
}

/// `read(2)`, under a name that a method called `read` does not hide.
private func systemRead(_ descriptor: Int32, _ bytes: UnsafeMutableRawPointer, _ count: Int) -> Int {
    unsafe read(descriptor, bytes, count)
}
