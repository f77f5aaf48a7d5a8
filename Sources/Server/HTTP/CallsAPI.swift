import CallreelArchive
import CallreelCore
import CallreelEngine
import CallreelNetwork
import Foundation
import HTTPTypes
import Hummingbird

/// The page's JSON interface. Lists running calls and finished recordings, and pauses or resumes running calls.
struct CallsAPI: Sendable {
    /// Largest number of recordings in one answer.
    static let pageLimit = 200

    /// The ways by which calls reach the server, for an operator who sets it up.
    struct Access: Sendable {
        /// The address of the first answer webhook; nil if no carrier has one.
        let answerURL: @Sendable () -> String?
        /// The shell command that places a test call; nil if no carrier has an answer webhook.
        let testCommand: @Sendable () -> String?
        let tunnels: TunnelHint
    }

    let recorder: Recorder
    let index: RecordingIndex
    let admission: Admission
    let files: RecordingFiles
    let access: Access

    /// Adds `GET /api/calls?limit=…&offset=…`, and `POST /api/calls/ID/pause` and `…/resume`.
    func add(to router: Router<RequestScope>) {
        router.get("/api/calls") { request, _ in
            let limit = try number("limit", in: request, standard: 50, range: 1...Self.pageLimit)
            let offset = try number("offset", in: request, standard: 0, range: 0...Int(Int32.max))
            return try json(answer(limit: limit, offset: offset))
        }
        router.post("/api/calls/:id/pause") { request, context in try pause(true, request, context) }
        router.post("/api/calls/:id/resume") { request, context in try pause(false, request, context) }
    }

    /// Pauses or resumes the recording of a running call, and returns the call's state.
    private func pause(_ isPaused: Bool, _ request: Request, _ context: RequestScope) throws -> Response {
        // A browser also sends its password with requests from pages of other sites.
        // `Sec-Fetch-Site` tells them apart (Fetch Metadata Request Headers).
        if let site = HTTPField.Name("Sec-Fetch-Site").flatMap({ request.headers[$0] }), site != "same-origin",
            site != "none"
        {
            throw HTTPError(.forbidden, message: "a page of another site sent this")
        }
        let text = context.parameters.get("id") ?? ""
        guard let id = RecordingID(text), let session = recorder.liveCall(id) else {
            throw HTTPError(.notFound, message: "no call \(text.debugDescription) is running")
        }
        session.pause(isPaused)
        return try json(Self.live(session.snapshot))
    }

    private func number(_ name: String, in request: Request, standard: Int, range: ClosedRange<Int>) throws -> Int {
        guard let text = request.uri.queryParameters[Substring(name)] else { return standard }
        guard let number = Int(text), range.contains(number) else {
            throw HTTPError(
                .badRequest, message: "\(name) \(String(text).debugDescription) is not a whole number in \(range)")
        }
        return number
    }

    private func answer(limit: Int, offset: Int) -> JSONValue {
        let readiness = admission.readiness(recorder.readiness)
        let warnings = readiness.warnings + (access.tunnels.warning.map { [$0] } ?? [])
        return .object([
            "now": .string(Date().manifestText),
            "answerURL": Self.optional(access.answerURL()),
            "testCommand": Self.optional(access.testCommand()),
            "directory": .string(recorder.store.absolute(recorder.store.directory)),
            "live": .array(recorder.liveCalls.map(Self.live)),
            "recordings": .array(index.page(limit: limit, offset: offset).map(recording)),
            "total": .integer(index.count),
            "indexing": .boolean(index.isScanning),
            "obstacles": .array(readiness.obstacles.map { .string($0.reason) }),
            "warnings": .array(warnings.map(JSONValue.string)),
        ])
    }

    private static func live(_ call: CallSnapshot) -> JSONValue {
        let sinks = call.sinks.map { sink -> JSONValue in
            .object([
                "name": .string(sink.name), "type": .string(sink.type), "state": .string(sink.state.rawValue),
                "heldSeconds": .number((sink.heldSeconds * 10).rounded() / 10),
            ])
        }
        return .object([
            "id": .string(call.id.description), "carrier": .string(call.call.carrier), "from": optional(call.call.from),
            "to": optional(call.call.to),
            "uuid": optional(call.call.uuid),
            "startedAt": .string(call.startedAt.manifestText),
            "seconds": .number(call.format.seconds(frames: call.framesReceived)),
            "sampleRate": .integer(call.format.sampleRate), "channels": .integer(call.format.channels),
            "sinks": .array(sinks),
            "paused": .boolean(call.isPaused), "resuming": .boolean(call.isResuming),
            "maskedFrom": optional(call.maskedFrom),
            "clearFrom": optional(call.clearFrom),
            "stillRecording": .array(call.isPaused ? call.sinks.filter(\.recordsPauses).map { .string($0.name) } : []),
        ])
    }

    private func recording(_ recording: Recording) -> JSONValue {
        let served = recording.sinks.flatMap { sink in
            sink.files.map { file -> JSONValue in
                .object([
                    "sink": .string(sink.name), "type": .string(sink.type),
                    "url": Self.optional(files.url(of: file, sink: sink, recording: recording)),
                    "path": Self.optional(file.directory.map { "\($0)/\(file.name)" }),
                    "mediaType": .string(files.mediaType(of: file, sink: sink)), "bytes": .integer(file.bytes),
                    "seconds": file.frames.map { .number((sink.format ?? recording.format).seconds(frames: $0)) }
                        ?? .null,
                ])
            }
        }
        let problems =
            recording.sinks.filter { $0.state == .failed || $0.state == .stalled }.map { sink -> JSONValue in
                .string("\(sink.name): \(sink.state.rawValue)\(sink.error.map { ": \($0)" } ?? "")")
            }
            + recording.sinks.filter { $0.state == .complete && $0.error != nil }.map { sink -> JSONValue in
                .string("\(sink.name): is complete, but was interrupted: \(sink.error ?? "")")
            }
            + recording.sinks.filter { ($0.stalls ?? 0) > 0 }.map { sink -> JSONValue in
                .string(
                    "\(sink.name): stalled \(sink.stalls ?? 0) times, held the call back for \(sink.heldSeconds ?? 0) s"
                )
            }
            + recording.sinks.filter { $0.silence > 0 }.map { sink -> JSONValue in
                .string(
                    "\(sink.name): \(recording.format.seconds(frames: sink.silence)) s are silence because it stalled"
                )
            }
        return .object([
            "id": .string(recording.id.description), "name": .string(recording.name),
            "from": Self.optional(recording.call.from),
            "to": Self.optional(recording.call.to), "uuid": Self.optional(recording.call.uuid),
            "startedAt": .string(recording.startedAt.manifestText),
            "endedAt": .string(recording.endedAt.manifestText), "seconds": .number(recording.seconds),
            "sampleRate": .integer(recording.format.sampleRate), "channels": .integer(recording.format.channels),
            "endReason": .string(recording.endReason),
            "manifestURL": .string(RecordingFiles.manifestURL(of: recording)),
            "files": .array(served), "problems": .array(problems),
        ])
    }

    private static func optional(_ number: Int?) -> JSONValue { number.map(JSONValue.integer) ?? .null }

    private static func optional(_ text: String?) -> JSONValue { text.map(JSONValue.string) ?? .null }
}
