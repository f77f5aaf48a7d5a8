import Crypto
package import Foundation

// The content of files.
extension FileSystem {
    /// Opens a file or directory.
    package static func open(_ path: String, _ opening: FileOpening) throws(DiskError) -> any DiskFile {
        try saying("cannot open \(path)") { () throws(ErrorNumber) in try disk.open(path, opening) }
    }

    /// Returns the content of a file. Follows links. Never waits for a pipe.
    package static func contents(_ path: String) throws(DiskError) -> Data {
        let file = try open(path, FileOpening(.read, waits: false))
        var content = Data()
        try saying("cannot read \(path)") { () throws(ErrorNumber) in
            // One more byte than the length, so that a file is read in two steps: its content, and its end.
            var buffer = [UInt8](repeating: 0, count: min(max(try file.status().bytes, 0), 1 << 20) + 1)
            while true {
                let count = try read(file, at: content.count, &buffer)
                if count == 0 { return }
                content.append(contentsOf: buffer[..<count])
            }
        }
        return content
    }

    /// Reads bytes from an offset on, and returns their number. Returns 0 at the end of the file.
    private static func read(_ file: any DiskFile, at offset: Int, _ buffer: inout [UInt8]) throws(ErrorNumber) -> Int {
        var failure: ErrorNumber?
        let count = unsafe buffer.withUnsafeMutableBytes { bytes in
            do throws(ErrorNumber) { return unsafe try file.read(at: offset, into: bytes) } catch {
                failure = error
                return 0
            }
        }
        if let failure { throw failure }
        return count
    }

    /// Creates a file of zeros with all its blocks on the disk. If that fails, leaves no file.
    package static func allocate(_ path: String, bytes: Int, mode: Int) {
        do throws(DiskError) {
            let file = try NewFile(path, mode: mode)
            // Written, not only reserved: some file systems cannot reserve space, but every one can write.
            try file.write(Data(count: bytes).bytes)
            try file.close()
        } catch {
            removeName(path)
        }
    }

    /// Replaces a file atomically: readers see the old content or the new.
    ///
    /// The new content is on stable storage before the file is replaced.
    /// Otherwise XFS and btrfs leave an empty file after a power cut.
    /// - Parameter durably: false for a file of no value after a power cut.
    package static func replace(
        _ path: String, with data: Data, mode: Int, through temporary: String, durably: Bool = true
    ) throws(DiskError) {
        removeName(temporary)
        do throws(DiskError) {
            let file = try NewFile(temporary, mode: mode)
            try file.write(data.bytes)
            if durably { try file.close() }
        } catch {
            removeName(temporary)
            throw error
        }
        try rename(temporary, to: path, failing: "cannot replace \(path)")
    }

    /// Brings a file's present content to stable storage.
    package static func synchronize(_ path: String) throws(DiskError) {
        let file = try open(path, FileOpening(.read, followsLinks: false))
        try saying("cannot sync \(path)") { () throws(ErrorNumber) in try file.synchronize() }
    }

    /// Brings a file to stable storage, and returns its length in bytes and its SHA-256.
    package static func seal(_ path: String) throws(DiskError) -> (bytes: Int, sha256: String) {
        try measure(path, durably: true)
    }

    /// Returns a file's length in bytes and its SHA-256.
    /// - Parameter durably: true to bring the file to stable storage first.
    package static func measure(_ path: String, durably: Bool = false) throws(DiskError) -> (bytes: Int, sha256: String)
    {
        let file = try open(path, FileOpening(.read, followsLinks: false))
        if durably { try saying("cannot sync \(path)") { () throws(ErrorNumber) in try file.synchronize() } }
        var hash = SHA256()
        var total = 0
        try saying("cannot read \(path)") { () throws(ErrorNumber) in
            // Small files need no large buffer.
            let size = try file.status().bytes
            var buffer = [UInt8](repeating: 0, count: max(1, min(size + 1, 1 << 18)))
            while true {
                let count = try read(file, at: total, &buffer)
                if count == 0 { return }
                unsafe buffer.withUnsafeBytes {
                    unsafe hash.update(bufferPointer: UnsafeRawBufferPointer(rebasing: $0[..<count]))
                }
                total += count
            }
        }
        return (total, hash.finalize().map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined())
    }
}
