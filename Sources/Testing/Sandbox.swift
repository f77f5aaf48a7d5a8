import CallreelCore
import Foundation
import Logging
import Synchronization

/// A directory for one check, with a room for each instance of a sink. Removed when the check is over.
final class Sandbox: Sendable {
    /// The path without symbolic links, so the paths of open descriptors begin with it.
    let path: String
    private let rooms = Mutex(0)
    /// Counts the events that sinks emit.
    let emitted = EmittedEvents()

    init() throws(CannotCheck) {
        let new = FileManager.default.temporaryDirectory.appendingPathComponent(
            "callreel-contract-" + UUID().uuidString)
        do {
            try FileManager.default.createDirectory(at: new, withIntermediateDirectories: true)
        } catch {
            throw CannotCheck("cannot create a temporary directory: \(error.localizedDescription)")
        }
        guard let resolved = unsafe realpath(new.path, nil) else {
            throw CannotCheck(
                "\(new.path) has no real path: \(String(describing: POSIXError.Code(rawValue: errno)))")
        }
        path = unsafe String(cString: resolved)
        unsafe free(resolved)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// Creates a new room. It is empty except for the call's directory.
    func room(withDirectory: Bool = true) -> Room {
        let number = rooms.withLock { count in
            count += 1
            return count
        }
        let room = Room(path: "\(path)/\(number)", emitted: emitted)
        try? FileManager.default.createDirectory(
            atPath: withDirectory ? room.directory : room.path, withIntermediateDirectories: true)
        return room
    }
}

/// Number of events that sinks have emitted.
final class EmittedEvents: Sendable {
    let count = Mutex(0)
}

/// A directory for one call, or for several side by side.
struct Room: Sendable {
    /// The room's path. The kit checks everything in it.
    let path: String
    let emitted: EmittedEvents
    /// The directory of the call's files while they grow, like `.partial/<id>` in a recordings directory.
    var directory: String { path + "/partial/call" }

    /// Returns a context like Callreel's own for a sink.
    func context(_ format: AudioFormat, stem: String = "call", onCreate: @escaping @Sendable () -> Void = {})
        -> SinkContext
    {
        let call = CallFacts(
            carrier: "contract", from: "447700900123", to: "441632960000", uuid: "aaaaaaaa-bbbb-cccc-dddd-0123456789ab",
            conversation: "CON-aaaaaaaa-bbbb-cccc-dddd-0123456789ab")
        var observer = SinkObserver()
        observer.onCreate = onCreate
        observer.onEvent = { [emitted] _, _, _ in emitted.count.withLock { $0 += 1 } }
        return SinkContext(
            recording: RecordingFacts(
                id: Self.recordingID(stem), call: call, startedAt: Date(timeIntervalSince1970: 1_795_342_500)),
            format: format, sinkName: "contract", directory: SinkDirectory(path: directory, fileStem: stem),
            logger: Logger(label: "callreel.contract") { _ in SwiftLogNoOpLogHandler() },
            observer: observer)
    }

    /// Returns the paths of everything in the room. Paths in the call's directory are relative to it.
    func contents() -> Set<String> {
        let all = FileManager.default.enumerator(atPath: path)?.compactMap { $0 as? String } ?? []
        let prefix = "partial/call/"
        return Set(
            all.filter { !["partial", "partial/call"].contains($0) }.map {
                $0.hasPrefix(prefix) ? String($0.dropFirst(prefix.count)) : "../../" + $0
            }
        )
    }

    /// Returns the path of a file in the call's directory.
    func file(_ name: String) -> String { directory + "/" + name }

    /// Returns the call's own identifier. It is the same each time, so equal calls make equal files.
    private static func recordingID(_ stem: String) -> RecordingID {
        let digits = stem.utf8.reduce(UInt64(0x63f6_1863)) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
        return RecordingID("63f61863a1b2c3d4" + String(digits | 1 << 63, radix: 16)) ?? RecordingID()
    }
}

/// Returns the bytes of a file, or nil if it cannot be read.
func contents(_ path: String) -> Data? { FileManager.default.contents(atPath: path) }

/// Creates a file for the kit. If this fails, a later check finds unexpected content and reports it.
func put(_ data: Data, _ path: String) { _ = FileManager.default.createFile(atPath: path, contents: data) }
