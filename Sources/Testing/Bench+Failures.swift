import CallreelCore
import Foundation

/// The way and the time in which a destination fails.
private struct Fault: CustomStringConvertible {
    enum Time: String, CaseIterable {
        case whileOpening = "while the sink opens"
        case fromTheStart = "from the start"
        case fromTheMiddle = "from the middle on"
        case forAWhile = "from the middle on, and has free space again when the call ends"
        case atTheEnd = "when the call ends"
    }

    let time: Time
    /// True if the destination takes no byte but can be synced, so a sink that checks only the end sees no error.
    /// A full destination cannot be synced either.
    let isQuiet: Bool

    static let all = Time.allCases.flatMap { [Fault(time: $0, isQuiet: false), Fault(time: $0, isQuiet: true)] }

    var description: String {
        "a destination that \(isQuiet ? "refuses bytes, but can be synced," : "is full") \(time.rawValue)"
    }
}

/// The result of a call written into a pipe.
private struct Poured {
    var isReceipt = false
    var ending = ""
    var arrived = Data()
    /// The bytes in the sink's first file, if there are any.
    var standing: Data?
}

extension Bench where Sink: ~Copyable {
    /// Checks destinations where no file can be created, and destinations where the file already exists.
    mutating func checkOpening(_ take: Take) async {
        let call = take.call
        let gone = sandbox.room(withDirectory: false), blocked = sandbox.room(withDirectory: false)
        // Not done with permissions, which do not bind root.
        put(Data(), blocked.path + "/partial")
        for (what, room) in [("the directory is missing", gone), ("a file is in place of a directory", blocked)] {
            do throws(LifeError) {
                let receipt = try await Life<Sink>.run(options, room.context(call.format), call.chunks(call.even))
                note(.refusal, "\(what): the sink returns a receipt of \(receipt.frames) frames", call.format)
            } catch {
                checkBlame(error, what, call.format)
            }
        }
        let taken = sandbox.room(), precious = Data("precious".utf8)
        for file in take.outcome.files { put(precious, taken.file(file.name)) }
        _ = try? await Life<Sink>.run(options, taken.context(call.format), call.chunks(call.even))
        for file in take.outcome.files where contents(taken.file(file.name)) != precious {
            note(
                .noOverwriting, "\(file.name) existed before the sink opened, and has another content now",
                call.format)
        }
    }

    /// Checks destinations that fail at various times.
    mutating func checkFailures(_ take: Take) async throws(SinkContractError) {
        let full = try Replacement.full(), unsyncable = try Replacement.unsyncable()
        try Replacement.checkReadOnly(sandbox.room().file("read-only"))
        let call = call(frames: max(take.call.frames, 4 * plan.heldFrames), take.call.format)
        let chunks = call.chunks(call.even)
        var references: [[LeftFile]] = []
        for _ in 0..<2 {
            guard let outcome = try? await record(call, chunks, checkpoints: true) else { return }
            references.append(outcome.files)
        }
        let half = chunks[chunks.count / 2].start.frames
        // True if the sink writes in another way than through its open descriptors, such as with its own program.
        var isElsewhere = false
        for fault in Fault.all {
            let room = sandbox.room()
            let substitution = Substitution(
                below: room.directory, by: fault.isQuiet ? .readOnly : .descriptor(full.number),
                canBeUndone: [.whileOpening, .forAWhile].contains(fault.time))
            let isAtOnce = [.whileOpening, .fromTheStart].contains(fault.time)
            let context = room.context(call.format, onCreate: { if isAtOnce { substitution.apply() } })
            do throws(LifeError) {
                let receipt = try await Life<Sink>.run(options, context, chunks, checkpoints: true) { moment in
                    switch (fault.time, moment) {
                    case (.fromTheMiddle, .chunk(after: half)), (.forAWhile, .chunk(after: half)), (.atTheEnd, .finish):
                        substitution.apply()
                    case (.forAWhile, .finish), (.whileOpening, .chunk(after: 0)): substitution.undo()
                    default: break
                    }
                }
                if let loss = Self.loss(Life<Sink>.files(context), references) {
                    note(
                        .noSwallowing, "\(fault): the sink returns a receipt of \(receipt.frames) frames, but \(loss)",
                        call.format)
                } else if fault.time == .fromTheStart {
                    isElsewhere = true
                }
            } catch {
                checkBlame(error, fault.description, call.format)
                let before =
                    [Fault.Time.fromTheMiddle: half, .forAWhile: half, .atTheEnd: call.frames][fault.time] ?? 0
                guard before > 0, !isBroken(SinkContractRule.repair + [.checkpointHolds]) else { continue }
                let least = max(0, before - plan.heldFrames), standing = Take(call: call, outcome: take.outcome)
                checkStanding(
                    context.createdFiles, in: room, standing, frames: least...call.frames, fault.description,
                    .failedFiles)
            }
        }
        // A sink that writes in another way also syncs in another way.
        if !isElsewhere { await checkDurability(call, unsyncable) }
    }

