import CallreelCore
import CallreelNetwork
import CallreelServer
import Foundation
import TestSupport
import Testing

@Suite struct TLSTests {
    @Test func `https and wss are served on one port, and a call over TLS is right to the byte`() async throws {
        let directory = TemporaryDirectory()
        let pair = try await TestCertificate.make(in: directory)
        try await TestServer.run(listen: pair.listen, in: directory) { server in
            #expect(server.address.page == server.https + "/" && server.address.publicURL.description == server.https)
            let page = try await Program("curl").output(["-s", "-i", "--cacert", pair.certificate, server.https + "/"])
            let text = String(decoding: page, as: UTF8.self).lowercased()
            #expect(text.hasPrefix("http/1.1 200") && text.contains("strict-transport-security: max-age="))
            let ncco = try await Program("curl").output([
                "-s", "--cacert", pair.certificate, server.https + "/webhooks/answer",
            ])
            #expect(String(decoding: ncco, as: UTF8.self).contains("wss://127.0.0.1:\(server.address.port)/cable"))
            let pcm = server.directory.path + "/speech.pcm"
            let speech = try await Speech.pcm()
            try speech.write(to: URL(fileURLWithPath: pcm))
            let wss = "wss://127.0.0.1:\(server.address.port)"
            // Closed properly, cut off, and with messages of every length.
            let ways: [[String: JSONValue]] = [["cuts": "odd"], ["end": "abort"], [:]]
            for (index, more) in ways.enumerated() {
                let ending = try await PythonCall(
                    wss + server.target, pcm: pcm, more.merging(["ca": .string(pair.certificate)]) { $1 }
                ).place()[0]
                if more["end"] == nil { #expect(ending.code == 1000) }
                #expect(try await server.finished(index + 1).count == index + 1)
            }
            for recording in try await server.finished(3) {
                let data = try Data(contentsOf: URL(fileURLWithPath: server.file("raw", of: recording)))
                #expect(
                    recording.endReason == "the carrier closed the call"
                        ? data == speech : data == speech.prefix(data.count))
            }
            let twenty = try await PythonCall(
                wss, pcm: pcm,
                [
                    "ca": .string(pair.certificate), "calls": 20,
                    "urls": .array((0..<20).map { _ in .string(wss + server.target) }),
                ]
            ).place()
            #expect(twenty.map(\.code) == Array(repeating: 1000, count: 20))
            for recording in try await server.finished(23) where recording.call.from != nil {
                #expect(try Data(contentsOf: URL(fileURLWithPath: server.file("raw", of: recording))) == speech)
            }
        }
    }

    @Test func `TLS below 1.2, and what is no TLS, is refused and harms nobody`() async throws {
        let directory = TemporaryDirectory()
        let pair = try await TestCertificate.make(in: directory)
        let book = LogBook()
        try await TestServer.run(listen: pair.listen, in: directory, logger: book.logger) { server in
            let target = "127.0.0.1:\(server.address.port)"
            for (version, works) in [("-tls1", false), ("-tls1_1", false), ("-tls1_2", true), ("-tls1_3", true)] {
                // Security level 0, so that the client does not refuse.
                let result = try await Program("openssl").run([
                    "s_client", "-connect", target, version, "-cipher", "ALL:@SECLEVEL=0",
                ])
                #expect((result.status == 0) == works, "\(version): \(result.text) \(result.errors)")
                #expect(result.text.contains("BEGIN CERTIFICATE") == works, "\(version)")
            }
            #expect(try await Program("curl").run(["-s", "-i", "--max-time", "10", server.http + "/"]).status != 0)
            #expect(try await PythonCall(server.cable).place()[0].code == nil)
            #expect(server.directory.files(in: "recordings").isEmpty)
            let page = try await Program("curl").run([
                "-s", "--cacert", pair.certificate, "-o", "/dev/null", "-w", "%{http_code}", server.https + "/",
            ])
            #expect(page.text == "200")
        }
        #expect(book.text.contains("TLS failed client.address=127.0.0.1"))
    }
}
