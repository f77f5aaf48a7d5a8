import CallreelCore

/// The input of a C library: a file with some of its bytes replaced. The file itself is not changed.
///
/// C code reaches this object through its address; the owner of the library's handle keeps it alive.
final class CodecInput {
    /// Bytes that replace the file's own.
    struct Patch {
        let offset: Int
        let bytes: [UInt8]
    }

    private let file: StoredFile
    private let patches: [Patch]
    /// Offset of the next byte to read.
    var position = 0

    /// Creates an input from a file and patches.
    init(_ file: StoredFile, patches: [Patch]) {
        self.file = file
        self.patches = patches
    }

    /// The file's length.
    var byteCount: Int { file.byteCount }

    /// Reads from the current position on, and returns the number of bytes. Returns fewer than fit only at the end,
    /// or if the file cannot be read.
    func read(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        guard position >= 0 else { return 0 }
        var done = 0
        while done < buffer.count {
            let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
            let count = unsafe (try? file.file.read(at: position + done, into: rest)) ?? 0
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

    /// Returns the input behind a library's user data.
    static func behind(_ client: UnsafeMutableRawPointer?) -> CodecInput {
        unsafe Unmanaged<CodecInput>.fromOpaque(client!).takeUnretainedValue()
    }

    /// The address to pass to a library.
    var address: UnsafeMutableRawPointer { unsafe Unmanaged.passUnretained(self).toOpaque() }
}
