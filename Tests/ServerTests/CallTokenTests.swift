import CallreelCore
import Foundation
import TestSupport
import Testing

@testable import CallreelServer

@Suite struct CallTokenTests {
    private let start = Date(timeIntervalSince1970: 1_700_000_000)
    private let moment = ContinuousClock.now

    /// Returns the reason for refusing a token, or nil if it is accepted.
    private func refusal(_ tokens: CallTokens, _ uri: String, after seconds: Double = 0, clockSetBy step: Double = 0)
        -> String?
    {
        do throws(Unauthorized) {
            try tokens.redeem(uri, now: start + seconds + step, at: moment + .seconds(seconds))
            return nil
        } catch {
            return error.reason
        }
    }

    @Test func `a token is good once, for its time, with its key`() {
        let tokens = CallTokens(keys: [], lifetime: 60)
        let one = "/cable?token=" + tokens.issue(for: "u", now: start)
        #expect(refusal(tokens, one) == nil)
        #expect(refusal(tokens, one) == "the call's token was used before")
        let two = "/cable?a=b&token=" + tokens.issue(for: "u", now: start, at: moment + .seconds(1)) + "&c=d"
        #expect(refusal(tokens, two, after: 61) == "the call's token has expired")
        #expect(refusal(tokens, two, after: 59) == nil)
        #expect(
            refusal(CallTokens(keys: [], lifetime: 60), "/cable?token=" + tokens.issue(for: "u", now: start))
                == "the call's token is invalid"
        )
        let key = String(repeating: "k", count: 32)
        let before = CallTokens(keys: [key], lifetime: 60).issue(for: "u", now: start)
        #expect(refusal(CallTokens(keys: [key], lifetime: 60), "/cable?token=" + before) == nil)
    }

    @Test func `a token is good at its own carrier entry only, also with the same key`() {
        let key = String(repeating: "k", count: 32)
        let first = CallTokens(keys: [key], lifetime: 60)
        let second = CallTokens(keys: [key], lifetime: 60, entry: "second")
        let token = "/cable?token=" + second.issue(for: "u", now: start)
        #expect(refusal(first, token) == "the call's token is invalid")
        #expect(
            refusal(CallTokens(keys: [key], lifetime: 60, entry: "third"), token) == "the call's token is invalid")
        #expect(refusal(second, token) == nil)
    }

    @Test(arguments: [-86_400.0, -61, 61, 86_400])
    func `a clock that is set does not make a token older or younger`(step: Double) {
        let tokens = CallTokens(keys: [String(repeating: "k", count: 32)], lifetime: 60)
        let uris = (0..<2).map { _ in "/cable?token=" + tokens.issue(for: "u", now: start, at: moment + .seconds(1)) }
        #expect(refusal(tokens, uris[0], after: 30, clockSetBy: step) == nil)
        #expect(refusal(tokens, uris[1], after: 61, clockSetBy: step) == "the call's token has expired")
        #expect(refusal(tokens, uris[0], after: 31, clockSetBy: step) == "the call's token was used before")
    }

    @Test func `another process with the same key goes by the time of day`() {
        let key = String(repeating: "k", count: 32)
        let one = CallTokens(keys: [key], lifetime: 60), other = CallTokens(keys: [key], lifetime: 60)
        #expect(refusal(other, "/cable?token=" + one.issue(for: "u", now: start), after: 59) == nil)
        #expect(
            refusal(other, "/cable?token=" + one.issue(for: "u", now: start), after: 60)
                == "the call's token has expired")
    }

    @Test func `no character of a token can be changed`() {
        let tokens = CallTokens(keys: [], lifetime: 60)
        let token = tokens.issue(for: "u", now: start)
        #expect(
            token.count == 96 && token.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "-_".contains($0)) })
        for index in token.indices {
            var changed = token
            changed.replaceSubrange(index...index, with: token[index] == "A" ? "B" : "A")
            #expect(refusal(tokens, "/cable?token=" + changed) == "the call's token is invalid")
        }
        for nonsense in [
            "", "x", String(repeating: "A", count: 96), String(repeating: "=", count: 96), token + "A",
            String(token.dropLast()),
        ] {
            #expect(refusal(tokens, "/cable?token=" + nonsense) == "the call's token is invalid")
        }
        for uri in ["/cable", "/cable?", "/cable?Token=" + token, "/cable?xtoken=" + token, "/cable/token=" + token] {
            #expect(refusal(tokens, uri) == "the call's token is missing")
        }
        #expect(refusal(tokens, "/cable?token=" + token) == nil)
    }

    @Test func `its code is an HMAC-SHA256, as Python computes it`() async throws {
        let key = String(repeating: "k", count: 40)
        let token = CallTokens(keys: [key], lifetime: 60).issue(for: "u-1", now: start)
        let verdict = try await Judge.python(
            """
            import base64, hashlib, hmac, sys
            data = base64.urlsafe_b64decode(sys.argv[1])
            content, code = data[:-32], data[-32:]
            assert hmac.compare_digest(code, hmac.new(sys.argv[2].encode(), b"callreel call token 1" + content, hashlib.sha256).digest())
            assert int.from_bytes(content[:8], "big") == 1700000060 and content[24:] == hashlib.sha256(b"u-1").digest()[:16]
            print("yes")
            """, [token, key])
        #expect(String(decoding: verdict, as: UTF8.self) == "yes\n")
    }

    @Test func `a key is changed without a token lost`() {
        let old = "0123456789abcdef0123456789abcdef", new = "fedcba9876543210fedcba9876543210"
        let before = CallTokens(keys: [old], lifetime: 60).issue(for: "u", now: start)
        #expect(refusal(CallTokens(keys: [new, old], lifetime: 60), "/cable?token=" + before) == nil)
        let after = CallTokens(keys: [new, old], lifetime: 60).issue(for: "u", now: start)
        #expect(refusal(CallTokens(keys: [new], lifetime: 60), "/cable?token=" + after) == nil)
        #expect(
            refusal(CallTokens(keys: [old], lifetime: 60), "/cable?token=" + after)
                == "the call's token is invalid")
    }

    // MARK: - The real server

    private func endpoint(_ server: TestServer, _ query: String) async throws -> JSONValue {
        let ncco = try JSONValue(
            parsing: try await Program("curl").output(["-s", server.http + "/webhooks/answer?" + query]))
        return try #require(ncco.elements.last?["endpoint"]?.elements.first)
    }

    @Test func `a call comes in with the address that it was given, once, and nobody else does`() async throws {
        let book = LogBook()
        try await TestServer.run(vonage: "{}", logger: book.logger) { server in
            let bare = server.endpoint
            let given = try await endpoint(server, "uuid=u-1&from=1")
            #expect(given["authorization"] == nil)
            let url = try #require(given["uri"]?.string)
            #expect(url.hasPrefix(bare + "?token="))
            let mine = JSONValue.string(PythonCall.handshake(16000, #", "uuid": "u-1""#))
            // No token, a wrong one, and one from another server.
            let foreign = CallTokens(keys: [], lifetime: 60).issue(for: "u-1")
            for wrong in [bare, bare + "?token=x", url + "x", bare + "?token=" + foreign] {
                #expect(try await PythonCall(wrong, ["handshake": mine]).place()[0].status == 401)
            }
            #expect(server.directory.files(in: "recordings").isEmpty)
            // Another call's token, and a call that does not state its ID.
            for (uuid, other) in [("u-2", #", "uuid": "u-9""#), ("u-3", "")] {
                let stolen = try #require(try await endpoint(server, "uuid=\(uuid)")["uri"]?.string)
                let ending = try await PythonCall(
                    stolen, ["handshake": .string(PythonCall.handshake(16000, other)), "wait": true]
                ).place()[0]
                #expect(ending.code == 1008 && ending.reason?.contains("token") == true)
            }
            #expect(server.directory.files(in: "recordings").isEmpty)

            let pcm = server.directory.path + "/speech.pcm"
            try await Speech.pcm().write(to: URL(fileURLWithPath: pcm))
            #expect(try await PythonCall(url, pcm: pcm, ["handshake": mine]).place()[0].code == 1000)
            #expect(try await PythonCall(url, ["handshake": mine]).place()[0].status == 401)
            // The carrier repeats the address in its events.
            let event = JSONValue.object([
                "uuid": "leg", "headers": .object(["uuid": "u-1"]), "to": .string(url), "status": "disconnected",
            ])
            try await Program("curl").output(["-s", "--data-raw", event.json(), server.http + "/webhooks/event"])
            let recording = try await eventually("the event") {
                try await server.finished().first { !$0.events.isEmpty }
            }
            #expect(recording.framesReceived == 176_000)
            #expect(recording.events[0].data["to"] == .string(bare))
            let token = try #require(url.split(separator: "=").last)
            for file in server.directory.files(in: "recordings") where file.hasSuffix(".json") {
                #expect(try !String(contentsOfFile: server.recordings + "/" + file, encoding: .utf8).contains(token))
            }
            #expect(!book.text.contains(token) && book.text.contains("connection refused"))
            #expect(!book.text.contains("token=") && !book.text.contains(foreign))
        }
    }

    @Test func `a call without a uuid may use its token all the same`() async throws {
        try await TestServer.run(vonage: "{}") { server in
            let url = try #require(try await endpoint(server, "from=1")["uri"]?.string)
            #expect(try await PythonCall(url).place()[0].code == 1000)
            #expect(try await PythonCall(url).place()[0].status == 401)
        }
    }

    @Test func `a token outlives the server if its key does`() async throws {
        let key = String(repeating: "0123456789abcdef", count: 2)
        for (vonage, status) in [(#"{"tokenKey": "\#(key)"}"#, nil), ("{}", 401)] {
            let url = try await TestServer.run(vonage: vonage) { server in
                try #require(try await endpoint(server, "from=1")["uri"]?.string)
            }
            try await TestServer.run(vonage: vonage) { server in
                let query = try #require(url.split(separator: "?").last)
                #expect(try await PythonCall(server.endpoint + "?" + query).place()[0].status == status)
            }
        }
    }

    @Test func `the answer tells somebody without a token what to do`() async throws {
        try await TestServer.run(vonage: "{}") { server in
            let answer = try await Program("curl").run([
                "-s", "-i", "--max-time", "20", "-H", "Connection: Upgrade", "-H", "Upgrade: websocket", "-H",
                "Sec-WebSocket-Version: 13", "-H",
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", server.http + "/cable",
            ]).text
            #expect(answer.hasPrefix("HTTP/1.1 401"))
            #expect(answer.contains("/webhooks/answer") && answer.contains("vonage.requireToken"))
        }
    }
}
