import CallreelCore
import CallreelTesting
import Foundation
import Logging
import Testing

@testable import Recorder

@Suite struct HTTPUploadTests {
    @Test func `the upload keeps the delivery contract`() async throws {
        let store = try StoreProcess()
        var plan = DeliveryContractPlan(
            delivered: { try store.recordings() }, fail: { try store.turn("fail") }, hang: { try store.turn("hang") },
            recover: { try store.turn("") })
        plan.address = store.address
        plan.secrets = ["a-token-for-tests"]
        try await requireDeliveryContract(HTTPUpload.self, options: Self.options(store.address), plan: plan)
    }

    @Test func `a server may ask for time`() async throws {
        let store = try StoreProcess()
        try store.turn("fail")
        let error = try await failure(Self.options(store.address))
        #expect(error.retryAfter == .seconds(1))
        #expect(error.reason.hasSuffix(".json answered 503 Service Unavailable: come / again"))
    }

    @Test func `a server that is not there, or that refuses the token, is an error`() async throws {
        let nowhere = try await failure(Self.options("http://127.0.0.1:1"))
        #expect(nowhere.retryAfter == nil)
        let store = try StoreProcess()
        let stranger = try await failure(Self.options(store.address, token: "another-token-for-tests"))
        #expect(stranger.reason.contains("401 Unauthorized"))
    }

    @Test(arguments: ["", "store.example/calls", "ftp://store.example", "https://"])
    func `an address that cannot work is refused`(url: String) {
        var problems: [ConfigurationProblem] = []
        _ = HTTPUploadOptions.read(.object(["url": .string(url)]), at: .root, problems: &problems)
        #expect(problems.map(\.path) == ["url"])
    }

    private static func options(_ address: String, token: String = "a-token-for-tests") throws -> HTTPUploadOptions {
        var problems: [ConfigurationProblem] = []
        let options = HTTPUploadOptions.read(
            .object(["url": .string("\(address)/calls/"), "token": .string(token)]), at: .root, problems: &problems)
        try #require(problems.isEmpty)
        return options
    }

    /// The error of uploading a recording that has a manifest and no file.
    private func failure(_ options: HTTPUploadOptions) async throws -> DeliveryError {
        let manifest = FileManager.default.temporaryDirectory.appending(path: "call-\(UUID()).json")
        try Data("{}".utf8).write(to: manifest)
        defer { try? FileManager.default.removeItem(at: manifest) }
        let recording = PublishedRecording(
            id: RecordingID(), name: "call", manifestPath: manifest.path, call: CallFacts(carrier: "test"),
            startedAt: Date())
        let context = DeliveryContext(
            place: .root, name: "upload", deadline: .seconds(60), logger: Logger(label: "test"))
        let upload = try HTTPUpload(options: options, context: context)
        return try #require(await #expect(throws: DeliveryError.self) { try await upload.deliver(recording) })
    }
}
