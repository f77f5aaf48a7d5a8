import CallreelCore
import CallreelEngine
import Logging

/// What the server does with calls: expects those that were announced, admits and records those that come, and keeps
/// events beside the audio.
struct CallDesk: Sendable {
    let recorder: Recorder
    let admission: Admission
    let logger: Logger

    /// Expects a call that a webhook's answer sends here.
    func expect(_ announcement: CarrierReply.Announcement, of entry: CarrierEntry) {
        let call = announcement.call
        recorder.expect(call)
        // Without a required signature any client can send this, so the log's rate is limited.
        admission.refusals.log(
            "announced", "call announced", level: .info,
            ["call.from": "\(call.from ?? "unknown")", "call.uuid": "\(call.uuid ?? "unknown")"])
        admission.expected.add(announcement.uuid, lifetime: entry.plan.envelope.tokenLifetime)
    }

    /// Keeps an event with its call.
    func note(_ event: CarrierReply.Event) async {
        if event.isEnd { admission.expected.remove(event.call.uuid) }
        logger.debug(
            "call event", metadata: ["event": "\(event.type)", "call.uuid": "\(event.call.uuid ?? "unknown")"])
        await recorder.note(event.type, data: event.data, of: event.call)
    }
}
