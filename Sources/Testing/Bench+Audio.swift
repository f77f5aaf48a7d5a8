import CallreelCore

extension Bench where Sink: ~Copyable {
    /// Frames of the calls to compare: whole chunks of 20 ms at every rate.
    private var usualFrames: Int { 4800 }

    /// Records a plain call in each format. Returns the formats that the sink accepts, with their outcomes.
    mutating func checkFormats(_ formats: [AudioFormat]) async -> [Take] {
        var takes: [Take] = []
        var refusals: [String] = []
        for format in formats {
            let call = call(frames: usualFrames, format)
            do throws(LifeError) {
                let outcome = try await record(call, call.chunks(call.even))
                check(outcome, of: call)
                takes.append(Take(call: call, outcome: outcome))
            } catch  where error.verb == .open && error.error.blame == .options {
                refusals.append(error.error.description)
            } catch {
                note(
                    .anyCall, "a call of \(call.frames) frames in chunks of 20 ms ends with an error; \(error)", format)
            }
        }
        if takes.isEmpty, !isBroken([.anyCall, .answers]) {
            note(.formats, "all are refused" + (refusals.first.map { ", such as: \($0)" } ?? ""))
        }
        return takes
    }

    /// Checks the rules for every call that was finished.
    mutating func check(_ outcome: Outcome, of call: TestCall) {
        let receipt = outcome.receipt
        if receipt.frames != call.frames {
            note(.receiptFrames, "\(call.frames) were written, but the receipt has \(receipt.frames)", call.format)
        }
        let names = outcome.files.map(\.name)
        for (name, frames) in receipt.framesByFile.sorted(by: { $0.key < $1.key }) {
            if !names.contains(name) {
                note(.framesByFile, "the receipt has frames for \(name), which createFile did not create", call.format)
            }
            if frames < 0 { note(.framesByFile, "\(name) has \(frames) frames", call.format) }
        }
        let sum = receipt.framesByFile.values.reduce(0, +),
            knowsAll = Set(receipt.framesByFile.keys).isSuperset(of: names)
        if sum > call.frames || knowsAll && !names.isEmpty && sum < call.frames {
            note(.framesByFile, "\(call.frames) frames were written, but the files have \(sum)", call.format)
        }
        checkDecoding(outcome, of: call)
    }

    /// Checks the decoded files.
    private mutating func checkDecoding(_ outcome: Outcome, of call: TestCall) {
        for file in outcome.files {
            if let problem = file.problem {
                note(.decoding, "\(file.name), which is finished, cannot be decoded: \(problem)", call.format)
            }
            guard let audio = file.audio else { continue }
            if audio.samples.count != audio.file.frames * call.format.channels {
                note(
                    .decoding,
                    "\(file.name): \(audio.file.frames) frames are counted, but \(audio.samples.count) samples passed",
                    call.format)
            }
            // If all files together are right, the receipt is wrong.
            if outcome.decodedFrames == call.frames, let stated = outcome.receipt.framesByFile[file.name],
                stated != audio.file.frames
            {
                note(
                    .framesByFile,
                    "\(file.name): the receipt has \(stated) frames, but \(audio.file.frames) are decoded", call.format)
            }
        }
        if let frames = outcome.decodedFrames, frames != call.frames {
            note(.decoding, "\(call.frames) frames were written, but \(frames) are decoded", call.format)
        }
        let decoded = outcome.files.compactMap(\.audio)
        var mistake: String?
        if decoded.count == outcome.files.count, !plan.joinsChannels, !isBroken([.decoding]) {
            mistake = ChannelCheck(call.format).mistake(in: decoded.flatMap(\.samples), like: call.samples)
        }
        if let mistake {
            note(.channels, "of the decoded audio, \(mistake)", call.format)
        } else if let samples = outcome.samples, let difference = Self.difference(samples, call.samples[...]) {
            note(.decoding, "the decoder states the call's own samples, but \(difference)", call.format)
        }
    }

    /// Records the same call in another way, and checks that the outcome is the same.
    /// Returns the outcome, or nil if the call failed.
    @discardableResult
    mutating func compare(
        _ take: Take, _ chunks: [PCMChunk], checkpoints: Bool = false, _ what: String, _ rule: SinkContractRule
    ) async -> Outcome? {
        let call = take.call
        do throws(LifeError) {
            let other = try await record(call, chunks, checkpoints: checkpoints)
            if let difference = Self.difference(other, take.outcome) {
                note(rule, "\(what): \(difference)", call.format)
            }
            return other
        } catch {
            note(rule, "\(what): \(error)", call.format)
            return nil
        }
    }

    /// Records calls of unusual lengths.
    mutating func checkLengths(_ take: Take) async {
        for frames in [0, 1, 2, 997] {
            let call = call(frames: frames, take.call.format)
            do throws(LifeError) {
                check(try await record(call, call.chunks(call.even)), of: call)
            } catch {
                note(.anyCall, "a call of \(call.frames) frames ends with an error; \(error)", call.format)
            }
        }
    }

    /// Returns the first difference between two outcomes, or nil if they are equal.
    static func difference(_ one: Outcome, _ other: Outcome) -> String? {
        if one.receipt.frames != other.receipt.frames {
            return "the receipt has \(one.receipt.frames) frames, not \(other.receipt.frames)"
        }
        if one.files.map(\.name) != other.files.map(\.name) {
            return "the files are \(one.files.map(\.name)), not \(other.files.map(\.name))"
        }
        if let problem = one.files.compactMap(\.problem).first { return problem }
        if let frames = one.decodedFrames, let wanted = other.decodedFrames, frames != wanted {
            return "\(frames) frames are decoded, not \(wanted)"
        }
        if let samples = one.samples, let wanted = other.samples { return difference(samples, wanted[...]) }
        return nil
    }

    /// Returns the first difference between samples, or nil if they are equal.
    static func difference(_ samples: [Int16], _ wanted: ArraySlice<Int16>) -> String? {
        if let (index, pair) = zip(samples, wanted).enumerated().first(where: { $0.1.0 != $0.1.1 }) {
            return "sample \(index) is \(pair.0), not \(pair.1)"
        }
        return samples.count == wanted.count ? nil : "there are \(samples.count) samples, not \(wanted.count)"
    }
}
