import CallreelCore
import CallreelTesting
import Foundation
import Testing

@testable import Recorder

@Suite struct EncryptedTests {
    @Test func `the encrypted sink keeps the sink contract`() async throws {
        try await requireSinkContract(Encrypted.self)
    }

    @Test func `a key that is none is refused`() throws {
        for text in ["", "09", String(repeating: "g", count: 64), String(repeating: "0", count: 66)] {
            #expect(EncryptedOptions.bytes(ofKey: text) == nil)
        }
        let zero = try #require(EncryptedOptions.bytes(ofKey: String(repeating: "0", count: 64)))
        let error = #expect(throws: SinkError.self) { _ = try SealedStream(to: zero) }
        #expect(error?.blame == .options)
    }

    @Test func `no two messages are alike`() throws {
        let key = try #require(EncryptedOptions.bytes(ofKey: EncryptedOptions().publicKey))
        var one = try SealedStream(to: key), other = try SealedStream(to: key)
        let silence = [UInt8](repeating: 0, count: 320)
        let messages = [
            one.seal(silence.span.bytes, facts: []), one.seal(silence.span.bytes, facts: []),
            other.seal(silence.span.bytes, facts: []),
        ]
        #expect(Set(messages).count == 3)
        #expect(messages.allSatisfy { $0.count == 320 + SealedStream.messageOverhead })
    }
}
