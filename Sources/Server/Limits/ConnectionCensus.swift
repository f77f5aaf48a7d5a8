import Foundation
import NIOCore
import Synchronization

/// Counts the open connections, in total and from each address, and refuses those above the limits.
///
/// Takes one short lock when a connection opens or closes, and none for its data.
final class ConnectionCensus: Sendable {
    private struct State {
        var total = 0
        var byAddress: [[UInt8]: Int] = [:]
    }

    private let most: Int
    private let mostPerAddress: Int
    private let state = Mutex(State())

    /// Makes a census without connections.
    init(_ limits: Configuration.Limits) {
        most = limits.connections
        mostPerAddress = limits.connectionsPerAddress
    }

    /// Counts a new connection until it closes. Above a limit, returns the reason and does not count it.
    func enter(_ channel: any Channel) -> RefusalReason? {
        let address = Self.key(of: channel.remoteAddress)
        let refusal: RefusalReason? = state.withLock { state in
            guard state.total < most else { return .connections }
            let others = state.byAddress[address, default: 0]
            guard others < mostPerAddress else { return .address }
            state.total += 1
            state.byAddress[address] = others + 1
            return nil
        }
        if refusal == nil { channel.closeFuture.whenComplete { [self] _ in leave(address) } }
        return refusal
    }

    private func leave(_ address: [UInt8]) {
        state.withLock { state in
            state.total -= 1
            let others = state.byAddress[address, default: 1] - 1
            state.byAddress[address] = others == 0 ? nil : others
        }
    }

    /// Returns the key that counts as one address. For IPv4, mapped into IPv6 or not, it is the four bytes.
    /// For IPv6 it is the /64 network, because one host commonly has all of it (RFC 4291, section 2.5.1).
    /// All other addresses share one key.
    static func key(of address: SocketAddress?) -> [UInt8] {
        switch address {
        case .v4(let address): return unsafe withUnsafeBytes(of: address.address.sin_addr) { unsafe Array($0) }
        case .v6(let address):
            let bytes = unsafe withUnsafeBytes(of: address.address.sin6_addr) { unsafe Array($0) }
            let mapped: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]
            return bytes.starts(with: mapped) ? Array(bytes[12...]) : Array(bytes[..<8])
        default: return []
        }
    }
}
