import CallreelCore
import Foundation

extension Bench where Sink: ~Copyable {
    /// Checks that checkpoints change nothing, with one at every possible place.
    mutating func checkCheckpoints(_ take: Take) async {
        let call = take.call
        await compare(
            take, call.chunks(call.even), checkpoints: true, "with a checkpoint at the beginning and after every chunk",
            .harmlessCheckpoint)
    }

    /// Checks the files of a program that dies after a checkpoint: once as they were at the checkpoint,
    /// once after the sink's release.
    mutating func checkUnfinishedFiles(_ take: Take) async {
        // Longer than the frames that the sink may hold back.
        let call = call(frames: max(take.call.frames, 3 * plan.heldFrames), take.call.format)
        let take = Take(call: call, outcome: take.outcome)
        let chunks = call.chunks([319, 1, 160, 777, 2, 41])
        for count in Set([1, max(1, chunks.count * 2 / 3), chunks.count]).sorted() where count <= chunks.count {
            let room = sandbox.room(), copy = sandbox.room()
            let context = room.context(call.format)
            var checkpointed = 0
            do throws(LifeError) {
                try await Life<Sink>.abandon(options, context, chunks, checkpointAfter: count) { frames in
                    checkpointed = frames
                    // A killed process leaves the bytes that the system has now.
                    for name in context.createdFiles {
                        try? FileManager.default.copyItem(atPath: room.file(name), toPath: copy.file(name))
                    }
                }
            } catch {
                note(
                    .anyCall, "a call of \(call.frames) frames in uneven chunks ends with an error; \(error)",
                    call.format)
                return
            }
            let least = max(0, checkpointed - plan.heldFrames)
            let names = context.createdFiles.filter { FileManager.default.fileExists(atPath: copy.file($0)) }
            checkStanding(
                names, in: copy, take, frames: least...max(least, checkpointed),
                "killed at a checkpoint after \(checkpointed) frames",
                .checkpointHolds)
            checkStanding(
                context.createdFiles, in: room, take, frames: least...max(least, call.frames),
                "released after a checkpoint at \(checkpointed) frames and \(call.frames) in all", .checkpointHolds)
        }
    }
}
