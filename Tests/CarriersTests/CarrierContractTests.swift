import CallreelTesting
import Foundation
import Testing

@testable import CallreelCarriers
@testable import CallreelCore

/// The built-in carriers keep the carrier contract.
@Suite struct CarrierContractTests {
    private static let secret = "0123456789abcdef0123456789abcdef"

    private func options<Options: Configurable>(_ text: String) throws -> Options {
        var problems: [ConfigurationProblem] = []
        let options = Options.read(try JSONValue(parsing: Data(text.utf8)), at: .root, problems: &problems)
        try #require(problems.isEmpty, "\(problems)")
        return options
    }

    @Test(arguments: ["{}", #"{"key": "\#(secret)"}"#])
    func `pcm keeps the carrier contract`(text: String) throws {
        let conversation: [CarrierMessage] = [
            .text(
                #"{"sampleRate": 16000, "channels": 1, "from": "anna", "uuid": "u", "team": {"name": "a", "x": [1]}}"#),
            .binary([1, 0, 2, 0]), .text(#"{"event": "mark", "name": "a"}"#), .binary([3, 0]),
            .text(#"{"event": "end"}"#),
        ]
        try requireCarrierContract(
            PCM.self, options: options(text),
            plan: CarrierContractPlan(
                conversations: [conversation],
                requests: [
                    CarrierRequest(
                        "GET", "/calls/pcm?key=\(Self.secret.dropLast())",
                        headers: [("authorization", "Bearer \(Self.secret.dropFirst())")])
                ],
                secrets: [Self.secret]))
    }

    @Test(arguments: ["{}", #"{"signatureSecret": "\#(secret)", "sampleRate": 8000, "talk": ""}"#])
    func `vonage keeps the carrier contract`(text: String) throws {
        let conversation: [CarrierMessage] = [
            .text(
                #"{"event": "websocket:connected", "content-type": "audio/l16;rate=16000", "uuid": "u", "from": "447700900123", "to": "t", "conversation_uuid": "c", "nested": {"a": [true]}}"#
            ),
            .binary([1, 0, 2, 0]), .text(#"{"event": "websocket:dtmf", "digit": "5", "duration": 260}"#),
            .text(#"{"event": "websocket:cleared"}"#), .binary([3, 0]),
        ]
        let time = Date(timeIntervalSince1970: 1_790_000_000)
        try requireCarrierContract(
            Vonage.self, options: options(text),
            plan: CarrierContractPlan(
                conversations: [conversation],
                requests: [
                    CarrierRequest(
                        "GET",
                        "/webhooks/vonage/answer?to=442079460000&from=447700900123&uuid=u&conversation_uuid=CON-c",
                        receivedAt: time),
                    CarrierRequest(
                        "POST", "/webhooks/vonage/event", headers: [("content-type", "application/json")],
                        body: Array(#"{"uuid": "u", "status": "answered", "timestamp": "2026-11-28T00:00:00Z"}"#.utf8),
                        receivedAt: time),
                    CarrierRequest(
                        "GET", "/calls/vonage",
                        headers: [
                            ("sec-websocket-protocol", "WSBRIDGE"), ("authorization", "Bearer \(Self.secret)"),
                        ], receivedAt: time),
                ], secrets: [Self.secret]))
    }
}
