import Foundation
import TestSupport
import Testing

@testable import CallreelArchive
@testable import CallreelCore
@testable import CallreelEngine

@Suite struct RecordingIndexTests {
    func recording(_ name: String, endedAt seconds: Double, uuid: String? = nil) -> Recording {
        var recording = Recording(
            id: RecordingID(), name: name, call: CallFacts(carrier: "test", uuid: uuid, headers: ["x": 1]),
            format: .telephone,
            startedAt: Date(timeIntervalSince1970: 0), ended: (Date(timeIntervalSince1970: seconds), "over"))
        recording.events = [.init(frame: .start, at: recording.startedAt, type: "dtmf", data: [:])]
        return recording
    }

    @Test func `recordings are listed by their end, newest first, a page at a time`() {
        let index = RecordingIndex()
        for (name, end) in [("b", 2), ("d", 4), ("a", 1), ("e", 5), ("c", 3)] as [(String, Double)] {
            index.add(recording(name, endedAt: end))
        }
        #expect(index.count == 5)
        #expect(index.page(limit: 10, offset: 0).map(\.name) == ["e", "d", "c", "b", "a"])
        #expect(index.page(limit: 2, offset: 1).map(\.name) == ["d", "c"])
        #expect(index.page(limit: 2, offset: 4).map(\.name) == ["a"])
        #expect(index.page(limit: 2, offset: 9).isEmpty)
    }