    /// Checks a destination that takes everything and keeps nothing. A sink must report the error if it asks
    /// for stable storage at the end.
    private mutating func checkDurability(_ call: TestCall, _ unsyncable: Replacement) async {
        let room = sandbox.room()
        let substitution = Substitution(below: room.directory, by: .descriptor(unsyncable.number))
        do throws(LifeError) {
            let receipt = try await Life<Sink>.run(options, room.context(call.format), call.chunks(call.even)) {
                moment in
                if moment == .finish { substitution.apply() }
            }
            if substitution.isEmpty { return }
            note(
                .durability,
                "a destination that cannot be synced: the sink returns a receipt of \(receipt.frames) frames",
                call.format)
        } catch {
            checkBlame(error, "a destination that cannot be synced", call.format)
        }
    }

    /// Checks that a slow destination gets the same bytes as a fast one. Sinks that have to seek may fail at both.
    mutating func checkSlowness(_ take: Take) async throws(SinkContractError) {
        let call = call(frames: 24_000, take.call.format)
        let chunks = call.chunks([997])
        guard let one = try? await record(call, chunks), let two = try? await record(call, chunks),
            let file = one.files.first,
            one.files.count == 1, file.data == two.files.first?.data
        else { return }
        let quick = try await pour(call, chunks, isSlow: false), slow = try await pour(call, chunks, isSlow: true)
        let isLost = slow.isReceipt && slow.arrived != file.data && slow.standing != file.data
        if isLost || slow.isReceipt != quick.isReceipt || slow.arrived != quick.arrived {
            let wanted = quick.isReceipt ? file.data : quick.arrived
            let same = zip(slow.arrived, wanted).prefix { $0 == $1 }.count
            note(
                .slowness,
                "of \(wanted.count) bytes, \(slow.arrived.count) arrive, and only \(same) are right; \(slow.ending)",
                call.format)
        }
    }

    /// Records a call into a pipe.
    private func pour(_ call: TestCall, _ chunks: [PCMChunk], isSlow: Bool) async throws(SinkContractError) -> Poured {
        let reader = try PipeReader(isSlow: isSlow)
        let room = sandbox.room()
        let context = room.context(call.format) {
            Substitution(below: room.directory, by: .descriptor(reader.input)).apply()
        }
        var poured = Poured()
        do throws(LifeError) {
            poured.ending =
                "the sink returns a receipt of \(try await Life<Sink>.run(options, context, chunks).frames) frames"
            poured.isReceipt = true
        } catch {
            poured.ending = error.description
        }
        poured.arrived = reader.finish()
        // Bytes written in another way are in the file.
        poured.standing = context.createdFiles.first.flatMap { contents(room.file($0)) }
        return poured
    }

    mutating func checkBlame(_ failure: LifeError, _ what: String, _ format: AudioFormat) {
        if failure.error.blame != .destination {
            note(.blame, "\(what): the error blames \(failure.error.blame.rawValue); \(failure)", format)
        }
        if failure.error.reason.allSatisfy(\.isWhitespace) {
            note(.blame, "\(what): the error of \(failure.verb.rawValue) has no reason", format)
        }
    }

    /// Returns the first loss in files compared with reference files. Nil if there is none,
    /// as far as the files can be compared.
    private static func loss(_ files: [LeftFile], _ references: [[LeftFile]]) -> String? {
        if files.map(\.name) != references[0].map(\.name) { return "the files are \(files.map(\.name))" }
        for (index, file) in files.enumerated() {
            let whole = references[0][index], again = references[1][index]
            if file.data == whole.data { continue }
            if let samples = file.audio?.samples, let wanted = whole.audio, wanted.file.isLossless,
                samples == wanted.samples
            {
                continue
            }
            // A file that differs each time, and cannot be decoded into samples, shows only if it is empty.
            if whole.data != again.data, whole.audio?.file.isLossless != true, !file.data.isEmpty { continue }
            return
                "\(file.name) is wrong: it has \(file.data.count) bytes, not \(whole.data.count)"
        }
        return nil
    }
}
