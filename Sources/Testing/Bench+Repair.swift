import CallreelCore
import Foundation

extension Bench where Sink: ~Copyable {
    /// Checks that a repair leaves finished files of any length unchanged.
    mutating func checkWholeFiles(_ take: Take) async {
        check(whole: take.outcome, of: take.call)
        for frames in [0, 1] {
            let call = call(frames: frames, take.call.format)
            guard let outcome = try? await record(call, call.chunks(call.even)) else { continue }
            check(whole: outcome, of: call)
        }
    }

    private mutating func check(whole outcome: Outcome, of call: TestCall) {
        var frames = 0
        let room = sandbox.room()
        for file in outcome.files {
            let path = copy(file, to: room)
            do throws(SinkError) {
                guard
                    let result = try repair(
                        path, call.format, "a finished file of \(call.frames) frames", isWhole: true)
                else { return }
                frames += result.frames
                if result.change != nil || result.bytesCut != 0 || contents(path) != file.data {
                    let found = contents(path) == file.data ? "and leaves it" : "and changes it"
                    note(
                        .wholeFiles,
                        "\(file.name) is finished, but repair reports the change \(result.change ?? "none"), \(found)",
                        call.format)
                }
            } catch {
                note(
                    .wholeFiles, "\(file.name) of \(call.frames) frames is finished, but repair refuses it: \(error)",
                    call.format)
                return
            }
        }
        if frames != call.frames {
            note(.wholeFiles, "\(call.frames) frames were written, but repair finds \(frames)", call.format)
        }
    }

    /// Checks files that were cut, as after a power loss.
    mutating func checkTornFiles(_ take: Take) {
        guard let file = take.outcome.files.first, !file.data.isEmpty else { return }
        let count = file.data.count
        for length in Set([0, 1, count / 10, count / 3, count / 2 + 1, count - 3, count - 2, count - 1]).sorted()
        where length < count && length >= 0 {
            let path = copy(
                LeftFile(name: file.name, data: file.data.prefix(length), audio: nil, problem: nil), to: sandbox.room())
            let what = "the first \(length) of \(count) bytes of \(file.name)"
            do throws(SinkError) {
                guard let result = try repair(path, take.call.format, what) else { return }
                if isBroken(SinkContractRule.repair) { return }
                checkPrefix(path, frames: result.frames, take, what, .tornFiles)
                if result.frames > take.call.frames {
                    note(.tornFiles, "\(what) are repaired to \(result.frames) of \(take.call.frames) frames")
                }
            } catch {
                // A refusal is allowed; `repair` has already checked that nothing was changed.
                continue
            }
        }
        let missing = sandbox.room().file("missing-" + file.name)
        if let result = try? repair(missing, take.call.format, "a missing file") {
            note(.tornFiles, "a missing file is repaired to \(result.frames) frames")
        }
        if FileManager.default.fileExists(atPath: missing) {
            note(.tornFiles, "repair creates a missing file")
        }
    }

    /// Repairs a file, with a dry run before and a second repair after. Checks that the three agree.
    /// Returns nil if the sink does not repair.
    /// - Parameter isWhole: true if the file needs no repair. If the repair changes it, another rule is broken,
    ///   and the second repair is left out.
    mutating func repair(_ path: String, _ format: AudioFormat, _ what: String, isWhole: Bool = false) throws(SinkError)
        -> FileRepair?
    {
        let before = contents(path)
        var planned: FileRepair?
        var refusal: SinkError?
        do throws(SinkError) { planned = try Life<Sink>.repair(path, format, dryRun: true) } catch { refusal = error }
        if contents(path) != before { note(.dryRun, "\(what): the dry run changes it", format) }
        let done: FileRepair?
        do throws(SinkError) {
            done = try Life<Sink>.repair(path, format, dryRun: false)
        } catch {
            if refusal == nil {
                note(.dryRun, "\(what): the dry run announces a repair, which then fails: \(error)", format)
            }
            if contents(path) != before {
                note(.tornFiles, "\(what): repair refuses it (\(error)), but changes it", format)
            }
            throw error
        }
        if let refusal {
            note(.dryRun, "\(what): the dry run refuses the file, which is then repaired: \(refusal)", format)
        } else if planned != done {
            note(
                .dryRun, "\(what): the dry run reports \(Self.words(planned)), but the real run \(Self.words(done))",
                format)
        }
        let after = contents(path)
        guard let done else {
            if after != before {
                note(.tornFiles, "\(what): repair does not know it, but changes it", format)
            }
            return nil
        }
        if isWhole, after != before || done.change != nil { return done }
        let again = try Life<Sink>.repair(path, format, dryRun: false)
        if again?.frames != done.frames || again?.bytesCut != 0 || again?.change != nil || contents(path) != after {
            note(
                .repairTwice, "\(what): after \(Self.words(done)), a second repair reports \(Self.words(again))", format
            )
        }
        return done
    }

    /// Checks the files of a call that was not finished. They must hold a number of frames in the
    /// range, all of them the call's.
    mutating func checkStanding(
        _ names: [String], in room: Room, _ take: Take, frames range: ClosedRange<Int>, _ what: String,
        _ rule: SinkContractRule
    ) {
        let format = take.call.format
        var frames = 0
        for name in names {
            let path = room.file(name)
            guard let data = contents(path) else { return note(rule, "\(what): \(name) is missing", format) }
            // Callreel drops an empty file, such as a full disk leaves.
            if data.isEmpty, range.lowerBound == 0 { continue }
            do throws(SinkError) {
                guard let result = try repair(path, format, "\(name) (\(what))") else {
                    if data.isEmpty {
                        note(rule, "\(what): \(name) is empty, after \(range.lowerBound) frames", format)
                    }
                    return
                }
                checkPrefix(path, frames: result.frames, skip: frames, take, "\(name) (\(what))", rule)
                frames += result.frames
            } catch {
                if range.lowerBound > 0 { note(rule, "\(what): \(name) cannot be repaired: \(error)", format) }
                return
            }
        }
        if !range.contains(frames) {
            note(
                rule, "\(what): the files have \(frames) frames, not \(range.lowerBound) to \(range.upperBound)",
                format)
        }
    }

    /// Decodes a repaired file and compares it with the call's frames after the first `skip`.
    private mutating func checkPrefix(
        _ path: String, frames: Int, skip: Int = 0, _ take: Take, _ what: String, _ rule: SinkContractRule
    ) {
        let format = take.call.format
        do throws(SinkError) {
            guard let audio = try Life<Sink>.decode(path, format) else { return }
            if audio.file.frames != frames {
                note(rule, "\(what): repair reports \(frames) frames, but \(audio.file.frames) are decoded", format)
            }
            let wanted = take.call.samples.dropFirst(skip * format.channels).prefix(audio.samples.count)
            if audio.file.isLossless, let difference = Self.difference(audio.samples, wanted) {
                note(rule, "\(what): \(difference)", format)
            }
        } catch {
            note(rule, "\(what): it is repaired, but cannot be decoded: \(error)", format)
        }
    }

    private func copy(_ file: LeftFile, to room: Room) -> String {
        put(file.data, room.file(file.name))
        return room.file(file.name)
    }

    private static func words(_ repair: FileRepair?) -> String {
        guard let repair else { return "nothing" }
        return
            "\(repair.frames) frames, \(repair.bytesCut) bytes cut, \(repair.change.map { "\"\($0)\"" } ?? "no change")"
    }
}
