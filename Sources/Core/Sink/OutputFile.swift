/// A new file that a sink writes and owns. It has the mode chosen by the operator, and is closed exactly once.
public struct OutputFile: ~Copyable, Sendable {
    /// The file's name in the call's directory.
    public let name: String
    private let file: NewFile

    /// The file's path while the call runs.
    public var path: String { file.path }
    /// The open descriptor, for C libraries that write by themselves; -1 on a simulated disk. Do not close it: this
    /// value does.
    public var descriptor: Int32 { file.descriptor }
    /// The open file, for writers that choose their offsets. Do not close it: this value does.
    package var openFile: any DiskFile { file.file }

    /// Creates a file. Fails if the name is taken.
    package init(name: String, directory: String, mode: Int) throws(SinkError) {
        self.name = name
        do throws(DiskError) { file = try NewFile(directory + "/" + name, mode: mode) } catch {
            throw SinkError(.open, error)
        }
    }

    /// Appends all the bytes, or fails. A failure is final: some of the bytes may have been written.
    public func write(_ bytes: RawSpan) throws(SinkError) {
        do throws(DiskError) { try file.write(bytes) } catch { throw SinkError(.write, error) }
    }

    /// Appends an array's bytes, in the way of ``write(_:)-(RawSpan)``.
    public func write(_ bytes: [UInt8]) throws(SinkError) { try unsafe write(bytes.span.bytes) }

    /// Appends a text as UTF-8, in the way of ``write(_:)-(RawSpan)``.
    public func write(_ text: String) throws(SinkError) { try write(Array(text.utf8)) }

    /// Syncs the bytes written so far to stable storage.
    public func synchronize() throws(SinkError) {
        do throws(DiskError) { try file.synchronize() } catch { throw SinkError(.finish, error) }
    }

    /// The file's length in bytes.
    public func byteCount() throws(SinkError) -> Int {
        do throws(DiskError) { return try file.byteCount() } catch { throw SinkError(.finish, error) }
    }

    /// Cuts the file to a length.
    package func truncate(to length: Int) throws(SinkError) {
        do throws(DiskError) { try file.truncate(to: length) } catch { throw SinkError(.write, error) }
    }

    /// Syncs the file to stable storage and closes it. Reports the errors of both.
    public consuming func close() throws(SinkError) {
        do throws(DiskError) { try file.close() } catch { throw SinkError(.finish, error) }
    }
}
