import CSodium
import CallreelCore
import Foundation

/// The encrypting side of a libsodium secret stream, under a random key that is sealed to a public key.
///
/// Only this file knows libsodium. Each message is authenticated, with its place in the stream, so a reader notices if
/// one is changed, missing, repeated or moved. The key is wiped from memory.
struct SealedStream: ~Copyable {
    /// Bytes of ``opening``.
    static let openingBytes =
        crypto_box_sealbytes() + crypto_secretstream_xchacha20poly1305_keybytes()
        + crypto_secretstream_xchacha20poly1305_headerbytes()
    /// Bytes by which a sealed message is longer than its content.
    static let messageOverhead = crypto_secretstream_xchacha20poly1305_abytes()

    /// The sealed key, then the stream's header. A reader needs both before the first message.
    let opening: [UInt8]
    /// In memory of libsodium's, which is never swapped out, and is wiped when it is freed.
    private let state: UnsafeMutablePointer<crypto_secretstream_xchacha20poly1305_state>

    /// Makes a stream that only the holder of the secret key can read.
    init(to publicKey: [UInt8]) throws(SinkError) {
        guard sodium_init() >= 0 else { throw SinkError(.open, "libsodium finds no source of random numbers") }
        var key = [UInt8](repeating: 0, count: crypto_secretstream_xchacha20poly1305_keybytes())
        var sealedKey = [UInt8](repeating: 0, count: crypto_box_sealbytes() + key.count)
        var header = [UInt8](repeating: 0, count: crypto_secretstream_xchacha20poly1305_headerbytes())
        defer { unsafe sodium_memzero(&key, key.count) }
        unsafe crypto_secretstream_xchacha20poly1305_keygen(&key)
        guard publicKey.count == crypto_box_publickeybytes(),
            unsafe crypto_box_seal(&sealedKey, key, UInt64(key.count), publicKey) == 0
        else { throw SinkError(.open, "\"publicKey\" is not a key of Curve25519", blame: .options) }
        guard let memory = unsafe sodium_malloc(crypto_secretstream_xchacha20poly1305_statebytes()) else {
            throw SinkError(.open, "libsodium has no memory for another stream", underlying: ENOMEM)
        }
        unsafe state = memory.bindMemory(to: crypto_secretstream_xchacha20poly1305_state.self, capacity: 1)
        // It has no way to fail.
        _ = unsafe crypto_secretstream_xchacha20poly1305_init_push(state, &header, key)
        opening = sealedKey + header
    }

    deinit { unsafe sodium_free(state) }

    /// Encrypts the next message.
    /// - Parameters:
    ///   - facts: plain bytes that the reader must give too. They are authenticated, and not in the result.
    ///   - isLast: true marks the end of the stream, which tells a whole one from one that was cut.
    mutating func seal(_ message: RawSpan, facts: [UInt8], isLast: Bool = false) -> [UInt8] {
        let tag = isLast ? crypto_secretstream_xchacha20poly1305_tag_final() : 0
        let size = message.byteCount + Self.messageOverhead
        return unsafe [UInt8](unsafeUninitializedCapacity: size) { sealed, count in
            count = size
            // It fails for messages of more than 256 GB only.
            let status = unsafe message.withUnsafeBytes { message in
                unsafe crypto_secretstream_xchacha20poly1305_push(
                    state, sealed.baseAddress, nil, message.baseAddress, UInt64(message.count), facts,
                    UInt64(facts.count), tag)
            }
            precondition(status == 0, "libsodium does not encrypt \(message.byteCount) bytes")
        }
    }
}
