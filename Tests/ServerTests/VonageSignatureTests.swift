import CallreelCore
import Foundation
import TestSupport
import Testing

@testable import CallreelCarriers
@testable import CallreelServer

/// Signs as Vonage does, with Python's hmac. It uses neither Callreel's code nor the library that checks.
struct VonageSigner: Sendable {
    var secret = VonageSigner.secret
    var header = #"{"alg":"HS256","typ":"JWT"}"#
    var claims: [String: JSONValue] = ["iss": "Vonage"]
    /// Seconds from now.
    var age = 0

    static let secret = "not-a-real-signature-secret-0123456789"

    /// Returns the value of the `Authorization` header, for a body if there is one.
    func authorization(body: String? = nil) async throws -> String {
        let code = """
            import base64, hashlib, hmac, json, sys, time
            secret, header, claims, age, body = sys.argv[1], sys.argv[2], json.loads(sys.argv[3]), int(sys.argv[4]), sys.argv[5:]
            claims.setdefault("iat", int(time.time()) - age)
            if body: claims.setdefault("payload_hash", hashlib.sha256(body[0].encode()).hexdigest())
            b64 = lambda data: base64.urlsafe_b64encode(data).rstrip(b"=")
            signed = b64(header.encode()) + b"." + b64(json.dumps(claims).encode())
            sys.stdout.buffer.write(b"Bearer " + signed + b"." + b64(hmac.new(secret.encode(), signed, hashlib.sha256).digest()))
            """
        let arguments = [secret, header, JSONValue.object(claims).json(), String(age)] + (body.map { [$0] } ?? [])
        return String(decoding: try await Judge.python(code, arguments), as: UTF8.self)
    }

    /// Returns a copy with changed parts.
    func with(_ change: (inout VonageSigner) -> Void) -> VonageSigner {
        var copy = self
        change(&copy)
        return copy
    }
}

@Suite struct VonageSignatureTests {
    /// Section `vonage` of a server that asks for signatures.
    private static let guarded =
        #"{"signatureSecret": "\#(VonageSigner.secret)", "apiKey": "a1b2c3d", "applicationID": "app-1"}"#
    private static let ours = VonageSigner(claims: ["iss": "Vonage", "api_key": "a1b2c3d", "application_id": "app-1"])

    private func signature(_ secret: String, _ change: (inout VonageOptions) -> Void = { _ in }) async throws
        -> VonageSignature
    {
        var configuration = VonageOptions()
        change(&configuration)
        return VonageSignature(secrets: [secret], options: configuration)
    }

    /// Returns the reason for refusing a token, or nil if it is accepted.
    private func refusal(
        _ signature: VonageSignature, _ authorization: String..., body: String = "", isSecure: Bool = false,
        at second: Double
    )
        -> String?
    {
        do throws(CarrierRefusal) {
            _ = try signature.check(
                authorization: authorization, body: Array(body.utf8), isSecure: isSecure,
                now: Date(timeIntervalSince1970: second))
            return nil
        } catch {
            return error.reason
        }
    }

    // MARK: - Vectors

    private static let vector = (
        secret: VonageSigner.secret, time: 1_587_494_962.0,
        body:
            #"{"from":"442079460000","to":"wss://example.com/socket","uuid":"aaaaaaaa-bbbb-cccc-dddd-0123456789ab","conversation_uuid":"CON-aaaaaaaa-bbbb-cccc-dddd-0123456789ab","status":"disconnected","timestamp":"2020-03-31T12:00:00.000Z"}"#,
        token:
            "Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpYXQiOjE1ODc0OTQ5NjIsImp0aSI6ImM1YmE4ZjI0LTFhMTQtNGMxMC1iZmRmLTNmYmU4Y2U1MTFiNSIsImlzcyI6IlZvbmFnZSIsInBheWxvYWRfaGFzaCI6ImNjOWE2NTc0NTJmYjY0MTc3NGQ0Yzg2MWI2MDExNTY1NWM5NWExN2U5YjI2YmE5Njc1ZmY5M2U5Y2IwMTc2NTgiLCJhcGlfa2V5IjoiYTFiMmMzZCIsImFwcGxpY2F0aW9uX2lkIjoiYWFhYWFhYWEtYmJiYi1jY2NjLWRkZGQtMDEyMzQ1Njc4OWFiIn0.jMbj68ac1kYgN1nt8UpbMgXqGBia-tcUw_EnfBLcxOA"
    )

