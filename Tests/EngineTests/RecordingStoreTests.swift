import Foundation
import Synchronization
import TestSupport
import Testing

@testable import CallreelArchive
@testable import CallreelCore
@testable import CallreelEngine

/// A recordings directory with calls recorded by hand.
struct StoreBench {
    let workspace: Workspace
    let store: RecordingStore

    init(template: String = "day/call", mode: Int = 0o640, in workspace: Workspace? = nil) throws {
        let workspace = try workspace ?? Workspace()
        self.workspace = workspace
        store = RecordingStore(directory: workspace.path, template: try NameTemplate(template), fileMode: mode)
        try store.prepare()
    }

    /// Makes a finished call of two sinks, with these texts as their files, ready to be published.
    func call(_ texts: [String: String] = ["raw": "raw audio", "flac": "flac audio"]) throws -> FinishedCall {
        let id = RecordingID(), facts = CallFacts(carrier: "test"), startedAt = Date(timeIntervalSince1970: 0)
        let endings = texts.keys.sorted()
        var ledger = CallLedger(
            id: id, name: store.template.name(id: id, call: facts, startedAt: startedAt), call: facts,
            format: .telephone,
            startedAt: startedAt, sinks: endings.map { CallLedger.Sink(type: $0, name: $0, state: .recording) })
        let partial = try store.begin(ledger)
        for ending in endings {
            let file = try OutputFile(
                name: "\(partial.stem).\(ending)", directory: partial.directory, mode: store.fileMode)
            try file.write(Data(texts[ending]!.utf8).bytes)
            try file.close()
        }
        ledger.endedAt = startedAt
        ledger.endReason = "over"
        for index in ledger.sinks.indices { ledger.sinks[index].state = .ended(.complete) }
        return FinishedCall(
            store: store, ledger: ledger, partial: partial, files: endings.map { ["\(partial.stem).\($0)"] })
    }

    /// Returns the files in the recordings directory, without those of unfinished calls.
    func published() throws -> [String] { try workspace.files().filter { !$0.hasPrefix(".partial") } }
}

/// A call with finished sinks.
struct FinishedCall {
    let store: RecordingStore
    let ledger: CallLedger
    let partial: PartialRecording
    let files: [[String]]

    func seal() throws(DiskError) -> SealedRecording {
        try store.seal(ledger, files: files.map { names in names.map { CallFile(name: $0, frames: 7) } }, in: partial)
    }

    func publish(keepPartial: Bool = false) throws(DiskError) -> Recording {
        try store.publish(seal(), from: partial, keepPartial: keepPartial)
    }
}

