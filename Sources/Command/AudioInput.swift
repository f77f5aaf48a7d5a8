import CallreelCore
import CallreelServer
import CallreelSimulator
import CallreelSinks
import Foundation

/// The audio file given to a command: a path, `-` for standard input, or a pipe.
///
/// libsndfile has to seek in its file. Input without seeking is first copied, to its end, into a temporary file.
/// No other process can open that copy, and it disappears with this process.
struct AudioInput: Sendable {
    /// The input's name in messages.
    let name: String
    /// A path that can be opened any number of times.
    let path: String

    /// Makes a file of an argument. Blocks until a pipe has come to its end.
    init(_ argument: String) throws {
        name = argument == "-" ? "standard input" : argument
        let source =
            argument == "-" ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : unsafe open(argument, O_RDONLY | O_CLOEXEC)
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
        guard copy >= 0 else {
            throw CallerError("cannot copy \(name) to \(place.parentPath): \(systemMessage(errno))")
        }
        defer { unsafe unlink(place) }
        _ = fcntl(copy, F_SETFD, FD_CLOEXEC)
        do {
            let target = FileHandle(fileDescriptor: copy, closeOnDealloc: false),
                origin = FileHandle(fileDescriptor: source, closeOnDealloc: false)
            while let data = try origin.read(upToCount: 1 << 18), !data.isEmpty { try target.write(contentsOf: data) }
        } catch {
            throw CallerError("cannot copy \(name) to \(place.parentPath): \(systemMessage(errno))")
        }
        // Open until the process ends. Each opening of this path is a separate file with its own read position.
        path = "/dev/fd/\(copy)"
    }

    /// Opens the file for reading, in its own format or converted to another.
    func reader(convertingTo format: AudioFormat? = nil) throws(CallerError) -> AudioFileReader {
        do throws(AudioFileError) { return try AudioFileReader(path: path, convertingTo: format) } catch {
            throw CallerError("\(name): \(error.reason)")
        }
    }
}