    @Test func `a webhook that was signed elsewhere is taken, at its time, with its bytes, for its account`()
        async throws
    {
        let (secret, time, body, token) = Self.vector
        let check = try await signature(secret) {
            ($0.apiKey, $0.applicationID) = ("a1b2c3d", "aaaaaaaa-bbbb-cccc-dddd-0123456789ab")
        }
        for second in [time, time + 300, time - 300] { #expect(refusal(check, token, body: body, at: second) == nil) }
        #expect(refusal(check, token, body: body, at: time + 301) == "the signature is older than 300 seconds")
        #expect(refusal(check, token, body: body, at: time - 301) == "the signature is from the future")
        #expect(refusal(check, token, body: body + "\n", at: time) == "the body is not the one that was signed")
        #expect(refusal(check, token, body: "", isSecure: true, at: time) == "the body is not the one that was signed")
        #expect(refusal(check, token.replacingOccurrences(of: "Bearer", with: "bearer"), body: body, at: time) == nil)
        #expect(
            refusal(check, token, token, body: body, at: time) == "the Authorization header is not one Bearer token")
        let other = try await signature(secret) { $0.apiKey = "another" }
        #expect(refusal(other, token, body: body, at: time) == "the signature is of another account")
        let application = try await signature(secret) { $0.applicationID = "another" }
        #expect(refusal(application, token, body: body, at: time) == "the signature is of another application")
        #expect(refusal(try await signature(secret + "0"), token, body: body, at: time) == "the signature is wrong")
        let longer = try await signature(secret) { $0.signatureAge = 600 }
        #expect(refusal(longer, token, body: body, at: time + 600) == nil)
    }

