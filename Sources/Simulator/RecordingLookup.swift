import AsyncHTTPClient
import CallreelCore
import CallreelNetwork
import Foundation
import NIOCore
import NIOFoundationCompat
import NIOHTTP1

/// Asks a Callreel server for the state of calls with `GET /api/calls`, as its page does.
package struct RecordingLookup: Sendable {
    /// A published call.
    package struct Published: Sendable {
        /// The manifest's path on the server.
        package let manifest: String
        /// The recording's problems, in words.
        package let problems: [String]
    }

    /// The server's answer about some calls. It does not mention unknown calls.
    package struct Answer: Sendable {
        /// The calls still running or being finished.
        package var live: Set<String> = []
        package var published: [String: Published] = [:]
    }

    /// Recordings in one answer: the server's limit.
    private static let pageSize = 200

    private let url: String
    private let token: String?
    private let identity: CarrierIdentity

    /// Makes a lookup at a test call's server. Returns nil if the target is not a valid URL.
    /// - Parameters:
    ///   - target: the address of the server's answer webhook or of its WebSocket.
    ///   - token: the server's access token; nil sends none.
    package init?(target: String, token: String?, identity: CarrierIdentity) {
        guard var parts = URLComponents(string: target), let scheme = parts.scheme?.lowercased(),
            parts.portMistake == nil
        else { return nil }
        parts.scheme = ["https", "wss"].contains(scheme) ? "https" : "http"
        parts.query = nil
        parts.fragment = nil
        // A proxy may put a prefix before the server's own paths.
        let webhook = "/webhooks/answer"
        // The server accepts doubled slashes and a final slash too.
        let path = parts.percentEncodedPath.split(separator: "/").map { "/" + $0 }.joined()
        let prefix = path.hasSuffix(webhook) ? String(path.dropLast(webhook.count)) : path.parentPath
        parts.percentEncodedPath = (prefix == "/" ? "" : prefix) + "/api/calls"
        guard let url = parts.string else { return nil }
        self.url = url
        self.token = token
        self.identity = identity
    }

    /// Asks once. Throws the reason if the server does not answer the question.
    /// - Parameter calls: the uuids of the calls.
    package func ask(_ calls: Set<String>) async throws(CallerError) -> Answer {
        var configuration = HTTPClient.Configuration()
        configuration.tlsConfiguration = try identity.tlsConfiguration()
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.redirectConfiguration = .disallow
        do {
            return try await HTTPClient.withHTTPClient(configuration: configuration) { client in
                var answer = Answer(), offset = 0
                // The newest recordings come first. Newer calls may have pushed these further back, so several pages
                // may be needed.
                while true {
                    let count = try await page(client, offset, calls, into: &answer)
                    offset += Self.pageSize
                    let missing = calls.subtracting(answer.published.keys).subtracting(answer.live)
                    if missing.isEmpty || count < Self.pageSize || offset > calls.count + 5 * Self.pageSize {
                        return answer
                    }
                }
            }
        } catch let error as CallerError {
            throw error
        } catch {
            throw CallerError("cannot ask the server for the recordings' paths: \(reason(of: error))")
        }
    }

    /// Reads one page of recordings, and returns the number of recordings on it.
    private func page(_ client: HTTPClient, _ offset: Int, _ calls: Set<String>, into answer: inout Answer) async throws
        -> Int
    {
        var request = HTTPClientRequest(url: "\(url)?limit=\(Self.pageSize)&offset=\(offset)")
        if let token { request.headers.add(name: "authorization", value: "Bearer \(token)") }
        let response = try await client.execute(request, timeout: .seconds(10))
        switch response.status {
        case .ok: break
        case .unauthorized, .forbidden:
            throw CallerError(
                "the server needs its access token to tell the recordings' paths: give --access-token, or see its page"
            )
        default:
            throw CallerError(
                "the server does not tell the recordings' paths: GET /api/calls answers \(response.status)")
        }
        let body = try await response.body.collect(upTo: 1 << 24)
        guard let value = try? JSONValue(parsing: Data(buffer: body)), let directory = value["directory"]?.string,
            case .array(let live) = value["live"], case .array(let recordings) = value["recordings"]
        else { throw CallerError("the server does not tell the recordings' paths") }
        answer.live.formUnion(live.compactMap { $0["uuid"]?.string }.filter(calls.contains))
        for recording in recordings {
            guard let uuid = recording["uuid"]?.string, calls.contains(uuid), let name = recording["name"]?.string
            else { continue }
            var problems: [String] = []
            if case .array(let found) = recording["problems"] { problems = found.compactMap(\.string) }
            answer.published[uuid] = Published(manifest: "\(directory)/\(name).json", problems: problems)
        }
        return recordings.count
    }
}
