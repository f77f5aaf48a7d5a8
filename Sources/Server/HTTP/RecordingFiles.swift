import CallreelCore
import Foundation
import Hummingbird
import Logging
import NIOPosix

/// The published files, and nothing else of the disk, for `GET /recordings/…`.
///
/// What is served is decided by where a path really leads, after every link is followed, not by how it is spelt.
struct RecordingFiles: FileProvider {
    /// The path under which files are served.
    static let basePath = "/recordings"

    private let directory: String
    private let files: LocalFileSystem

    /// Serves the files under a directory.
    init(directory: String, logger: Logger) {
        self.directory = directory
        var quiet = logger
        quiet.logLevel = .error
        files = LocalFileSystem(rootFolder: directory, threadPool: .singleton, logger: quiet)
    }

    /// The media type of a file, from its ending.
    static func mediaType(of name: String) -> String {
        let ending = (name as NSString).pathExtension.lowercased()
        return mediaTypes[ending]?.description ?? MediaType.getMediaType(forExtension: .init(ending))?.description ?? "application/octet-stream"
    }

    /// Types that browsers and players know these endings by. Raw audio has no type that says its byte order.
    private static let mediaTypes: [String: MediaType] = [
        "wav": MediaType(type: .audio, subType: "wav"),
        "flac": MediaType(type: .audio, subType: "flac"),
        "raw": MediaType(type: .application, subType: "octet-stream"),
    ]

    /// The URL path of a published file.
    static func url(of name: String) -> String {
        var allowed = CharacterSet.urlPathAllowed
        allowed.remove(charactersIn: ";+")
        return "\(basePath)/" + (name.addingPercentEncoding(withAllowedCharacters: allowed) ?? name)
    }

    /// The middleware that serves the files, with ranges, entity tags and conditional requests.
    func middleware() -> FileMiddleware<RequestScope, RecordingFiles> {
        FileMiddleware(fileProvider: self, urlBasePath: Self.basePath).withAdditionalMediaTypes(forFileExtensions: Self.mediaTypes)
    }

    /// A file's length, if the URL path is one of ours.
    fileprivate func byteCount(of path: String) async throws -> Int? {
        guard path.hasPrefix(Self.basePath + "/"), let decoded = path.removingPercentEncoding,
            let id = getFileIdentifier(String(decoded.dropFirst(Self.basePath.count)))
        else { return nil }
        return try await getAttributes(id: id)?.size
    }

    // MARK: - FileProvider

    func getFileIdentifier(_ path: String) -> String? {
        // Hidden names are unfinished recordings and our own probes; a NUL would end the path early.
        guard !path.contains("\0"), !path.split(separator: "/").contains(where: { $0.hasPrefix(".") }) else { return nil }
        return files.getFileIdentifier(path)
    }

    func getAttributes(id: String) async throws -> LocalFileSystem.FileAttributes? {
        let directory = directory
        let isInside = try await NIOThreadPool.singleton.runIfActive {
            guard let root = Self.realPath(directory), let file = Self.realPath(id) else { return false }
            return file.hasPrefix(root + "/")
        }
        guard isInside, let attributes = try await files.getAttributes(id: id), !attributes.isFolder else { return nil }
        return attributes
    }

    func loadFile(id: String, context: some RequestContext) async throws -> ResponseBody {
        try await files.loadFile(id: id, context: context)
    }

    func loadFile(id: String, range: ClosedRange<Int>, context: some RequestContext) async throws -> ResponseBody {
        try await files.loadFile(id: id, range: range, context: context)
    }

    /// Where a path leads after every link and `..`; nil if nothing is there. Blocks.
    private static func realPath(_ path: String) -> String? {
        guard let resolved = unsafe realpath(path, nil) else { return nil }
        defer { unsafe free(resolved) }
        return unsafe String(cString: resolved)
    }
}

/// Brings `Range` headers into the one form that the file middleware understands (RFC 9110, section 14).
///
/// The last N bytes become a range from a first byte on, a range outside the file is answered with 416, and what may be
/// ignored, such as several ranges at once, is ignored.
struct NormalizedRange: RouterMiddleware {
    typealias Context = RequestScope

    let files: RecordingFiles

    func handle(
        _ request: Request, context: RequestScope, next: @concurrent (Request, RequestScope) async throws -> Response
    ) async throws -> Response {
        guard let range = request.headers[.range], let size = try await files.byteCount(of: request.uri.path) else {
            return try await next(request, context)
        }
        var head = request.head
        let bounds = range.dropFirst("bytes=".count).split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
        let isSingle = range.hasPrefix("bytes=") && bounds.count == 2 && !range.contains(",")
        switch (isSingle, bounds.first ?? nil, bounds.last ?? nil) {
        case (true, let first?, let last) where first < size && (last ?? first) >= first:
            head.headerFields[.range] = "bytes=\(first)-\(min(last ?? size - 1, size - 1))"
        case (true, nil, let count?) where count > 0 && size > 0:
            head.headerFields[.range] = "bytes=\(max(0, size - count))-\(size - 1)"
        case (true, let first, let last) where first != nil || last != nil:
            return Response(status: .rangeNotSatisfiable, headers: [.contentRange: "bytes */\(size)"])
        default:
            head.headerFields[.range] = nil
        }
        return try await next(Request(head: head, body: request.body), context)
    }
}
