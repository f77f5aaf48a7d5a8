import CallreelCore
import CallreelEngine
import HTTPTypes
import Hummingbird
import NIOCore

/// A regular file as an HTTP response (RFC 9110, sections 13 and 14).
/// The response has the whole file, one range, or status 304 if the client already has the file.
struct ServedFile: Sendable {
    /// Number of bytes in one read.
    private static let chunkSize = 128 * 1024

    private let path: String
    private let reader: DirectoryReader
    let size: Int
    /// Time of the last change, in seconds since 1970.
    private let modified: Int
    /// The entity tag. It changes with every change of the file.
    let tag: String

    /// Examines a file. Returns nil if there is no regular file at the path. Blocks.
    /// - Parameter reader: the reader for the file's content.
    init?(_ path: String, _ reader: DirectoryReader) {
        guard let status = try? FileStatus(path), status.kind == .file else { return nil }
        self.path = path
        self.reader = reader
        size = status.bytes
        modified = status.modified.seconds
        let parts = [
            status.identity.number, UInt64(truncatingIfNeeded: modified),
            UInt64(truncatingIfNeeded: status.modified.nanoseconds),
        ]
        tag =
            "\"" + (parts + [UInt64(truncatingIfNeeded: size)]).map { String($0, radix: 16) }.joined(separator: "-")
            + "\""
    }

    /// Answers a GET or HEAD request.
    func response(to request: Request, mediaType: String) -> Response {
        var headers: HTTPFields = [
            .eTag: tag, .lastModified: HTTPDate.text(modified), .acceptRanges: "bytes",
            .cacheControl: "private, no-cache",
        ]
        if isKnown(to: request) { return Response(status: .notModified, headers: headers) }
        headers[.contentType] = mediaType
        switch range(of: request) {
        case .whole:
            headers[.contentLength] = "\(size)"
            guard request.method == .get, size > 0 else { return Response(status: .ok, headers: headers) }
            return Response(status: .ok, headers: headers, body: body(0...(size - 1)))
        case .part(let bytes):
            headers[.contentLength] = "\(bytes.count)"
            headers[.contentRange] = "bytes \(bytes.lowerBound)-\(bytes.upperBound)/\(size)"
            return Response(status: .partialContent, headers: headers, body: body(bytes))
        case .outside:
            return Response(status: .rangeNotSatisfiable, headers: [.contentRange: "bytes */\(size)"])
        }
    }

    /// Returns the bytes of a range as a response body. If the file cannot be read to its end, the response breaks off,
    /// so that the client does not take a part for the whole.
    private func body(_ bytes: ClosedRange<Int>) -> ResponseBody {
        ResponseBody(contentLength: bytes.count) { [path, reader] writer in
            let file = try await reader.read { () throws(DiskError) in try OpenFile(path, closer: reader) }
            var position = bytes.lowerBound
            while position <= bytes.upperBound {
                let (start, count) = (position, min(Self.chunkSize, bytes.upperBound - position + 1))
                let chunk = try await reader.read { () throws(DiskError) in try file.read(count, at: start) }
                try await writer.write(ByteBuffer(bytes: chunk))
                position += chunk.count
            }
            try await writer.finish(nil)
        }
    }

    // MARK: - Conditions

    /// Returns true if the client already has the present file. The tag takes precedence over the time.
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

    /// Returns the requested part of the file. Ignores multiple ranges, other units and malformed ranges,
    /// as RFC 9110 permits.
    private func range(of request: Request) -> Range {
        guard request.method == .get, let text = request.headers[.range], text.hasPrefix("bytes="), !text.contains(",")
        else { return .whole }
        if let condition = request.headers[.ifRange], condition != tag, condition != HTTPDate.text(modified) {
            return .whole
        }
        let bounds = text.dropFirst("bytes=".count).split(separator: "-", omittingEmptySubsequences: false)
        guard bounds.count == 2, bounds.allSatisfy({ $0.allSatisfy { $0.isASCII && $0.isNumber } }) else {
            return .whole
        }
        // A number too large for `Int` is beyond the end of every file.
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