@Suite struct RecordingStoreTests {
    @Test func `a running call has its manifest in the partial directory, and nothing else is to be seen`() throws {
        let bench = try StoreBench()
        let call = try bench.call(["raw": "audio"])
        #expect(
            try bench.workspace.files() == [
                ".partial/\(call.ledger.id)/call.json", ".partial/\(call.ledger.id)/call.raw",
            ])
        var ledger = call.ledger
        ledger.framesReceived = 4711
        try bench.store.save(ledger, in: call.partial)
        let saved = try CallLedger(json: try bench.workspace.data(".partial/\(call.ledger.id)/call.json"))
        #expect(saved.framesReceived == 4711)
        #expect(saved.id == call.ledger.id)
    }

    @Test func `a finished call appears with all its files, and its partial directory goes`() throws {
        let bench = try StoreBench()
        let published = try bench.call().publish()
        #expect(published.name == "day/call")
        #expect(try bench.workspace.files() == [".partial", "day/call.flac", "day/call.json", "day/call.raw"])
        #expect(try bench.workspace.text("day/call.raw") == "raw audio")
        let file = try #require(published.sinks[0].files.first)
        #expect(file.name == "day/call.flac")
        #expect(file.bytes == 10)
        #expect(file.frames == 7)
        #expect(file.sha256 == "1a118ae63c605b0e73237d0a129a81aa962f1728ba247ef774bdaa169ee77768")
        #expect(try bench.store.manifest(named: "day/call").encoded() == published.encoded())
        #expect(try bench.workspace.data("day/call.json") == published.encoded())
    }

    @Test func `where a manifest stands, everything that it names stands`() async throws {
        let bench = try StoreBench()
        let endings = (1...9).map { "part\($0)" }
        let calls = try (0..<40).map { _ in try bench.call(Dictionary(uniqueKeysWithValues: endings.map { ($0, $0) })) }
        // A reader looks all the time, on its own thread, for the last file first.
        let isOver = Mutex(false), missing = Collected<String>()
        async let looking: Void = BlockingExecutor(name: "look").run {
            for number in 1...calls.count {
                let name = number == 1 ? "day/call" : "day/call-\(number)"
                while !FileSystem.exists(bench.workspace.file("\(name).json")), !isOver.withLock({ $0 }) {}
                for ending in endings.reversed() where !FileSystem.exists(bench.workspace.file("\(name).\(ending)")) {
                    missing.append("\(name).\(ending)")
                }
            }
        }
        await BlockingExecutor(name: "publish").run { for call in calls { _ = try? call.publish() } }
        isOver.withLock { $0 = true }
        await looking
        #expect(missing.values == [])
    }

    @Test(arguments: ["day/call.json", "day/call.flac", "day/call.raw"])
    func `a name that is taken gives every file of the call a number, and nothing is overwritten`(taken: String) throws
    {
        let bench = try StoreBench()
        try bench.workspace.plant(taken, "precious")
        let published = try bench.call().publish()
        #expect(published.name == "day/call-2")
        #expect(published.sinks.flatMap(\.files).map(\.name) == ["day/call-2.flac", "day/call-2.raw"])
        #expect(try bench.published() == [taken, "day/call-2.flac", "day/call-2.json", "day/call-2.raw"].sorted())
        #expect(try bench.workspace.text(taken) == "precious")
        #expect(try bench.store.manifest(named: "day/call-2").name == "day/call-2")
    }

    @Test func `numbers go on until a name is free`() throws {
        let bench = try StoreBench()
        try bench.workspace.plant("day/call.json", "a")
        try bench.workspace.plant("day/call-2.raw", "b")
        try bench.workspace.plant("day/call-3.flac", "c")
        #expect(try bench.call().publish().name == "day/call-4")
        #expect(try bench.call().publish().name == "day/call-5")
        #expect(try bench.published().count == 3 + 6)
    }

    @Test func `a link that leads nowhere is a taken name too`() throws {
        let bench = try StoreBench()
        try bench.workspace.plant("day/other", "x")
        try FileManager.default.createSymbolicLink(
            atPath: bench.workspace.file("day/call.json"), withDestinationPath: "/nowhere/at/all")
        #expect(try bench.call().publish().name == "day/call-2")
    }

    @Test func `calls that end at once under one name all survive, each with its own files`() async throws {
        let bench = try StoreBench()
        let calls = try (0..<8).map { number in try bench.call(["raw": "raw \(number)", "flac": "flac \(number)"]) }
        let names = try await withThrowingTaskGroup(of: Recording.self) { group in
            let executor = BlockingExecutor(name: "test")
            for call in calls { group.addTask { try await executor.run { try call.publish() } } }
            return try await group.reduce(into: [RecordingID: String]()) { $0[$1.id] = $1.name }
        }
        #expect(Set(names.values).count == 8)
        #expect(try bench.published().count == 24)
        for (number, call) in calls.enumerated() {
            let name = try #require(names[call.ledger.id])
            #expect(try bench.workspace.text("\(name).raw") == "raw \(number)")
            #expect(try bench.workspace.text("\(name).flac") == "flac \(number)")
            #expect(try bench.store.manifest(named: name).id == call.ledger.id)
        }
    }

    @Test func `a sink that may still write keeps its directory, and nothing of what is published`() throws {
        let bench = try StoreBench()
        let call = try bench.call()
        _ = try call.publish(keepPartial: true)
        let id = call.ledger.id
        #expect(
            try bench.workspace.files() == [
                ".partial/\(id)/call.json", "day/call.flac", "day/call.json", "day/call.raw",
            ])
    }

    @Test func `publishing that fails leaves no published name, and can be tried again`() throws {
        let bench = try StoreBench()
        let call = try bench.call()
        let sealed = try call.seal()
        // A file disappears between sealing and publishing. Files linked before it must disappear again.
        let missing = call.partial.directory + "/call.raw"
        try FileManager.default.moveItem(atPath: missing, toPath: missing + ".away")
        let error = #expect(throws: DiskError.self) {
            _ = try bench.store.publish(sealed, from: call.partial, keepPartial: false)
        }
        #expect(error?.description.contains(missing) == true)
        #expect(try bench.published() == ["day"])
        try FileManager.default.moveItem(atPath: missing + ".away", toPath: missing)
        #expect(try call.publish().name == "day/call")
        #expect(try bench.published() == ["day/call.flac", "day/call.json", "day/call.raw"])
    }

    @Test func `a file that cannot be sealed makes its sink fail, stays, and the others are published`() throws {
        let bench = try StoreBench()
        let call = try bench.call()
        let path = call.partial.directory + "/call.raw"
        try FileManager.default.removeItem(atPath: path)
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        let published = try call.publish()
        #expect(published.sinks.map(\.state) == [.complete, .failed])
        #expect(published.sinks[1].error?.contains(path) == true)
        #expect(published.sinks[1].files.isEmpty)
        #expect(try bench.published() == ["day/call.flac", "day/call.json"])
        #expect(FileSystem.exists(path))
    }

    @Test func `links that a program left when it died while publishing are no strangers`() throws {
        let bench = try StoreBench()
        let call = try bench.call()
        try FileManager.default.createDirectory(atPath: bench.workspace.file("day"), withIntermediateDirectories: true)
        #expect(try FileSystem.link(call.partial.directory + "/call.flac", as: bench.workspace.file("day/call.flac")))
        #expect(try call.publish().name == "day/call")
        #expect(try bench.published() == ["day/call.flac", "day/call.json", "day/call.raw"])
    }

    @Test func `a running call is held against other programs until it is published`() throws {
        let bench = try StoreBench()
        let call = try bench.call()
        #expect(try DirectoryLock(existing: call.partial.directory) == nil)
        _ = try call.publish()
        #expect(try DirectoryLock(existing: call.partial.directory) == nil, "it has gone")
    }

    /// Recoveries remove empty directories, and a call's directory is empty before its manifest is written.
    @Test func `calls begin and are recorded while recoveries go over the unfinished ones without a pause`()
        async throws
    {
        let bench = try StoreBench(template: "{id}")
        let recovery = Recovery(store: bench.store, registry: testRegistry, logger: silentLogger)
        let isDone = Collected<Void>()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<2 {
                group.addTask(executorPreference: BlockingExecutor(name: "recovery")) {
                    while isDone.count == 0 { #expect(recovery.run().flatMap(\.problems).isEmpty) }
                }
            }
            defer { isDone.append(()) }
            for _ in 0..<200 { _ = try bench.call(["raw": "audio"]).publish() }
        }
        #expect(try bench.published().count == 400)
        #expect(try bench.workspace.files().filter { $0.hasPrefix(".partial") } == [".partial"])
    }

    @Test func `an empty directory that a program left when it died is no interrupted call`() throws {
        let bench = try StoreBench()
        let place = RecordingLayout.partialDirectory(of: RecordingID(), in: bench.store.directory)
        try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
        let recovery = Recovery(store: bench.store, registry: testRegistry, logger: silentLogger)
        #expect(recovery.run(dryRun: true).isEmpty)
        #expect(FileSystem.exists(place))
        #expect(recovery.run().isEmpty)
        #expect(!FileSystem.exists(place))
        // A directory not yet renamed may belong to a running program.
        let new = bench.workspace.file(".partial/new-\(RecordingID())")
        try FileManager.default.createDirectory(atPath: new, withIntermediateDirectories: true)
        #expect(recovery.run().isEmpty)
        #expect(FileSystem.exists(new))
        try FileManager.default.setAttributes([.modificationDate: Date(timeIntervalSinceNow: -120)], ofItemAtPath: new)
        #expect(recovery.run().isEmpty)
        #expect(!FileSystem.exists(new))
    }

    @Test func `a file that is not looked into is told apart: no repair in its sink, or no such sink`() throws {
        let bench = try StoreBench()
        _ = try bench.call(["meter": "levels", "stranger": "audio"])
        let finding = try #require(
            Recovery(store: bench.store, registry: testRegistry, logger: silentLogger).run(dryRun: true).first)
        #expect(
            finding.files.map(\.note) == [
                "is published without repair: sinks of type \"meter\" have no repair",
                "is published without repair: this program has no sink \"stranger\"",
            ])
    }

    @Test func `no file is published before the manifest is ready`() throws {
        let bench = try StoreBench()
        let call = try bench.call()
        let obstacle = call.partial.ledgerPath + ".final.new"
        try FileManager.default.createDirectory(atPath: obstacle + "/x", withIntermediateDirectories: true)
        #expect(throws: DiskError.self) { _ = try call.publish() }
        #expect(try bench.published().isEmpty)
        try FileManager.default.removeItem(atPath: obstacle)
        #expect(try call.publish().name == "day/call")
    }

    @Test func `a call that could not be published has its account on the disk before anything else is tried`() throws {
        let bench = try StoreBench()
        let call = try bench.call()
        try bench.workspace.plant("day", "in the way of a directory")
        #expect(throws: DiskError.self) { _ = try call.publish() }
        let final = try Recording(json: try bench.workspace.data(".partial/\(call.ledger.id)/call.json.final"))
        #expect(final.sinks.map(\.state) == [.complete, .complete])
        #expect(final.sinks.flatMap(\.files).allSatisfy { $0.sha256.count == 64 && $0.frames == 7 })
    }

    /// As on exFAT. A directory cannot have a second link either, so a directory stands for such a file.
    @Test
    func `where there are no second names, a file is renamed, never over another one, and gets its first name back`()
        throws
    {
        let workspace = try Workspace()
        try workspace.plant("partial/file/x", "audio")
        try workspace.plant("taken/x", "another")
        #expect(try !FileSystem.link(workspace.file("partial/file"), as: workspace.file("taken")))
        #expect(try workspace.text("taken/x") == "another" && workspace.text("partial/file/x") == "audio")
        #expect(try FileSystem.link(workspace.file("partial/file"), as: workspace.file("published")))
        #expect(try workspace.files() == ["partial", "published/x", "taken/x"])
        FileSystem.takeBack(workspace.file("published"), of: workspace.file("partial/file"))
        #expect(try workspace.files() == ["partial/file/x", "taken/x"])
    }

    @Test func `a file that was renamed before a crash is known by what it holds`() throws {
        let bench = try StoreBench()
        let call = try bench.call()
        let sealed = try call.seal()
        try FileManager.default.createDirectory(atPath: bench.workspace.file("day"), withIntermediateDirectories: true)
        try FileManager.default.moveItem(
            atPath: call.partial.directory + "/call.flac", toPath: bench.workspace.file("day/call.flac"))
        let published = try bench.store.publish(sealed, from: call.partial, keepPartial: false)
        #expect(published.name == "day/call")
        #expect(try bench.published() == ["day/call.flac", "day/call.json", "day/call.raw"])
        // Another file of that name is a different file.
        let second = try bench.call()
        let again = try second.seal()
        try FileManager.default.removeItem(atPath: second.partial.directory + "/call.flac")
        try bench.workspace.plant("day/call-2.flac", "of another call")
        #expect(throws: DiskError.self) {
            _ = try bench.store.publish(again, from: second.partial, keepPartial: false)
        }
        #expect(try bench.workspace.text("day/call-2.flac") == "of another call")
    }

    @Test func `a published manifest is replaced as a whole`() throws {
        let bench = try StoreBench()
        var published = try bench.call().publish()
        published.events.append(.init(frame: .start, at: Date(timeIntervalSince1970: 0), type: "completed", data: [:]))
        try bench.store.update(published)
        #expect(try bench.store.manifest(named: "day/call").events.map(\.type) == ["completed"])
        #expect(try bench.workspace.files() == [".partial", "day/call.flac", "day/call.json", "day/call.raw"])
        #expect(try bench.workspace.mode("day/call.json") == 0o640)
    }
}
