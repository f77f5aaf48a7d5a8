import CallreelCore
import Foundation
import TestSupport
import Testing

@testable import CallreelServer

/// Tests of the WebSocket code of calls, through an echo that only test servers have.
@Suite struct ConformanceTests {
    /// The command given to `scripts/conformance`.
    private static let suite = ProcessInfo.processInfo.environment["CALLREEL_CONFORMANCE_SUITE"]

    /// Limits for the largest messages of conformance suites.
    private static let room = #", "limits": {"textMessageBytes": 16777216, "binaryMessageBytes": 16777216}"#

    @Test func `every rule of RFC 6455 that a client can break is kept`() async throws {
        try await TestServer.run(vonage: TestServer.trusting) { server in
            let output = try await Program("python3").output([
                Speech.fixture("conformance_client.py"), "127.0.0.1", String(server.address.port), "/echo",
            ])
            let found = try JSONValue(parsing: output)
            #expect(found["cases"]?.double ?? 0 >= 60)
            #expect(found["problems"]?.elements.compactMap(\.string) == [])
        }
    }

    @Test func `another client's messages come back as they were sent, of any size, whole or in fragments`()
        async throws
    {
        try await TestServer.run(vonage: TestServer.trusting, more: Self.room) { server in
            let output = try await Judge.python(
                """
                import asyncio, random, sys, websockets

                async def main():
                    generator = random.Random(6455)
                    async with websockets.connect(sys.argv[1], max_size=None, ping_interval=None) as socket:
                        assert not socket.extensions, socket.extensions
                        for size in (0, 1, 125, 126, 65535, 65536, 1 << 20, 1 << 24):
                            message = generator.randbytes(size)
                            await socket.send(message)
                            assert await socket.recv() == message, size
                        for text in ("", "κόσμε", "\\U0010FFFF" * 100000):
                            await socket.send(text)
                            assert await socket.recv() == text
                        pieces = [generator.randbytes(size) for size in (0, 1, 70000, 0, 500)]
                        await socket.send(pieces)
                        assert await socket.recv() == b"".join(pieces)
                        await socket.send(["ü" * size for size in (0, 1, 30000)])
                        assert await socket.recv() == "ü" * 30001
                        await asyncio.wait_for(await socket.ping(b"here?"), 20)
                    assert socket.close_code == 1000, socket.close_code
                    print("all came back")

                asyncio.run(main())
                """, [server.echo])
            #expect(String(decoding: output, as: UTF8.self) == "all came back\n")
        }
    }

    @Test func `a path to the echo is no part of a server that is made from a configuration`() async throws {
        try await TestServer.run(vonage: TestServer.trusting, echoPath: nil) { server in
            let refused = try await PythonCall(server.echo).place()
            #expect(refused.map(\.status) == [404])
            #expect(try await PythonCall(server.cable).place().map(\.code) == [1000])
        }
    }

    @Test(.enabled(if: suite != nil, "runs with scripts/conformance, which names a suite of others"))
    func `a conformance suite of others finds nothing`() async throws {
        let command = try #require(Self.suite)
        try await TestServer.run(vonage: TestServer.trusting, more: Self.room) { server in
            let result = try await Program("bash").run(["-c", command + server.echo])
            print(result.text, result.errors)
            #expect(result.status == 0)
        }
    }
}
