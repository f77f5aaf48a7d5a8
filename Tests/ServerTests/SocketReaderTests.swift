import Foundation
import NIOCore
import Testing

@testable import CallreelServer

/// Both ends of a connection. The reader reads one of them.
@Suite final class SocketReaderTests {
    private let reader = SocketReader()
    private let server: Int32
    private let carrier: Int32
    private var isCarrierOpen = true

    init() {
        var ends: [Int32] = [0, 0]
        #if canImport(Darwin)
            let type = SOCK_STREAM
        #else
            let type = Int32(SOCK_STREAM.rawValue)
        #endif
        let made = unsafe socketpair(AF_UNIX, type, 0, &ends)
        #expect(made == 0)
        (server, carrier) = (ends[0], ends[1])
        _ = fcntl(server, F_SETFL, O_NONBLOCK)
        for end in ends {
            var size: Int32 = 1 << 20
            unsafe setsockopt(end, SOL_SOCKET, SO_SNDBUF, &size, socklen_t(MemoryLayout<Int32>.size))
        }
    }

    deinit {
        close(server)
        if isCarrierOpen { close(carrier) }
    }

    private func send(_ count: Int) {
        let sent = unsafe write(carrier, [UInt8](repeating: 7, count: count), count)
        #expect(sent == count)
    }

    /// Reads once. Returns the outcome and the number of right bytes.
    private func read() -> (outcome: String, count: Int) {
        var count = 0
        let outcome = unsafe reader.read(server) { bytes in count = unsafe bytes.count { $0 == 7 } }
        return switch outcome {
        case .full: ("full", count)
        case .some: ("some", count)
        case .ended: ("ended", count)
        case .failed(let error): ("failed \(error.errnoCode)", count)
        }
    }

    @Test func `what has come is read at once, and nothing is waited for`() {
        #expect(read() == ("some", 0))
        send(640)
        send(640)
        #expect(read() == ("some", 1280))
        #expect(read() == ("some", 0))
    }

    @Test func `more than fits is read in turn, and the end comes behind it`() {
        send(100_000)
        close(carrier)
        isCarrierOpen = false
        #expect(read() == ("full", 1 << 16))
        #expect(read() == ("some", 100_000 - 1 << 16))
        #expect(read() == ("ended", 0))
        // NIO reads after the reader, and finds the end again.
        #expect(read() == ("ended", 0))
    }

    @Test func `a failure is told with its number`() {
        let outcome = unsafe SocketReader().read(-1) { _ in Issue.record("there was nothing to take") }
        #expect(outcome.failure?.errnoCode == EBADF)
    }
}

extension SocketReader.Outcome {
    fileprivate var failure: IOError? { if case .failed(let error) = self { error } else { nil } }
}
