import CallreelCore

// The engine's work on the files that a sink has created.
extension SinkContext {
    /// Bytes in the sink's files now.
    var byteCount: Int { createdFiles.reduce(0) { $0 + (FileSystem.size(directory + "/" + $1) ?? 0) } }

    /// Returns the sink's files so far, with their frames if known. Each file begins at the end of the one before it.
    /// - Parameters:
    ///   - start: the first file's first frame in the call.
    ///   - call: the shape of the call's audio.
    func files(start: Int, call: AudioFormat, frames: (String) -> Int? = { _ in nil }) -> [CallFile] {
        var place = 0
        return createdFiles.map { name in
            let count = frames(name)
            defer { place += max(0, count ?? 0) }
            return CallFile(root: root, name: name, frames: count, start: start + call.frames(place, of: format))
        }
    }

    /// Removes the sink's empty files, as a full disk leaves them. Returns true if there were any.
    func dropEmptyFiles() -> Bool {
        forgetFiles { name in
            guard FileSystem.isEmptyFile(directory + "/" + name) else { return false }
            FileSystem.removeName(directory + "/" + name)
            return true
        }
    }

    /// Removes an unrepairable file from the recording, and moves it to the directory for such files on the same disk.
    /// If the disk is too full for that, a file of at most 64 KiB is deleted. A larger one stays in the recording.
    func putAside(_ name: String) {
        let path = directory + "/" + name
        let place = RecordingLayout.unrepairedDirectory(of: recordingID, in: directory.parentPath.parentPath)
        do throws(DiskError) {
            _ = try FileSystem.moveAside(path, to: "\(place)/\(name)", fileMode: fileMode)
        } catch {
            guard let size = FileSystem.size(path), size <= CallFile.beginningSize else { return }
            FileSystem.removeName(path)
        }
        forgetFiles { $0 == name }
    }

    /// Removes the sink's files and the directory, for a sink that was opened without a call.
    func removeFiles() {
        for name in createdFiles { FileSystem.removeName(directory + "/" + name) }
        FileSystem.removeEmptyDirectory(directory)
    }

    /// Syncs the files to stable storage, and their names too.
    func synchronizeFiles() throws(SinkError) {
        do throws(DiskError) {
            for name in createdFiles { try FileSystem.synchronize(directory + "/" + name) }
            try FileSystem.synchronizeDirectory(directory)
        } catch {
            throw SinkError(.checkpoint, error)
        }
    }
}
