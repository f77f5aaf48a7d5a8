import Foundation
import NIOCore
import Synchronization

/// Counts the open connections, all of them and those from each address, and says which are too many.
///
/// One short lock for each connection that comes or goes; nothing for what it sends.
final class ConnectionCensus: Sendable {
    private struct State {
        var total = 0
        var byAddress: [[UInt8]: Int] = [:]
    }

    private let most: Int
    private let mostPerAddress: Int
    private let state = Mutex(State())

    /// Makes a census of nobody.
    init(_ limits: Configuration.Limits) {
        most = limits.connections
        mostPerAddress = limits.connectionsPerAddress
    }

    /// Counts a new connection until it is closed, or says why it is one too many; then it is not counted.
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

    /// What counts as one address: the four bytes of IPv4, mapped into IPv6 or not, and of IPv6 the network, since a host there
    /// commonly has all of a /64 (RFC 4291, section 2.5.1). Everything else is one address together.
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
