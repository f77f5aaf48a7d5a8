/// A file created for writing. It is closed exactly once.
package struct NewFile: ~Copyable, Sendable {
    /// The file's path.
    package let path: String
    /// The open file, for writers that choose their offsets. Do not close it: this value does.
    package let file: any DiskFile

    /// The open descriptor; -1 on a simulated disk. Do not close it: this value does.
    package var descriptor: Int32 { file.descriptor }

    /// Creates a file. Fails if the name is taken.
    package init(_ path: String, mode: Int) throws(DiskError) {
        let file = try FileSystem.saying("cannot create \(path)") { () throws(ErrorNumber) in
            try FileSystem.disk.open(path, FileOpening(.create(mode: mode)))
        }
        // The configuration decides who may read a recording, not the process's umask.
        try FileSystem.saying("cannot set the mode of \(path)") { () throws(ErrorNumber) in try file.setMode(mode) }
        self.path = path
        self.file = file
    }

    /// Appends all the bytes, or fails. A failure is final: some of the bytes may have been written.
    package func write(_ bytes: RawSpan) throws(DiskError) {
        do throws(ErrorNumber) { try file.append(bytes) } catch {
            throw DiskError("cannot write \(path)", underlying: error.value)
        }
    }

    /// Syncs the bytes written so far to stable storage.
    package func synchronize() throws(DiskError) {
        do throws(ErrorNumber) { try file.synchronize() } catch {
            throw DiskError("cannot sync \(path)", underlying: error.value)
        }
    }

    /// The file's length in bytes.
    package func byteCount() throws(DiskError) -> Int {
        do throws(ErrorNumber) { return try file.status().bytes } catch {
            throw DiskError("cannot examine \(path)", underlying: error.value)
        }
    }

    /// Cuts the file to a length.
    package func truncate(to length: Int) throws(DiskError) {
        do throws(ErrorNumber) { try file.truncate(to: length) } catch {
            throw DiskError("cannot cut \(path)", underlying: error.value)
        }
    }

    /// Syncs the file to stable storage and closes it. Reports the errors of both.
    package consuming func close() throws(DiskError) {
        var failure: ErrorNumber?
        do throws(ErrorNumber) { try file.synchronize() } catch { failure = error }
        do throws(ErrorNumber) { try file.close() } catch { failure = failure ?? error }
        if let failure { throw DiskError("cannot close \(path)", underlying: failure.value) }
    }
}
