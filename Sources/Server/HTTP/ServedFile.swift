import CallreelCore
import HTTPTypes
import Hummingbird

/// A regular file as HTTP serves it: whole, in one range, or not at all where the client has it already (RFC 9110, sections 13 and 14).
struct ServedFile: Sendable {
    let path: String
    let size: Int
    /// Seconds since 1970.
    private let modified: Int
    /// Changes with every change of the file.
    let tag: String

    /// Looks at a file; nil where there is none. Blocks.
    init?(_ path: String) {
        guard let status = try? FileStatus(path), status.kind == .file else { return nil }
        self.path = path
        size = status.bytes
        modified = status.modified.seconds
        let parts = [status.identity.number, UInt64(truncatingIfNeeded: modified), UInt64(truncatingIfNeeded: status.modified.nanoseconds)]
        tag = "\"" + (parts + [UInt64(truncatingIfNeeded: size)]).map { String($0, radix: 16) }.joined(separator: "-") + "\""
    }

    /// Answers a GET or HEAD request.
    func response(to request: Request, mediaType: String, context: RequestScope) async throws -> Response {
        var headers: HTTPFields = [.eTag: tag, .lastModified: HTTPDate.text(modified), .acceptRanges: "bytes", .cacheControl: "private, no-cache"]
        if isKnown(to: request) { return Response(status: .notModified, headers: headers) }
        headers[.contentType] = mediaType
        switch range(of: request) {
        case .whole:
            headers[.contentLength] = "\(size)"
            guard request.method == .get, size > 0 else { return Response(status: .ok, headers: headers) }
            return Response(status: .ok, headers: headers, body: try await FileIO().loadFile(path: path, range: 0...(size - 1), context: context))
        case .part(let bytes):
            headers[.contentLength] = "\(bytes.count)"
            headers[.contentRange] = "bytes \(bytes.lowerBound)-\(bytes.upperBound)/\(size)"
            return Response(
                status: .partialContent, headers: headers, body: try await FileIO().loadFile(path: path, range: bytes, context: context))
        case .outside:
            return Response(status: .rangeNotSatisfiable, headers: [.contentRange: "bytes */\(size)"])
        }
    }

    // MARK: - Conditions

    /// Whether the client has the file as it is. Its tag counts before its time.
    private func isKnown(to request: Request) -> Bool {
        let tags = request.headers[values: .ifNoneMatch].flatMap { $0.split(separator: ",") }
        guard tags.isEmpty else {
            return tags.contains { text in
                let text = text.filter { $0 != " " && $0 != "\t" }
                return text == "*" || text == tag || text == "W/" + tag
            }
        }
        guard let since = request.headers[.ifModifiedSince].flatMap(HTTPDate.seconds) else { return false }
        return modified <= since
    }

    // MARK: - Ranges

    private enum Range {
        case whole
        case part(ClosedRange<Int>)
        case outside
    }

    /// What a request asks for. Several ranges at once, other units and what cannot be read are ignored, as they may be.
    private func range(of request: Request) -> Range {
        guard request.method == .get, let text = request.headers[.range], text.hasPrefix("bytes="), !text.contains(",") else { return .whole }
        if let condition = request.headers[.ifRange], condition != tag, condition != HTTPDate.text(modified) { return .whole }
        let bounds = text.dropFirst("bytes=".count).split(separator: "-", omittingEmptySubsequences: false)
        guard bounds.count == 2, bounds.allSatisfy({ $0.allSatisfy { $0.isASCII && $0.isNumber } }) else { return .whole }
        // A number that is too large for us is larger than every file.
        let numbers = bounds.map { $0.isEmpty ? nil : Int($0) ?? Int.max }
        switch (numbers[0], numbers[1]) {
        case (nil, nil): return .whole
        case (nil, let count?): return count > 0 && size > 0 ? .part(max(0, size - count)...(size - 1)) : .outside
        case (let first?, let last):
            if let last, last < first { return .whole }
            return first < size ? .part(first...min(last ?? Int.max, size - 1)) : .outside
        }
    }
}
