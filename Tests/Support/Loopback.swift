import Foundation

/// This machine's own network.
public enum Loopback {
    /// Returns a port for a program that cannot report its own.
    ///
    /// The port lies below those that Linux gives to clients and to listeners on port 0
    /// (`net.ipv4.ip_local_port_range`, from 32768), so no other test is given it meanwhile.
    public static func freePort() async throws -> Int {
        let printed = try await Judge.python(
            """
            import random, socket
            while True:
                port = random.randrange(10000, 32768)
                with socket.socket() as listener:
                    try: listener.bind(("127.0.0.1", port))
                    except OSError: continue
                print(port)
                break
            """, [])
        guard let port = Int(String(decoding: printed, as: UTF8.self).trimmingCharacters(in: .newlines)) else {
            throw Program.Failure(description: "no port was printed")
        }
        return port
    }
}