    @Test func `a recording is known once, and without what only its manifest needs`() {
        let index = RecordingIndex(), one = recording("one", endedAt: 1)
        index.add(one)
        index.add(one)
        #expect(index.count == 1)
        var changed = one
        changed.framesReceived = 7
        index.add(changed)
        #expect(
            index.page(limit: 2, offset: 0).map(\.framesReceived) == [7] && index.recording(one.id)?.framesReceived == 7
        )
        #expect(index.page(limit: 1, offset: 0).first?.events.isEmpty == true)
        #expect(index.page(limit: 1, offset: 0).first?.call.headers.isEmpty == true)
    }

    @Test func `the newest recording of a call is found by either name`() {
        let index = RecordingIndex()
        index.add(recording("old", endedAt: 1, uuid: "A"))
        index.add(recording("new", endedAt: 2, uuid: "A"))
        index.add(recording("other", endedAt: 3, uuid: "B"))
        #expect(index.name(of: CallFacts(carrier: "test", uuid: "A")) == "new")
        #expect(index.name(of: CallFacts(carrier: "test", uuid: "C")) == nil)
        #expect(index.name(of: CallFacts(carrier: "test")) == nil)
        // Another carrier's identifiers mean other calls.
        #expect(index.name(of: CallFacts(carrier: "rest", uuid: "A")) == nil)
        var names = CallNames<Int>()
        names.add(1, CallFacts(carrier: "test", uuid: "A", conversation: "C"))
        #expect(names.best(CallFacts(carrier: "test", conversation: "C")) == 1)
        #expect(names.best(CallFacts(carrier: "rest", uuid: "A", conversation: "C")) == nil)
    }

    @Test func `a recording is found by its identifier and by its name, whatever order they came in`() {
        let index = RecordingIndex()
        let all = (0..<500).map {
            recording("name-\($0)", endedAt: Double(($0 * 7919) % 500), uuid: "uuid-\($0 % 250)")
        }
        for one in all { index.add(one) }
        #expect(
            all.allSatisfy { index.recording($0.id)?.name == $0.name && index.recording(named: $0.name)?.id == $0.id })
        #expect(index.recording(named: "name") == nil && index.recording(RecordingID()) == nil)
        for number in 0..<250 {
            let newest = [all[number], all[number + 250]].max { $0.endedAt < $1.endedAt }
            #expect(index.name(of: CallFacts(carrier: "test", uuid: "uuid-\(number)")) == newest?.name)
        }
        let ends = index.page(limit: 500, offset: 0).compactMap(\.endedAt)
        #expect(ends.count == 500 && ends == ends.sorted(by: >))
    }

    @Test func `manifests are found in every folder, and what is hidden or something else is passed over`() throws {
        let workspace = try Workspace()
        let index = RecordingIndex()
        for name in ["a", "2026-11-22/b", "2026-11-22/deep/c"] {
            try workspace.plant(
                "\(name).json", String(decoding: try recording(name, endedAt: 1).encoded(), as: UTF8.self))
        }
        let hidden = String(decoding: try recording("hidden", endedAt: 1).encoded(), as: UTF8.self)
        for name in [".partial/x/hidden.json", "2026-11-22/.hidden.json", ".hidden.json"] {
            try workspace.plant(name, hidden)
        }
        for (name, text) in [
            ("notes.json", "{\"a\": 1}"), ("broken.json", "{"), ("a.wav", "audio"), ("2026-11-22/.DS_Store", "x"),
        ] {
            try workspace.plant(name, text)
        }
        let known = recording("known", endedAt: 7)
        index.add(known)
        try workspace.plant("known.json", String(decoding: try known.encoded(), as: UTF8.self))
        index.scan(workspace.path)
        index.scan(workspace.path)
        #expect(
            index.page(limit: 10, offset: 0).map(\.name).sorted() == [
                "2026-11-22/b", "2026-11-22/deep/c", "a", "known",
            ])
        #expect(index.page(limit: 1, offset: 0).map(\.name) == ["known"])
        #expect(index.page(limit: 10, offset: 0).allSatisfy { $0.events.isEmpty })
        #expect(!index.isScanning)
    }

    private func plant(_ recording: Recording, _ workspace: Workspace) throws {
        try workspace.plant("\(recording.name).json", String(decoding: try recording.encoded(), as: UTF8.self))
    }

    private func names(_ index: RecordingIndex) -> [String] { index.page(limit: 100, offset: 0).map(\.name).sorted() }

    @Test func `a scan that is repeated finds what came and what went`() throws {
        let workspace = try Workspace(), index = RecordingIndex()
        for name in ["a", "day/b", "day/c", "day/deep/d", "other/e"] {
            try plant(recording(name, endedAt: 1), workspace)
        }
        index.scan(workspace.path)
        #expect(names(index) == ["a", "day/b", "day/c", "day/deep/d", "other/e"])
        try FileManager.default.removeItem(atPath: workspace.file("other"))
        try FileManager.default.removeItem(atPath: workspace.file("day/c.json"))
        try plant(recording("new/f", endedAt: 1), workspace)
        index.scan(workspace.path)
        #expect(names(index) == ["a", "day/b", "day/deep/d", "new/f"])
        try FileManager.default.removeItem(atPath: workspace.file("day"))
        index.scan(workspace.path)
        #expect(names(index) == ["a", "new/f"] && index.count == 2)
    }

    @Test func `a recording that was published between two scans leaves the list when it is deleted, and not before`()
        throws
    {
        let workspace = try Workspace(), index = RecordingIndex()
        index.scan(workspace.path)
        let one = recording("day/one", endedAt: 1)
        try plant(one, workspace)
        index.add(one)
        index.scan(workspace.path)
        #expect(names(index) == ["day/one"])
        let two = recording("day/two", endedAt: 2)
        try plant(two, workspace)
        index.add(two)
        try FileManager.default.removeItem(atPath: workspace.file("day"))
        index.scan(workspace.path)
        #expect(index.count == 0)
    }

    @Test
    func
        `a day that is moved to another disk stays in the list by its link, and a recording that moves is listed once`()
        throws
    {
        let workspace = try Workspace(), disk = try Workspace(), index = RecordingIndex()
        let one = recording("day/one", endedAt: 1)
        try plant(one, workspace)
        index.scan(workspace.path)
        try FileManager.default.moveItem(atPath: workspace.file("day"), toPath: disk.file("day"))
        index.scan(workspace.path)
        #expect(index.count == 0)
        try FileManager.default.createSymbolicLink(atPath: workspace.file("day"), withDestinationPath: disk.file("day"))
        try FileManager.default.createSymbolicLink(atPath: disk.file("day/circle"), withDestinationPath: workspace.path)
        index.scan(workspace.path)
        #expect(names(index) == ["day/one"])
        try FileManager.default.removeItem(atPath: workspace.file("day"))
        try FileManager.default.moveItem(atPath: disk.file("day"), toPath: workspace.file("kept"))
        index.scan(workspace.path)
        index.scan(workspace.path)
        #expect(index.count == 1)
        // A recording in two places is listed once, and as long as it is in one of them.
        try FileManager.default.copyItem(atPath: workspace.file("kept"), toPath: workspace.file("copy"))
        index.scan(workspace.path)
        #expect(index.count == 1)
        try FileManager.default.removeItem(atPath: workspace.file("kept"))
        index.scan(workspace.path)
        #expect(index.count == 1)
    }

    @Test func `a directory that is not there is an empty one`() {
        let index = RecordingIndex()
        index.scan("/nowhere/at/all")
        #expect(index.count == 0)
        #expect(!index.isScanning)
    }
}
