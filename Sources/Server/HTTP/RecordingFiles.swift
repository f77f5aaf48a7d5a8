import CallreelArchive
import CallreelCore
import CallreelEngine
import Foundation
import HTTPTypes
import Hummingbird

/// Serves the files of published recordings over HTTP, and no other file on the disk.
///
/// A request names a recording, a sink and a file, and Callreel looks them up in the index.
/// No path on the disk is built from a URL, so no spelling of a URL leads elsewhere.
/// Of the sinks' own directories, only those configured now are served.
struct RecordingFiles: Sendable {
    /// Old URL prefix for files, followed by the path under the recordings directory. Such links still work.
    static let oldPath = "/recordings"

    private let recorder: Recorder
    private let index: RecordingIndex
    private let directory: String
    /// The own directories of the configured sinks, as manifests name them.
    private let roots: Set<String>

    /// Prepares to serve a recorder's files. Touches no disk, because a failed disk of one sink must not keep the
    /// server from starting.
    init(_ recorder: Recorder, _ index: RecordingIndex) {
        self.recorder = recorder
        self.index = index
        directory = recorder.store.directory
        let named = recorder.plans.flatMap { [$0.envelope.directory, $0.envelope.fallback] }
        roots = Set(named.compactMap { $0.map(recorder.store.absolute) })
    }

    // MARK: - URLs

    /// Returns the URL path of a recording's manifest.
    static func manifestURL(of recording: Recording) -> String { "/api/recordings/\(recording.id)/manifest" }

    /// Returns the URL path of a file; nil if the file is not served.
    func url(of file: Recording.File, sink: Recording.Sink, recording: Recording) -> String? {
        guard path(of: file) != nil else { return nil }
        return
            "/api/recordings/\(recording.id)/files/\(Self.encoded(sink.name))/"
            + Self.encoded(Self.lastComponent(file.name))
    }

    private static func encoded(_ text: String) -> String {
        let unreserved = CharacterSet(
            charactersIn: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~")
        return text.addingPercentEncoding(withAllowedCharacters: unreserved) ?? text
    }

    private static func lastComponent(_ name: String) -> String {
        name.split(separator: "/").last.map(String.init) ?? name
    }

    // MARK: - Routes

    /// Adds `GET /api/recordings/ID/manifest`, `GET /api/recordings/ID/files/SINK/NAME`, and the paths of old links.
    func add(to router: Router<RequestScope>) {
        router.get("/api/recordings/:id/manifest") { request, context in
            let recording = try recording(context)
            return try await serve(
                Place(path: manifestPath(of: recording), root: nil), "application/json; charset=utf-8", request, context
            )
        }
        router.get("/api/recordings/:id/files/:sink/:name") { request, context in
            let recording = try recording(context)
            guard let sink = context.parameters.get("sink")?.removingPercentEncoding,
                let name = context.parameters.get("name")?.removingPercentEncoding,
                let sink = recording.sinks.first(where: { $0.name == sink }),
                let file = sink.files.first(where: { Self.lastComponent($0.name) == name }), let path = path(of: file)
            else { throw Self.missing }
            return try await serve(
                Place(path: path, root: file.directory), mediaType(of: file, sink: sink), request, context)
        }
        router.get(RouterPath(Self.oldPath + "/**")) { request, context in
            guard let (path, type) = old(request.uri.path) else { throw Self.missing }
            return try await serve(Place(path: path, root: nil), type, request, context)
        }
    }

    private static let missing = HTTPError(.notFound, message: "no recording has this file")

    private func recording(_ context: RequestScope) throws -> Recording {
        guard let recording = context.parameters.get("id").flatMap(RecordingID.init).flatMap(index.recording) else {
            throw Self.missing
        }
        return recording
    }

    /// Returns the file for an old link, which contains a path under the recordings directory.
    private func old(_ path: String) -> (path: String, type: String)? {
        guard let name = String(path.dropFirst(Self.oldPath.count + 1)).removingPercentEncoding else { return nil }
        // A recording has the name of its files without the part after a dot.
        var stem = name[...]
        while let dot = stem.lastIndex(of: "."), !stem[dot...].contains("/") {
            stem = stem[..<dot]
            guard let recording = index.recording(named: String(stem)) else { continue }
            if name == recording.name + ".json" {
                return (manifestPath(of: recording), "application/json; charset=utf-8")
            }
            for sink in recording.sinks {
                for file in sink.files where file.name == name && file.directory == nil {
                    return self.path(of: file).map { ($0, mediaType(of: file, sink: sink)) }
                }
            }
        }
        return nil
    }

    private func manifestPath(of recording: Recording) -> String { "\(directory)/\(recording.name).json" }

    /// Returns the path of a file. Returns nil if its directory belongs to no configured sink,
    /// or its name cannot be that of a recording's file.
    private func path(of file: Recording.File) -> String? {
        if let root = file.directory, !roots.contains(root) { return nil }
        let parts = file.name.split(separator: "/", omittingEmptySubsequences: false)
        // A manifest is a file, too, and may have any content.
        guard !file.name.contains("\0"), parts.allSatisfy({ !$0.isEmpty && !$0.hasPrefix(".") }) else { return nil }
        return "\(file.directory ?? directory)/\(file.name)"
    }

    /// A file, and the directory above it: a sink's own directory, or nil for the recordings directory.
    private struct Place {
        let path: String
        let root: String?
    }

    private func serve(_ place: Place, _ type: String, _ request: Request, _ context: RequestScope) async throws
        -> Response
    {
        let reader = recorder.reader(of: place.root)
        let file: ServedFile?
        do throws(DiskError) {
            file = try await reader.read { ServedFile(place.path, reader) }
        } catch {
            throw HTTPError(.serviceUnavailable, message: "the disk of this file does not answer")
        }
        guard let file else { throw Self.missing }
        return file.response(to: request, mediaType: type)
    }

    // MARK: - Media types

    /// Returns the media type of a sink's file, with the codec if browsers need it.
    func mediaType(of file: Recording.File, sink: Recording.Sink) -> String {
        let ending = file.name.pathExtension.lowercased()
        // This sink writes only Vorbis to files with this ending.
        if ending == "ogg", sink.type == "sndfile" { return "audio/ogg; codecs=vorbis" }
        return Self.mediaTypes[ending] ?? "application/octet-stream"
    }

    /// Media types by file name extension, as browsers and players know them.
    /// Raw audio is absent, because no type tells its byte order.
    /// Programs may write any file, so no type is listed that a browser would execute.
    private static let mediaTypes = [
        "wav": "audio/wav", "flac": "audio/flac", "mp3": "audio/mpeg", "opus": "audio/ogg; codecs=opus",
        "ogg": "audio/ogg", "oga": "audio/ogg",
        "m4a": "audio/mp4", "aac": "audio/aac", "weba": "audio/webm", "webm": "audio/webm", "caf": "audio/x-caf",
        "aiff": "audio/aiff",
        "aif": "audio/aiff", "au": "audio/basic", "json": "application/json; charset=utf-8",
        "txt": "text/plain; charset=utf-8",
        "vtt": "text/vtt; charset=utf-8", "srt": "text/plain; charset=utf-8", "csv": "text/csv; charset=utf-8",
    ]
}
