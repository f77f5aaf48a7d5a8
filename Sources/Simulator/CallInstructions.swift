import AsyncHTTPClient
import CallreelCarriers
package import CallreelCore
import CallreelNetwork
import Foundation
import NIOCore
import NIOFoundationCompat
import NIOHTTP1

/// Instructions to a carrier: the address for a call's audio, and its format.
package struct CallInstructions: Sendable {
    /// The WebSocket's address.
    package var url: String
    /// The format of the audio to send.
    package var format: AudioFormat
    /// The keys of the handshake message besides the content type.
    package var headers: [String: JSONValue]
    /// The greeting for the caller.
    package var talk: String?
    /// The required `Authorization` header of the upgrade request.
    package var authorization: Authorization

    /// The kinds of `Authorization` header required in the upgrade request.
    package enum Authorization: Hashable, Sendable {
        /// The carrier's signature, if a secret is configured.
        case signature
        /// The carrier's signature. Without a secret, the call fails.
        case requiredSignature
        /// This exact value.
        case custom(String)
    }

    /// Makes instructions without asking a webhook.
    package init(
        url: String, format: AudioFormat, headers: [String: JSONValue] = [:], talk: String? = nil,
        authorization: Authorization = .signature
    ) {
        self.url = url
        self.format = format
        self.headers = headers
        self.talk = talk
        self.authorization = authorization
    }

    /// Requests the instructions for a call from an answer webhook, as Vonage does: GET with a query, 200 with an NCCO.
    package static func ask(
        _ webhook: String, about call: CallFacts, as identity: CarrierIdentity = CarrierIdentity()
    ) async throws(CallerError) -> CallInstructions {
        guard var parts = URLComponents(string: webhook) else { throw CallerError("\(webhook) is not a URL") }
        if let mistake = parts.portMistake { throw CallerError("cannot request \(webhook): \(mistake)") }
        var query = parts.queryItems ?? []
        for (name, value) in [
            ("to", call.to), ("from", call.from), ("uuid", call.uuid), ("conversation_uuid", call.conversation),
        ] {
            if let value { query.append(URLQueryItem(name: name, value: value)) }
        }
        parts.queryItems = query
        // Servers would read a plus as a space.
        parts.percentEncodedQuery = parts.percentEncodedQuery?.replacing("+", with: "%2B")
        let body = try await fetch(parts.string ?? webhook, from: webhook, as: identity)
        do {
            return try CallInstructions(ncco: try JSONValue(parsing: Data(buffer: body)))
        } catch let error as JSONSyntaxError {
            throw CallerError("\(webhook) did not answer with JSON: \(error.reason)")
        } catch let error as CallerError {
            throw error
        } catch {
            throw CallerError("\(webhook) did not answer with an NCCO: \(error)")
        }
    }

    /// Fetches the text at an http or https address, such as a server's status.
    package static func text(at url: String) async throws(CallerError) -> String {
        if let mistake = URLComponents(string: url)?.portMistake {
            throw CallerError("cannot request \(url): \(mistake)")
        }
        return String(buffer: try await fetch(url, from: url, as: CarrierIdentity()))
    }

    /// Returns the body of a 2xx answer. Never retries, so that mistakes show at once.
    private static func fetch(_ url: String, from webhook: String, as identity: CarrierIdentity)
        async throws(CallerError) -> ByteBuffer
    {
        var configuration = HTTPClient.Configuration()
        configuration.tlsConfiguration = try identity.tlsConfiguration()
        var request = HTTPClientRequest(url: url)
        if let authorization = try await identity.authorization() {
            request.headers.add(name: "authorization", value: authorization)
        }
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.redirectConfiguration = .disallow
        if let host = URLComponents(string: url)?.host, ListenAddress.reaching(host) != host {
            configuration.dnsOverride = [host: ListenAddress.reaching(host)]
        }
        do {
            return try await HTTPClient.withHTTPClient(configuration: configuration) { [request] client in
                let response = try await client.execute(request, timeout: .seconds(10))
                let body = try await response.body.collect(upTo: 1 << 20)
                guard (200..<300).contains(response.status.code) else {
                    throw CallerError(
                        "\(webhook) answered \(response.status): \(String(buffer: body).prefix(200))"
                            + identity.advice(onStatus: response.status.code)
                    )
                }
                return body
            }
        } catch let error as CallerError {
            throw error
        } catch {
            throw CallerError("cannot request the answer webhook \(webhook): \(reason(of: error))")
        }
    }

    /// Parses the first `connect` to a WebSocket in an NCCO, and the `talk` action.
    ///
    /// Errors never show the NCCO, because its token admits a call.
    init(ncco: JSONValue) throws(CallerError) {
        guard case .array(let actions) = ncco else {
            throw CallerError("the answer is not an NCCO, which is a list of actions")
        }
        guard let connect = actions.first(where: { $0["action"]?.string == "connect" }),
            case .array(let endpoints) = connect["endpoint"],
            let endpoint = endpoints.first, endpoint["type"]?.string == "websocket", let url = endpoint["uri"]?.string
        else { throw CallerError("the NCCO does not connect the call to a WebSocket") }
        let type = endpoint["content-type"] ?? .null
        do {
            format = try VonageDialect.format(of: type)
        } catch {
            throw CallerError("the NCCO requests audio that this carrier does not send: \(error.reason)")
        }
        self.url = url
        if case .object(let headers) = endpoint["headers"] { self.headers = headers } else { headers = [:] }
        switch (endpoint["authorization"]?["type"]?.string, endpoint["authorization"]?["value"]?.string) {
        case ("vonage", _): authorization = .requiredSignature
        case ("custom", let value?): authorization = .custom(value)
        case (nil, _): authorization = .signature
        default: throw CallerError("the NCCO requests an authorization that this carrier does not support")
        }
        talk = actions.first { $0["action"]?.string == "talk" }?["text"]?.string
    }
}

extension URLComponents {
    /// The reason why the port is invalid; nil if it is valid or absent. The libraries below accept every number,
    /// and some numbers crash the program.
    package var portMistake: String? {
        guard let port, !(1...65535).contains(port) else { return nil }
        return "the port \(port) is not in 1...65535"
    }
}
