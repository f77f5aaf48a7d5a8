import CallreelCore
import Foundation
import Logging
import Testing

@testable import Recorder

@Suite struct HTTPUploadTests {
    @Test func `what the server confirms has arrived, the manifest last`() async throws {
        let store = try StoreProcess(), recording = try Self.recording()
        defer { try? FileManager.default.removeItem(atPath: recording.manifestPath.directory) }
        let upload = try Self.upload(to: store.address)
        // The store refuses the first two requests.
        for _ in 0..<2 {
            let error = await #expect(throws: DeliveryError.self) { try await upload.deliver(recording) }
            #expect(error?.retryAfter == .seconds(1))
            #expect(error?.reason.contains("503 Service Unavailable: come again") == true)
            #expect(try stored(store, recording).isEmpty)
        }
        let receipt = try await upload.deliver(recording)
        #expect(receipt.details == ["url": .string("\(store.address)/calls/\(recording.id)")])
        let audio = Data(repeating: 7, count: 1 << 20)
        #expect(try stored(store, recording) == ["call.json": Data("{}".utf8), "call.wav": audio])
    }

    @Test func `a server that is not there, or that refuses the token, is an error`() async throws {
        let recording = try Self.recording()
        defer { try? FileManager.default.removeItem(atPath: recording.manifestPath.directory) }
        let nowhere = try Self.upload(to: "http://127.0.0.1:1")
        await #expect(throws: DeliveryError.self) { try await nowhere.deliver(recording) }
        let store = try StoreProcess(), stranger = try Self.upload(to: store.address, token: "another-token-for-tests")
        let error = await #expect(throws: DeliveryError.self) { try await stranger.deliver(recording) }
        #expect(error?.reason.contains("401 Unauthorized") == true)
        #expect("\(String(describing: error))".contains("another-token") == false)
    }

    @Test(arguments: ["", "store.example/calls", "ftp://store.example", "https://"])
    func `an address that cannot work is refused`(url: String) {
        var problems: [ConfigurationProblem] = []
        _ = HTTPUploadOptions.read(.object(["url": .string(url)]), at: .root, problems: &problems)
        #expect(problems.map(\.path) == ["url"])
    }
}

extension HTTPUploadTests {
    private static func upload(to address: String, token: String = "a-token-for-tests") throws -> HTTPUpload {
        var problems: [ConfigurationProblem] = []
        let options = HTTPUploadOptions.read(
            .object(["url": .string("\(address)/calls/"), "token": .string(token)]), at: .root, problems: &problems)
        try #require(problems.isEmpty)
        let context = DeliveryContext(
            place: .root, name: "upload", deadline: .seconds(60), logger: Logger(label: "test"))
        return try HTTPUpload(options: options, context: context)
    }

    /// A recording with one file of a megabyte, in a directory of its own.
    private static func recording() throws -> PublishedRecording {
        let directory = FileManager.default.temporaryDirectory.appending(path: "recording-\(UUID())")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        let manifest = directory.appending(path: "call.json"), audio = directory.appending(path: "call.wav")
        try Data("{}".utf8).write(to: manifest)
        try Data(repeating: 7, count: 1 << 20).write(to: audio)
        var recording = PublishedRecording(
            id: RecordingID(), name: "call", manifestPath: manifest.path, call: CallFacts(carrier: "test"),
            startedAt: Date())
        recording.files = [.init(path: audio.path, sink: "wav", bytes: 1 << 20, sha256: "00")]
        return recording
    }

    /// The files that the store has of a recording.
    private func stored(_ store: StoreProcess, _ recording: PublishedRecording) throws -> [String: Data] {
        let place = store.directory.appending(path: "calls/\(recording.id)")
        let names = (try? FileManager.default.contentsOfDirectory(atPath: place.path)) ?? []
        return try Dictionary(uniqueKeysWithValues: names.map { ($0, try Data(contentsOf: place.appending(path: $0))) })
    }
}

extension String {
    fileprivate var directory: String { String(self[..<(lastIndex(of: "/") ?? endIndex)]) }
}
