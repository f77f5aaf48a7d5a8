import CallreelTesting
import Foundation
import Synchronization
import TestSupport

@testable import CallreelCore
@testable import CallreelEngine

/// The guarantees that a history has received so far, by the operation after which each holds.
final class Promises: Sendable {
    /// A guarantee to the caller of the engine.
    enum Promise: Sendable {
        /// The call will be published, or reported as waiting.
        case known
        /// A sink's audio up to so many bytes survives a power cut.
        case synced(sink: Int, bytes: Int)
        /// A sink's audio up to so many bytes survives the end of the program.
        case written(sink: Int, bytes: Int)
        /// The recording is published with all of its audio.
        case published
        /// The published manifest has the late event.
        case updated
    }

    private let list = Mutex<[(operation: Int, promise: Promise)]>([])

    func add(_ promise: Promise, _ disk: SimulatedDisk) {
        let operation = disk.operationCount
        list.withLock { $0.append((operation, promise)) }
    }

    /// The guarantees given before an operation.
    func given(before operation: Int) -> [Promise] {
        list.withLock { $0.filter { $0.operation <= operation }.map(\.promise) }
    }
}

/// A call of known audio. The engine's own functions record it, step by step, on one thread.
struct KnownCall: Sendable {
    static let home = "/archive", far = "/far"
    /// Bytes of one write of a sink, and the number of writes.
    static let pieceBytes = 60, pieces = 4

    let id = RecordingID()
    /// The wanted name.
    var name = "day/call"
    /// The second sink has a directory of its own.
    var hasFar = false
    /// The second sink ends after the call was published.
    var isLate = false

    /// The audio of a sink. No byte is 0, so that audio is never taken for what a power cut leaves.
    func audio(_ sink: Int) -> [UInt8] {
        (0..<Self.pieceBytes * Self.pieces).map { UInt8(($0 * 7 + sink * 31) % 251 + 1) }
    }

    func root(_ sink: Int) -> String? { hasFar && sink == 1 ? Self.far : nil }
    func fileName(_ sink: Int) -> String { "\(name.lastPathComponent).\(["one", "two"][sink]).raw" }

    /// The path of a sink's published file, if the recording has its wanted name.
    func publishedPath(_ sink: Int, as name: String) -> String {
        "\(root(sink) ?? Self.home)/\(name).\(["one", "two"][sink]).raw"
    }

    private var ledger: CallLedger {
        CallLedger(
            id: id, name: name, call: CallFacts(carrier: "test"), format: .telephone, startedAt: Clocks.current.date,
            sinks: [0, 1].map {
                CallLedger.Sink(
                    type: "raw", name: ["one", "two"][$0], state: .recording, directories: root($0).map { [$0] })
            })
    }

    /// Records and publishes the call. Notes the guarantees.
    /// - Parameter attempts: the number of attempts to publish.
    func record(_ store: RecordingStore, _ disk: SimulatedDisk, _ promises: Promises, attempts: Int = 1) throws {
        var ledger = ledger
        let partial = try store.begin(ledger)
        var files: [any DiskFile] = []
        for sink in 0..<2 {
            let directory = RecordingLayout.partialDirectory(of: id, in: root(sink) ?? Self.home)
            if root(sink) != nil {
                try FileSystem.makeDirectories(directory, below: directory.parentPath, mode: 0o755)
            }
            files.append(
                try FileSystem.open("\(directory)/\(fileName(sink))", FileOpening(.create(mode: store.fileMode))))
            ledger.sinks[sink].files = [
                .init(name: fileName(sink), directory: root(sink), bytes: 0, start: .start)
            ]
            try store.save(ledger, in: partial, isFirst: sink == 0)
            if sink == 0 { promises.add(.known, disk) }
        }
        for piece in 0..<Self.pieces {
            for sink in 0..<2 {
                let bytes = audio(sink)[piece * Self.pieceBytes..<(piece + 1) * Self.pieceBytes]
                try unsafe files[sink].append(Array(bytes).span.bytes)
                promises.add(.written(sink: sink, bytes: (piece + 1) * Self.pieceBytes), disk)
                guard piece == 1 else { continue }
                let directory = RecordingLayout.partialDirectory(of: id, in: root(sink) ?? Self.home)
                try FileSystem.synchronize("\(directory)/\(fileName(sink))")
                try FileSystem.synchronizeDirectory(directory)
                promises.add(.synced(sink: sink, bytes: (piece + 1) * Self.pieceBytes), disk)
            }
        }
        let frames = Self.pieceBytes * Self.pieces / 2
        ledger.framesReceived = frames
        ledger.endedAt = Clocks.current.date
        ledger.endReason = "over"
        try store.save(ledger, in: partial)
        for sink in 0..<2 where sink == 0 || !isLate {
            try files[sink].synchronize()
            try files[sink].close()
        }
        var ended: [[CallFile]] = []
        for sink in 0..<2 {
            let isOver = sink == 0 || !isLate
            ledger.sinks[sink].state = .ended(isOver ? .complete : .stalled)
            ledger.sinks[sink].written = isOver ? frames : 0
            ledger.sinks[sink].lost = isOver ? 0 : frames
            ended.append(
                isOver ? [CallFile(root: root(sink), name: fileName(sink), frames: frames, start: 0)] : [])
        }
        let sealed = try store.seal(ledger, files: ended, in: partial)
        var published = try publish(store, sealed, partial, attempts)
        if isLate {
            published = try addLate(store, ledger, published, partial, sealed, files[1])
        }
        promises.add(.published, disk)
        published.events.append(
            .init(frame: FramePosition(frames), at: Clocks.current.date, type: "late", data: ["key": .string("7")]))
        try store.update(published)
        promises.add(.updated, disk)
        withExtendedLifetime(partial.lock) {}
    }

    private func publish(
        _ store: RecordingStore, _ sealed: SealedRecording, _ partial: PartialRecording, _ attempts: Int
    ) throws -> Recording {
        for _ in 1..<attempts {
            if let published = try? store.publish(sealed, from: partial, keepPartial: isLate) { return published }
        }
        return try store.publish(sealed, from: partial, keepPartial: isLate)
    }

    /// Adds the second sink's file to the published ledger, as the recorder does for a sink that ends late.
    private func addLate(
        _ store: RecordingStore, _ ledger: CallLedger, _ published: Recording, _ partial: PartialRecording,
        _ sealed: SealedRecording, _ file: any DiskFile
    ) throws -> Recording {
        let frames = ledger.framesReceived
        var note = ledger
        note.publishedAs = published.name
        note.sinks[1].files = [.init(name: fileName(1), directory: root(1), bytes: 0, start: .start)]
        try store.save(note, in: partial)
        try file.synchronize()
        try file.close()
        let late = CallFile(root: root(1), name: fileName(1), frames: frames, start: 0)
        var complete = published
        complete.sinks[1].files = try store.add([late], from: partial, to: published.name)
        complete.sinks[1].state = .complete
        complete.sinks[1].written = frames
        complete.sinks[1].lost = 0
        try store.update(complete)
        store.dropNames(partial, of: [late], roots: Set(root(1).map { [$0] } ?? []))
        store.discard(partial, files: sealed.files, roots: sealed.roots)
        return complete
    }
}
