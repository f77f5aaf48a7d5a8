import CallreelCore
import Foundation
import TestSupport
import Testing

@testable import CallreelSimulator

/// A called server never blocks its caller.
@Suite struct CarrierConnectionTests {
    /// Starts a server that accepts a connection, runs the code with it as `c`, and keeps it open.
    private func server(_ code: String) async throws -> (program: RunningProgram, url: String) {
        let program = try Program("python3").start([
            "-u", "-c",
            """
            import base64, hashlib, socket, time
            s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096); s.bind(("127.0.0.1", 0)); s.listen()
            print(s.getsockname()[1])
            c, _ = s.accept()
            \(code)
            time.sleep(600)
            """,
        ])
        let port = try await eventually("its port") { program.text.split(separator: "\n").first.map(String.init) }
        return (program, "ws://127.0.0.1:\(port)/cable")
    }

    @Test func `a server that does not answer the request for a WebSocket is given up`() async throws {
        let (program, url) = try await server("pass")
        defer { program.signal(SIGKILL) }
        let instructions = CallInstructions(url: url, format: AudioFormat(sampleRate: 16000))
        let error = await #expect(throws: CallerError.self) {
            _ = try await CarrierConnection.open(
                instructions, as: CarrierIdentity(), patience: .init(answer: 1, write: 60))
        }
        #expect(error?.description.contains("has not answered for 1 seconds") == true, "\(String(describing: error))")
    }

    @Test func `a server that takes no audio is given up`() async throws {
        let (program, url) = try await server(
            """
            key = [l.split(": ")[1] for l in c.recv(4096).decode().split("\\r\\n") if l.lower().startswith("sec-websocket-key")][0]
            accept = base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()
            c.send(("HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\nSec-WebSocket-Accept: " + accept + "\\r\\n\\r\\n").encode())
            """)
        defer { program.signal(SIGKILL) }
        let format = AudioFormat(sampleRate: 16000)
        let connection = try await CarrierConnection.open(
            CallInstructions(url: url, format: format), as: CarrierIdentity(), patience: .init(answer: 20, write: 1))
        let error = await #expect(throws: CallerError.self) {
            // More than the system buffers for a reader.
            for _ in 0..<100 { try await connection.send(audio: [Int16](repeating: 1, count: 1 << 18), format: format) }
        }
        #expect(error?.description.contains("took no audio for 1 seconds") == true, "\(String(describing: error))")
        await connection.drop()
    }
}
