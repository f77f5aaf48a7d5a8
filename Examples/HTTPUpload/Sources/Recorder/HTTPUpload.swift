import AsyncHTTPClient
import CallreelCore
import Crypto
import Foundation
import NIOCore
import NIOFileSystem

/// Puts the files of each recording to an HTTP server, and its manifest after them: `<url>/<id>/<file>`.
///
/// Once the server has a manifest, it has every file that the manifest names. A delivery may be made again, so each
/// request carries an Idempotency-Key: the recording's identifier and the SHA-256 of the content. A server that has
/// seen the key may answer at once.
struct HTTPUpload: Delivery {
    static let type = "httpUpload"
    static let summary = "puts the files of each recording to an HTTP server, then its manifest"

    /// The client of all uploads. It lives as long as the program. A server that is down is an error at once: Callreel
    /// comes again by itself.
    private static let client = {
        var configuration = HTTPClient.Configuration()
        configuration.connectionPool.retryConnectionEstablishment = false
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }()

    private let url: String
    private let token: String?
    private let deadline: Duration

    init(options: HTTPUploadOptions, context: DeliveryContext) throws(ConfigurationProblem) {
        url = options.url.hasSuffix("/") ? String(options.url.dropLast()) : options.url
        token = try options.token?.value(at: context.place.key("token"))
        deadline = context.deadline
    }

    func deliver(_ recording: PublishedRecording) async throws(DeliveryError) -> DeliveryReceipt {
        let directory = "\(url)/\(recording.id)"
        for file in recording.files {
            do {
                // From the disk to the socket in pieces: the length of a call costs no memory.
                try await FileSystem.shared.withFileHandle(forReadingAt: FilePath(file.path)) { handle in
                    let body = HTTPClientRequest.Body.stream(handle.readChunks(), length: .known(Int64(file.bytes)))
                    try await put(body, of: recording, to: directory, name: file.path, sha256: file.sha256)
                }
            } catch {
                throw error as? DeliveryError ?? DeliveryError("cannot upload \(file.path)", cause: error)
            }
        }
        do {
            // A delivery may block its thread. The manifest is not sealed like the files: events that the carrier
            // reports late are added to it.
            let manifest = try Data(contentsOf: URL(filePath: recording.manifestPath))
            let hash = SHA256.hash(data: manifest).map { String(format: "%02x", $0) }.joined()
            try await put(
                .bytes(ByteBuffer(bytes: manifest)), of: recording, to: directory, name: recording.manifestPath,
                sha256: hash)
        } catch {
            throw error as? DeliveryError ?? DeliveryError("cannot upload \(recording.manifestPath)", cause: error)
        }
        return DeliveryReceipt(details: ["url": .string(directory)])
    }

    /// Puts one file. Throws if the server does not confirm it with a status of 200 to 299.
    private func put(
        _ body: HTTPClientRequest.Body, of recording: PublishedRecording, to directory: String, name path: String,
        sha256: String
    ) async throws {
        // A name may have blanks and letters of any script.
        let name = URL(filePath: path).lastPathComponent
        let target = "\(directory)/\(name.addingPercentEncoding(withAllowedCharacters: .urlPathAllowed) ?? name)"
        var request = HTTPClientRequest(url: target)
        request.method = .PUT
        request.body = body
        request.headers.add(name: "Idempotency-Key", value: "\"\(recording.id)-\(sha256)\"")
        if let token { request.headers.add(name: "Authorization", value: "Bearer \(token)") }
        // Callreel cancels the task at the deadline, or when the program ends. The client then ends the request.
        let response = try await Self.client.execute(request, timeout: TimeAmount(deadline))
        let answer = try await response.body.collect(upTo: 1 << 20)
        guard 200..<300 ~= response.status.code else {
            // An error is one line, so that a log can show it.
            let words = String(buffer: answer).prefix(400).split(whereSeparator: \.isNewline).joined(separator: " / ")
            let seconds = response.headers.first(name: "Retry-After").flatMap(Int.init)
            throw DeliveryError(
                "\(target) answered \(response.status): \(words)", retryAfter: seconds.map(Duration.seconds))
        }
    }
}
