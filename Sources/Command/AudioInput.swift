import CallreelCore
import CallreelServer
import CallreelSinks
import Foundation

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// The audio file that a command is given: a file, `-` for standard input, or a pipe.
///
/// libsndfile has to go back and forth in a file. What cannot do that is copied into a temporary one first, to its end, which nobody else can
/// open and which goes with the process.
struct AudioInput: Sendable {
    /// What messages call it.
    let name: String
    /// Where it can be opened, any number of times.
    let path: String

    /// Makes a file of an argument. Blocks until a pipe has come to its end.
    init(_ argument: String) throws {
        name = argument == "-" ? "standard input" : argument
        let source = argument == "-" ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : unsafe open(argument, O_RDONLY | O_CLOEXEC)
        guard source >= 0 else { throw CallerError("\(name): \(systemMessage(errno))") }
        defer { close(source) }
        var status = stat()
        guard unsafe fstat(source, &status) == 0 else { throw CallerError("\(name): \(systemMessage(errno))") }
        if argument != "-", status.st_mode & S_IFMT == S_IFREG || status.st_mode & S_IFMT == S_IFDIR {
            path = argument
            return
        }
        var template = Array((NSTemporaryDirectory() + "/callreel-XXXXXX").utf8CString)
        let copy = unsafe template.withUnsafeMutableBufferPointer { unsafe mkstemp($0.baseAddress!) }
        let place = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        guard copy >= 0 else { throw CallerError("\(name) cannot be copied into \(place.parentPath): \(systemMessage(errno))") }
        defer { unsafe unlink(place) }
        _ = fcntl(copy, F_SETFD, FD_CLOEXEC)
        do {
            let target = FileHandle(fileDescriptor: copy, closeOnDealloc: false), origin = FileHandle(fileDescriptor: source, closeOnDealloc: false)
            while let data = try origin.read(upToCount: 1 << 18), !data.isEmpty { try target.write(contentsOf: data) }
        } catch {
            throw CallerError("\(name) cannot be copied into \(place.parentPath): \(systemMessage(errno))")
        }
        // Open until the process ends: each opening of this path is a file of its own, with its own place to read from.
        path = "/dev/fd/\(copy)"
    }

    /// Opens it, in its own format or in another.
    func reader(convertingTo format: AudioFormat? = nil) throws(CallerError) -> AudioFileReader {
        do throws(AudioFileError) { return try AudioFileReader(path: path, convertingTo: format) } catch {
            throw CallerError("\(name): \(error.reason)")
        }
    }
}
