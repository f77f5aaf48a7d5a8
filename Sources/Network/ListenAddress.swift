import CallreelCore
import Foundation
import NIOCore

/// Chooses the address to listen on among the addresses of a configured host.
package enum ListenAddress {
    /// Returns a host's first address on which this machine can listen. Blocks.
    ///
    /// A name may have several addresses, such as `localhost` on a machine with IPv6 only.
    /// An address is returned as it is.
    /// If this machine can listen on none, returns the first address, or the host itself if it has no address.
    /// Listening on that fails with the reason.
    package static func resolve(_ host: String) -> String {
        let bare = PublicURL.bare(host)
        guard !AddressRange.isAddress(bare) else { return bare }
        var addresses = lookUp(host)
        // The name `localhost` needs no name service (RFC 6761, section 6.3).
        if bare == "localhost" { addresses += ["127.0.0.1", "::1"].filter { !addresses.contains($0) } }
        return addresses.first(where: canBind) ?? addresses.first ?? host
    }

    /// Returns the address to connect to for a host. On a machine without IPv4, `localhost` becomes `::1`
    /// regardless of its hosts file.
    /// Every other host is returned as it is: the client tries all its addresses.
    package static func reaching(_ host: String) -> String {
        guard PublicURL.bare(host) == "localhost", !canBind("127.0.0.1"), canBind("::1") else { return host }
        return "::1"
    }

    private static func lookUp(_ host: String) -> [String] {
        var hints = unsafe addrinfo()
        unsafe hints.ai_flags = AI_PASSIVE
        #if canImport(Glibc)
            unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        #else
            unsafe hints.ai_socktype = SOCK_STREAM
        #endif
        var list: UnsafeMutablePointer<addrinfo>?
        guard unsafe getaddrinfo(host, nil, &hints, &list) == 0 else { return [] }
        defer { unsafe freeaddrinfo(list) }
        var found: [String] = []
        var next = unsafe list
        while let entry = unsafe next {
            var name = [CChar](repeating: 0, count: Int(NI_MAXHOST))
            let isNamed =
                unsafe getnameinfo(
                    entry.pointee.ai_addr, entry.pointee.ai_addrlen, &name, socklen_t(name.count), nil, 0,
                    NI_NUMERICHOST) == 0
            let text = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            if isNamed, !found.contains(text) { found.append(text) }
            unsafe next = entry.pointee.ai_next
        }
        return found
    }

    /// Returns true if the address is one of this machine. Binds to port 0, so a configured port in use is found out
    /// only by listening on it.
    private static func canBind(_ address: String) -> Bool {
        guard let socketAddress = try? SocketAddress(ipAddress: address, port: 0) else { return false }
        #if canImport(Glibc)
            let type = Int32(SOCK_STREAM.rawValue)
        #else
            let type = SOCK_STREAM
        #endif
        let descriptor = socket(socketAddress.protocol == .inet6 ? AF_INET6 : AF_INET, type, 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        return unsafe socketAddress.withSockAddr { unsafe bind(descriptor, $0, socklen_t($1)) } == 0
    }
}
