package import Foundation
import SystemPackage

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
        do {
            let isInput = dash && path == "-"
            let file =
                isInput ? .standardInput : try FileDescriptor.open(FilePath(path), .readOnly, options: .closeOnExec)
            defer { if !isInput { try? file.close() } }
            var content = Data()
            var buffer = [UInt8](repeating: 0, count: 1 << 16)
            while true {
                let count = unsafe try buffer.withUnsafeMutableBytes { unsafe try file.read(into: $0) }
                if count == 0 { return content }
                content.append(contentsOf: buffer[..<count])
                if content.count > limit { throw Failure.tooLarge(limit: limit) }
            }
        } catch let failure as Failure {
            throw failure
        } catch {
            throw .system((error as? Errno)?.rawValue ?? EIO)
        }
    }
}
