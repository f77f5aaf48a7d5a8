import CallreelCore
import Foundation

/// When a destination fails.
private enum Fault: String, CaseIterable {
    case fromTheStart = "a destination that is full from the start"
    case fromTheMiddle = "a destination that becomes full in the middle"
    case forAWhile = "a destination that is full for two chunks in the middle"
    case atTheEnd = "a destination that is full when the call ends"
}

extension Bench where Sink: ~Copyable {
    /// Places where no file can be made, and places where one stands.
    mutating func checkOpening(_ take: Take) async {
        let call = take.call
        let gone = sandbox.room(withDirectory: false), blocked = sandbox.room(withDirectory: false)
        // Not a matter of permissions, which do not hold for root.
        put(Data(), blocked.path + "/partial")
        for (what, room) in [("the directory has gone", gone), ("a file stands where a directory should", blocked)] {
            do throws(LifeError) {
                let receipt = try await Life<Sink>.run(options, room.context(call.format), call.chunks(call.even))
                note(.refusal, "\(what): there is a receipt of \(receipt.frames) frames", call.format)
            } catch {
                checkBlame(error, what, call.format)
            }
        }
        let taken = sandbox.room(), precious = Data("precious".utf8)
        for file in take.outcome.files { put(precious, taken.file(file.name)) }
        _ = try? await Life<Sink>.run(options, taken.context(call.format), call.chunks(call.even))
        for file in take.outcome.files where contents(taken.file(file.name)) != precious {
            note(.noOverwriting, "\(file.name) stood there before the sink was opened, and holds something else now", call.format)
        }
    }

    /// Destinations that fail at various moments.
    mutating func checkFailures(_ take: Take) async throws(SinkContractError) {
        let full = try Replacement.full(), unsyncable = try Replacement.unsyncable()
        let call = call(frames: max(take.call.frames, 4 * plan.heldFrames), take.call.format)
        let chunks = call.chunks(call.even)
        var references: [[LeftFile]] = []
        for _ in 0..<2 {
            guard let outcome = try? await record(call, chunks, checkpoints: true) else { return }
            references.append(outcome.files)
        }
        let half = chunks[chunks.count / 2].start.frames, later = chunks[min(chunks.count / 2 + 2, chunks.count - 1)].start.frames
        for fault in Fault.allCases {
            let room = sandbox.room()
            let substitution = Substitution(below: room.directory, by: full.number)
            let context = room.context(call.format, onCreate: { if fault == .fromTheStart { substitution.apply() } })
            do throws(LifeError) {
                let receipt = try await Life<Sink>.run(options, context, chunks, checkpoints: true) { moment in
                    switch (fault, moment) {
                    case (.fromTheMiddle, .chunk(after: half)), (.forAWhile, .chunk(after: half)), (.atTheEnd, .finish): substitution.apply()
                    case (.forAWhile, .chunk(after: later)): substitution.undo()
                    default: break
                    }
                }
                // What was written in another way than through the descriptors that were taken away is where it should be.
                if let loss = Self.loss(Life<Sink>.files(context), references) {
                    note(.noSwallowing, "\(fault.rawValue): there is a receipt of \(receipt.frames) frames, and \(loss)", call.format)
                }
            } catch {
                checkBlame(error, fault.rawValue, call.format)
                let before = [Fault.fromTheStart: 0, .fromTheMiddle: half, .forAWhile: half, .atTheEnd: call.frames][fault] ?? 0
                guard before > 0, !isBroken(SinkContractRule.repair + [.checkpointHolds]) else { continue }
                let least = max(0, before - plan.heldFrames), standing = Take(call: call, outcome: take.outcome)
                checkStanding(context.createdFiles, in: room, standing, frames: least...call.frames, fault.rawValue, .failedFiles)
            }
        }
        await checkDurability(call, unsyncable)
    }

    /// A destination that takes everything and keeps nothing: whoever asks for stable storage at the end is told so.
    private mutating func checkDurability(_ call: TestCall, _ unsyncable: Replacement) async {
        let room = sandbox.room()
        let substitution = Substitution(below: room.directory, by: unsyncable.number)
        do throws(LifeError) {
            let receipt = try await Life<Sink>.run(options, room.context(call.format), call.chunks(call.even)) { moment in
                if moment == .finish { substitution.apply() }
            }
            if substitution.isEmpty { return }
            note(.durability, "a destination that cannot be synced: there is a receipt of \(receipt.frames) frames", call.format)
        } catch {
            checkBlame(error, "a destination that cannot be synced", call.format)
        }
    }

    /// A destination that takes little at a time. Sinks that have to seek fail there, which is allowed; others must wait.
    mutating func checkSlowness(_ take: Take) async throws(SinkContractError) {
        let call = call(frames: 24_000, take.call.format)
        let chunks = call.chunks([997])
        guard let one = try? await record(call, chunks), let two = try? await record(call, chunks), let file = one.files.first,
            one.files.count == 1, file.data == two.files.first?.data
        else { return }
        let reader = try SlowReader()
        let room = sandbox.room()
        let context = room.context(call.format) { Substitution(below: room.directory, by: reader.input).apply() }
        let ending: String
        do throws(LifeError) {
            let receipt = try await Life<Sink>.run(options, context, chunks)
            ending = "there is a receipt of \(receipt.frames) frames"
        } catch {
            ending = error.description
        }
        let arrived = reader.finish()
        if !file.data.starts(with: arrived) || ending.hasPrefix("there is a receipt") && arrived != file.data {
            let same = zip(arrived, file.data).prefix { $0 == $1 }.count
            note(.slowness, "of \(file.data.count) bytes \(arrived.count) arrive, and only \(same) as they should; \(ending)", call.format)
        }
    }

    private mutating func checkBlame(_ failure: LifeError, _ what: String, _ format: AudioFormat) {
        if failure.error.blame != .destination { note(.blame, "\(what): \(failure.error.blame.rawValue) is blamed; \(failure)", format) }
        if failure.error.reason.allSatisfy(\.isWhitespace) { note(.blame, "\(what): the error of \(failure.verb.rawValue) has no reason", format) }
    }

    /// What is missing in files that should be like these ones: nil when nothing is, as far as can be told.
    private static func loss(_ files: [LeftFile], _ references: [[LeftFile]]) -> String? {
        if files.map(\.name) != references[0].map(\.name) { return "the files are \(files.map(\.name))" }
        for (index, file) in files.enumerated() {
            let whole = references[0][index], again = references[1][index]
            if file.data == whole.data { continue }
            if let samples = file.audio?.samples, let wanted = whole.audio, wanted.file.isLossless, samples == wanted.samples { continue }
            // A file that is never the same, and cannot be decoded into samples, says no more than whether it is empty.
            if whole.data != again.data, whole.audio?.file.isLossless != true, !file.data.isEmpty { continue }
            return "\(file.name) is not what it should be: \(file.data.count) bytes, where \(whole.data.count) would be right"
        }
        return nil
    }
}
