import CallreelCore
import Foundation

// What a sink is told besides samples: events, the origin of audio, the ends of parts, states, and probes.
extension Bench where Sink: ~Copyable {
    /// Checks a sink with everything that a call may bring besides its samples.
    mutating func checkWholeCalls(_ take: Take) async {
        await checkEvents(take)
        await checkOrigins(take)
        await checkParts(take)
        await checkProbe(take)
    }

    /// Plays a call with events, and compares its audio with that of the same call without.
    private mutating func checkEvents(_ take: Take) async {
        let call = take.call, chunks = call.chunks(call.even), context = sandbox.room().context(call.format)
        let date = Date(timeIntervalSince1970: 1_795_342_500)
        let places = [chunks.first?.start, chunks[chunks.count / 2].start, chunks.last?.end].compactMap(\.self)
        let large: JSONValue = .string(String(repeating: "\u{1F4DE}\u{0}\n\"", count: 400))
        let kinds: [(String, [String: JSONValue])] = [
            (CallEvent.paused, [:]), (CallEvent.resumed, [:]), ("dtmf", ["digit": "5"]),
            ("", ["": .null, "list": .array([1, .object(["deep": .number(-.infinity)])])]),
            ("x/../y\n", ["text": large]),
        ]
        let events = places.flatMap { place in
            kinds.map { CallEvent(frame: place, at: date, type: $0.0, data: $0.1) }
        }
        do throws(LifeError) {
            let receipt = try await Life<Sink>.run(options, context, chunks, events: events)
            let found = Outcome(receipt: receipt, files: Life<Sink>.files(context))
            if receipt.frames != call.frames {
                note(
                    .events, "a call of \(call.frames) frames with events ends with a receipt of \(receipt.frames)",
                    call.format)
            } else if found.samples != take.outcome.samples || found.decodedFrames != take.outcome.decodedFrames {
                note(.events, "the audio of a call with events differs from that of the same call without", call.format)
            }
        } catch {
            note(.events, "a call with events ends with an error; \(error)", call.format)
        }
    }

    /// Plays a call in which a stretch is inserted silence and another is masked.
    private mutating func checkOrigins(_ take: Take) async {
        let call = take.call, room = sandbox.room(), context = room.context(call.format)
        var chunks = call.chunks(call.even)
        for (place, origin) in [(chunks.count / 3, PCMChunk.Origin.silence), (chunks.count / 2, .masked)] {
            let chunk = chunks[place]
            chunks[place] = .silence(
                frames: chunk.frameCount, format: chunk.format, start: chunk.start, origin: origin)
        }
        do throws(LifeError) {
            let receipt = try await Life<Sink>.run(options, context, chunks)
            let found = Outcome(receipt: receipt, files: Life<Sink>.files(context))
            if receipt.frames != call.frames {
                note(
                    .origins,
                    "a call of \(call.frames) frames with silence in it ends with a receipt of \(receipt.frames)",
                    call.format)
            } else if let samples = found.samples, samples != chunks.flatMap(\.samples) {
                note(.origins, "the files of a call with silence in it do not hold the call", call.format)
            }
        } catch {
            note(.origins, "a call with silence in it ends with an error; \(error)", call.format)
        }
    }

    /// Plays a call in three parts, each with the state that the one before leaves. Then plays a later part without a
    /// state, as after a failure.
    private mutating func checkParts(_ take: Take) async {
        let call = take.call, chunks = call.chunks(call.even), third = max(1, chunks.count / 3)
        let parts = [chunks[..<third], chunks[third..<third * 2], chunks[(third * 2)...]].map(Array.init)
        var carried: (any Sendable)?
        for (number, part) in parts.enumerated() {
            let isLast = number + 1 == parts.count
            let words = number == 0 ? "the first part" : "part \(number + 1), with the state of the one before"
            guard
                let receipt = await play(
                    part, call.format, number, carried, isLast: isLast, words, number == 0 ? .parts : .carriedState)
            else { return }
            carried = receipt.carried
        }
        _ = await play(
            parts[2], call.format, 1, nil, isLast: true, "a part without a state, as after a failure", .carriedState)
    }

    /// Plays one part. Checks its receipt, and the audio in its files and at the destination.
    /// - Returns: the receipt, or nil if the part fails or miscounts.
    private mutating func play(
        _ chunks: [PCMChunk], _ format: AudioFormat, _ number: Int, _ carried: (any Sendable)?, isLast: Bool,
        _ words: String, _ rule: SinkContractRule
    ) async -> SinkReceipt? {
        var context = sandbox.room().context(format)
        if number > 0 { context = context.next(fileStem: "call.part\(number + 1)", part: number, carried: carried) }
        let frames = chunks.reduce(0) { $0 + $1.frameCount }, samples = chunks.flatMap(\.samples)
        let before = await arrivals()
        do throws(LifeError) {
            let receipt = try await Life<Sink>.run(options, context, chunks, isPart: !isLast)
            if receipt.frames != frames {
                note(rule, "\(words): \(frames) frames end with a receipt of \(receipt.frames)", format)
                return nil
            }
            await checkArrival(of: samples, frames, since: before, format, .wholeParts)
            let found = Outcome(receipt: receipt, files: Life<Sink>.files(context))
            if let decoded = found.decodedFrames, decoded != frames {
                note(.wholeParts, "\(words): of \(frames) frames, the files hold \(decoded)", format)
            } else if let audio = found.samples, let difference = Self.difference(audio, samples[...]) {
                note(.wholeParts, "\(words): in its files, \(difference)", format)
            }
            return receipt
        } catch {
            note(rule, "\(words): it ends with an error; \(error)", format)
            return nil
        }
    }

    /// Probes a destination that works, and one whose directory has gone.
    private mutating func checkProbe(_ take: Take) async {
        let format = take.call.format, room = sandbox.room(), context = room.context(format)
        do throws(SinkError) {
            _ = try await Sink.probe(options: options, context: context)
        } catch {
            note(.probe, "a probe fails where a call succeeds; \(error)", format)
        }
        for left in room.contents().subtracting(context.createdFiles).sorted() {
            note(.probe, "a probe leaves \(left), which createFile did not make", format)
        }
        let gone = sandbox.room(), late = gone.context(format)
        try? FileManager.default.removeItem(atPath: gone.directory)
        guard (try? await Sink.probe(options: options, context: late)) == .works else { return }
        do throws(LifeError) {
            let sink = try await Life<Sink>.open(options, late)
            Life<Sink>.letGo(sink)
        } catch {
            note(.probe, "a probe says that a destination works, and opening it fails; \(error)", format)
        }
    }
}