    @Test func `the vendor's token has the right signature for its secret and for no other`() async throws {
        let token =
            "Bearer eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJPbmxpbmUgSldUIEJ1aWxkZXIiLCJpYXQiOjE2OTc2MzQ2ODAsImV4cCI6MzMyNTQ1NDA4MjgsImF1ZCI6IiIsInN1YiI6IiJ9.88vJc3I2HhuqEDixHXVhc9R30tA6U_HQHZTC29y6CGM"
        #expect(
            refusal(try await signature("qwertyuiopasdfghjklzxcvbnm123456"), token, at: 1_697_634_680)
                == "the signature's issuer is not Vonage")
        // A secret shorter than the library recommends.
        #expect(refusal(try await signature("asdf"), token, at: 1_697_634_680) == "the signature is wrong")
    }

    @Test func `a short secret makes the signature that Python makes`() async throws {
        let token = try await VonageSigner(secret: "s").authorization()
        #expect(refusal(try await signature("s"), token, at: Date().timeIntervalSince1970) == nil)
    }

    @Test func `only this algorithm counts, whatever the token says of itself`() async throws {
        let check = try await signature(VonageSigner.secret)
        let now = Date().timeIntervalSince1970
        for header in [#"{"alg":"none"}"#, #"{"alg":"HS512","typ":"JWT"}"#, #"{"alg":"hs256"}"#, #"{"typ":"JWT"}"#] {
            // Signed with HMAC-SHA256 all the same.
            let token = try await VonageSigner(header: header).authorization()
            #expect(refusal(check, token, at: now) == "the signature is not made with HS256")
        }
        let good = try await VonageSigner().authorization()
        #expect(refusal(check, good, at: now) == nil)
        let unsigned = good.prefix(through: good.lastIndex(of: ".") ?? good.startIndex)
        #expect(refusal(check, String(unsigned), at: now) == "the signature is wrong")
        for nonsense in [
            "Bearer", "Bearer x", "Bearer a.b.c", "Bearer ..", "Basic abc", "",
            "Bearer " + String(repeating: "[", count: 5000),
        ] {
            let reason = try #require(refusal(check, nonsense, at: now))
            #expect(
                reason == "the Authorization header is not one Bearer token"
                    || reason == "the Bearer token is not a JSON Web Token", "\(nonsense)")
        }
    }

    @Test func `an expired token, one of nobody, and one that covers no body where anybody can read along are refused`()
        async throws
    {
        let check = try await signature(VonageSigner.secret)
        let now = Date().timeIntervalSince1970
        let expired = try await VonageSigner(claims: ["iss": "Vonage", "exp": .integer(Int(now) - 1)]).authorization()
        #expect(refusal(check, expired, at: now) == "the signature has expired")
        #expect(
            refusal(check, try await VonageSigner(claims: [:]).authorization(), at: now)
                == "the signature's issuer is not Vonage")
        let timeless = try await VonageSigner(claims: ["iss": "Vonage", "iat": .null]).authorization()
        #expect(refusal(check, timeless, at: now) == "the signature does not say when it was made")
        let bare = try await VonageSigner().authorization()
        #expect(
            refusal(check, bare, body: "{}", at: now)
                == "the signature does not cover the body, which it must where there is no TLS")
        #expect(refusal(check, bare, body: "{}", isSecure: true, at: now) == nil)
        #expect(refusal(check, bare, at: now) == nil)
    }

    // MARK: - The real server

    private func ask(_ url: String, _ authorization: String?, body: String? = nil) async throws -> (
        status: String, text: String
    ) {
        let header = authorization.map { ["-H", "Authorization: \($0)"] } ?? []
        let data = body.map { ["-H", "Content-Type: application/json", "--data-raw", $0] } ?? []
        let text = try await Program("curl").run(
            ["-s", "--max-time", "20", "-w", "\n%{http_code}"] + header + data + [url]
        ).text
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        return (String(lines.last ?? ""), lines.dropLast().joined(separator: "\n"))
    }

    @Test func `webhooks without the carrier's signature are refused before anything is kept`() async throws {
        let book = LogBook()
        try await TestServer.run(vonage: Self.guarded, logger: book.logger) { server in
            let answer = server.http + "/webhooks/answer", event = server.http + "/webhooks/event"
            let body = #"{"uuid":"u-1","from":"447700900123","status":"ringing"}"#
            let bad: [(String?, String?)] = [
                (nil, nil), (nil, body), (try await Self.ours.authorization(body: body), body + " "),
                (try await Self.ours.authorization(), body),
                (try await Self.ours.with { $0.secret = "wrong" }.authorization(body: body), body),
                (try await Self.ours.with { $0.age = 400 }.authorization(body: body), body),
                (try await Self.ours.with { $0.claims["api_key"] = "else" }.authorization(body: body), body),
                (try await Self.ours.with { $0.claims["application_id"] = nil }.authorization(body: body), body),
                (try await Self.ours.with { $0.claims["iss"] = "vonage" }.authorization(body: body), body),
                (try await Self.ours.with { $0.header = #"{"alg":"none"}"# }.authorization(body: body), body),
            ]
            for (authorization, body) in bad {
                for url in [answer + (body == nil ? "?uuid=u-1&from=447700900123" : ""), event] {
                    let refused = try await ask(url, authorization, body: body)
                    #expect(refused.status == "401", "\(url) \(authorization ?? "nothing") \(body ?? "") \(refused)")
                    #expect(!refused.text.contains("connect") && !refused.text.contains("uuid"))
                }
            }
            #expect(try await ask(event, try await Self.ours.authorization(body: body), body: body).status == "204")
            #expect(try await ask(event, try await Self.ours.authorization()).status == "204")
            let ncco = try await ask(answer, try await Self.ours.authorization(body: body), body: body)
            let endpoint = try #require(
                try JSONValue(parsing: Data(ncco.text.utf8)).elements.last?["endpoint"]?.elements.first)
            #expect(endpoint["authorization"] == .object(["type": "vonage"]))

            // The call brings the token, and the signature too.
            let url = try #require(endpoint["uri"]?.string),
                handshake = PythonCall.handshake(16000, #", "uuid": "u-1""#)
            let signed = try await Self.ours.authorization()
            #expect(try await PythonCall(url, ["handshake": .string(handshake)]).place()[0].status == 401)
            let wrong = try await Self.ours.with { $0.secret = "wrong" }.authorization()
            #expect(
                try await PythonCall(url, ["handshake": .string(handshake), "authorization": .string(wrong)]).place()[0]
                    .status == 401)
            #expect(
                try await PythonCall(
                    server.endpoint, ["handshake": .string(handshake), "authorization": .string(signed)]
                ).place()[0].status == 401)
            #expect(server.directory.files(in: "recordings").isEmpty)
            let pcm = server.directory.path + "/speech.pcm"
            try await Speech.pcm().write(to: URL(fileURLWithPath: pcm))
            let ending = try await PythonCall(
                url, pcm: pcm, ["handshake": .string(handshake), "authorization": .string(signed)]
            ).place()[0]
            #expect(ending.code == 1000)
            let recording = try await server.finished()[0]
            // One of the two signed events names the call, and no refused event is there.
            #expect(recording.call.from == "447700900123" && recording.framesReceived == 176_000)
            #expect(recording.events.count { $0.type == "ringing" } == 1)
        }
        #expect(book.text.contains("webhook refused") && book.text.contains("client.address=127.0.0.1"))
        #expect(!book.text.contains(VonageSigner.secret) && !book.text.contains("eyJ"))
    }

    @Test func `over https a signature need not cover the body`() async throws {
        let vonage = #"{"signatureSecret": "\#(VonageSigner.secret)"}"#
        try await TestServer.run(
            vonage: vonage, more: #", "publicURL": "https://calls.example.com", "access": {"allowOpen": true}"#
        ) { server in
            let bare = try await VonageSigner().authorization()
            #expect(try await ask(server.http + "/webhooks/answer", bare, body: #"{"uuid":"u"}"#).status == "200")
        }
    }

    // MARK: - Repeated signatures

    /// Signs like Vonage, with a separate identifier for each request.
    private func signed(_ identifier: String, body: String? = nil, secret: String = VonageSigner.secret) async throws
        -> String
    {
        var signer = VonageSigner(claims: ["iss": "Vonage", "jti": .string(identifier)])
        signer.secret = secret
        return try await signer.authorization(body: body)
    }

    @Test func `a signature that was overheard gets no token, and makes no other event`() async throws {
        try await TestServer.run(vonage: #"{"signatureSecret": "\#(VonageSigner.secret)"}"#) { server in
            let answer = server.http + "/webhooks/answer", event = server.http + "/webhooks/event"
            let first = try await signed("1")
            #expect(try await ask(answer + "?uuid=u", first).status == "200")
            for url in [answer + "?uuid=u", answer + "?uuid=other", answer] {
                let again = try await ask(url, first)
                #expect(again.status == "401" && !again.text.contains("token="), "\(again)")
            }
            #expect(try await ask(event + "?uuid=u&status=ringing", first).status == "401")
            #expect(try await ask(answer + "?uuid=u", try await signed("2")).status == "200")

            // The carrier repeats an event without an answer. It is kept once.
            let body = #"{"uuid":"u","status":"ringing"}"#, second = try await signed("3", body: body)
            for _ in 0..<3 { #expect(try await ask(event, second, body: body).status == "204") }
            #expect(try await ask(answer, second, body: body).status == "401")
            let bare = try await signed("4")
            #expect(try await ask(event + "?uuid=u&status=answered", bare).status == "204")
            #expect(try await ask(event + "?uuid=u&status=completed", bare).status == "401")

            // A call, too: its address is good once, and so is its signature.
            let ncco = try JSONValue(parsing: Data(try await ask(answer + "?uuid=u", try await signed("5")).text.utf8))
            let url = try #require(ncco.elements.last?["endpoint"]?.elements.first?["uri"]?.string)
            let handshake = JSONValue.string(PythonCall.handshake(16000, #", "uuid": "u""#))
            #expect(
                try await PythonCall(url, ["handshake": handshake, "authorization": .string(first)]).place()[0].status
                    == 401)
            let fresh = try await PythonCall(
                url, pcm: Speech.path, ["handshake": handshake, "authorization": .string(try await signed("6"))]
            )
            .place()[0]
            #expect(fresh.code == 1000)
            #expect(try await server.finished()[0].events.map(\.type) == ["ringing", "answered"])
        }
    }

    @Test func `a call's signature is good once where no token is asked for`() async throws {
        let vonage = #"{"signatureSecret": "\#(VonageSigner.secret)", "requireToken": false}"#
        try await TestServer.run(vonage: vonage) { server in
            let one = JSONValue.string(try await signed("1")), two = JSONValue.string(try await signed("2"))
            #expect(
                try await PythonCall(server.cable, pcm: Speech.path, ["authorization": one]).place()[0].code == 1000)
            #expect(try await PythonCall(server.cable, ["authorization": one]).place()[0].status == 401)
            #expect(
                try await PythonCall(server.cable, pcm: Speech.path, ["authorization": two]).place()[0].code == 1000)
        }
    }

    @Test func `so many signatures are remembered, until their time is over`() {
        let seen = SeenProofs(limit: 3), start = Date(timeIntervalSince1970: 1000)
        func note(_ id: String, _ request: String = "r", at second: Double = 0) -> SeenProofs.Sight {
            let now = start.addingTimeInterval(second)
            return seen.note(Array(id.utf8), request: Array(request.utf8), until: now.addingTimeInterval(10), now: now)
        }
        #expect(note("a") == .new && note("a") == .repeated && note("a", "other") == .misused)
        #expect(note("b", at: 5) == .new && note("a", at: 10) == .repeated)
        // The signature has expired, so it need not be remembered.
        #expect(note("a", at: 11) == .new && note("b", at: 11) == .repeated)
        #expect(note("c", at: 11) == .new)
        // There is no space for a fourth, so the oldest is removed.
        #expect(note("d", at: 11) == .new && note("a", at: 11) == .repeated && note("d", at: 11) == .repeated)
        #expect(note("b", at: 11) == .new)
    }

    @Test func `the account's secret can be changed while both are in use`() async throws {
        let vonage = #"{"signatureSecret": ["new-secret", "\#(VonageSigner.secret)"]}"#
        try await TestServer.run(vonage: vonage) { server in
            for (secret, status) in [("new-secret", "200"), (VonageSigner.secret, "200"), ("neither", "401")] {
                let answer = try await ask(
                    server.http + "/webhooks/answer", try await signed("id-\(secret)", secret: secret))
                #expect(answer.status == status)
            }
        }
    }
}
