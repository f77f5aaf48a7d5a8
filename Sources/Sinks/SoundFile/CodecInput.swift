#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// A file that a C library reads, with some of its bytes replaced by others. The file itself stays as it is.
///
/// Reached from C through its address; whoever owns the library's handle keeps it alive.
final class CodecInput {
    /// Bytes that stand in the place of the file's own.
    struct Patch {
        let offset: Int
        let bytes: [UInt8]
    }

    private let file: StoredFile
    private let patches: [Patch]
    /// Where the next byte is read.
    var position = 0

    /// Reads a file through patches.
    init(_ file: StoredFile, patches: [Patch]) {
        self.file = file
        self.patches = patches
    }

    /// The file's length.
    var byteCount: Int { file.byteCount }

    /// Reads from the position on, and returns how many bytes there were; fewer than fit only at the end, or where the file cannot be read.
    func read(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        guard position >= 0 else { return 0 }
        var done = 0
        while done < buffer.count {
            let count = unsafe pread(file.descriptor, buffer.baseAddress! + done, buffer.count - done, off_t(position + done))
            if count < 0, errno == EINTR { continue }
            if count <= 0 { break }
            done += count
        }
        for patch in patches {
            for (index, byte) in patch.bytes.enumerated() where position..<position + done ~= patch.offset + index {
                unsafe buffer[patch.offset + index - position] = byte
            }
        }
        position += done
        return done
    }

    /// The input behind a library's user data.
    static func behind(_ client: UnsafeMutableRawPointer?) -> CodecInput {
        unsafe Unmanaged<CodecInput>.fromOpaque(client!).takeUnretainedValue()
    }

    /// The address that a library is given.
    var address: UnsafeMutableRawPointer { unsafe Unmanaged.passUnretained(self).toOpaque() }
}
