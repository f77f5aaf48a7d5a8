import AsyncHTTPClient
import CallreelCore
import Foundation
import NIOCore
import NIOFoundationCompat
import NIOHTTP1

/// Asks a Callreel server what became of calls, as its page does: `GET /api/calls`.
package struct RecordingLookup: Sendable {
    /// A call that is published.
    package struct Published: Sendable {
        /// The manifest's path on the server.
        package let manifest: String
        /// What is wrong with the recording, in words.
        package let problems: [String]
    }

    /// What a server says of some calls. One that it does not mention is unknown to it.
    package struct Answer: Sendable {
        /// The calls that run, or are being finished.
        package var live: Set<String> = []
        package var published: [String: Published] = [:]
    }

    /// Recordings in one answer, as the server has it.
    private static let pageSize = CallsAPI.pageLimit

    private let url: String
    private let token: String?
    private let identity: CarrierIdentity

    /// Makes a lookup at the server that a test call goes to.
    /// - Parameters:
    ///   - target: the address of its answer webhook, or of its WebSocket.
    ///   - token: what the server asks programs for; nil shows none.
    package init?(target: String, token: String?, identity: CarrierIdentity) {
        guard var parts = URLComponents(string: target), let scheme = parts.scheme?.lowercased(), parts.portMistake == nil else { return nil }
        parts.scheme = ["https", "wss"].contains(scheme) ? "https" : "http"
        parts.query = nil
        parts.fragment = nil
        // A proxy may put a prefix before the server's own paths.
        let webhook = "/webhooks/answer"
        // The server takes doubled slashes and one at the end as well.
        let path = parts.percentEncodedPath.split(separator: "/").map { "/" + $0 }.joined()
        let prefix = path.hasSuffix(webhook) ? String(path.dropLast(webhook.count)) : path.parentPath
        parts.percentEncodedPath = (prefix == "/" ? "" : prefix) + "/api/calls"
        guard let url = parts.string else { return nil }
        self.url = url
        self.token = token
        self.identity = identity
    }

    /// Asks once. The error says why the server does not tell.
    /// - Parameter calls: the uuids of the calls.
    package func ask(_ calls: Set<String>) async throws(CallerError) -> Answer {
        var configuration = HTTPClient.Configuration()
        configuration.tlsConfiguration = try identity.tlsConfiguration()
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.redirectConfiguration = .disallow
        do {
            return try await HTTPClient.withHTTPClient(configuration: configuration) { client in
                var answer = Answer(), offset = 0
                // The newest come first, and as many others may have ended since.
                while true {
                    let count = try await page(client, offset, calls, into: &answer)
                    offset += Self.pageSize
                    let missing = calls.subtracting(answer.published.keys).subtracting(answer.live)
                    if missing.isEmpty || count < Self.pageSize || offset > calls.count + 5 * Self.pageSize { return answer }
                }
            }
        } catch let error as CallerError {
            throw error
        } catch {
            throw CallerError("the server cannot be asked where it recorded: \(networkReason(error))")
        }
    }

    /// Reads one page of recordings, and returns how many there are on it.
    private func page(_ client: HTTPClient, _ offset: Int, _ calls: Set<String>, into answer: inout Answer) async throws -> Int {
        var request = HTTPClientRequest(url: "\(url)?limit=\(Self.pageSize)&offset=\(offset)")
        if let token { request.headers.add(name: "authorization", value: "Bearer \(token)") }
        let response = try await client.execute(request, timeout: .seconds(10))
        switch response.status {
        case .ok: break
        case .unauthorized, .forbidden:
            throw CallerError("the server tells nobody without its access token where it recorded: give --access-token, or see its page")
        default: throw CallerError("the server does not tell where it recorded: GET /api/calls answers \(response.status)")
        }
        let body = try await response.body.collect(upTo: 1 << 24)
        guard let value = try? JSONValue(parsing: Data(buffer: body)), let directory = value["directory"]?.string,
            case .array(let live) = value["live"], case .array(let recordings) = value["recordings"]
        else { throw CallerError("the server does not tell where it recorded") }
        answer.live.formUnion(live.compactMap { $0["uuid"]?.string }.filter(calls.contains))
        for recording in recordings {
            guard let uuid = recording["uuid"]?.string, calls.contains(uuid), let name = recording["name"]?.string else { continue }
            var problems: [String] = []
            if case .array(let found) = recording["problems"] { problems = found.compactMap(\.string) }
            answer.published[uuid] = Published(manifest: "\(directory)/\(name).json", problems: problems)
        }
        return recordings.count
    }
}
