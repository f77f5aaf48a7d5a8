import CallreelCore

/// Checks one filter with one set of options.
struct FilterBench<Filter: AudioFilter> {
    private let options: Filter.Options
    /// The violations so far, at most one of each rule.
    private(set) var violations: [FilterContractViolation] = []

    init(_ options: Filter.Options) { self.options = options }

    /// Checks every rule.
    mutating func run() {
        checkConfiguration()
        for rate in AudioFormat.supportedSampleRates {
            for channels in 1...2 {
                let format = AudioFormat(sampleRate: rate, channels: channels)
                do throws(SinkError) {
                    _ = try Filter(options: options, format: format)
                } catch {
                    if error.reason.isEmpty { note(.opening, "no reason for \(format)") }
                    continue
                }
                checkAudio(FilterCall(format))
            }
        }
    }

    private mutating func note(_ rule: FilterContractRule, _ reason: String) {
        if violations.contains(where: { $0.rule == rule }) { return }
        violations.append(FilterContractViolation(rule: rule, reason: reason))
    }

    private mutating func checkConfiguration() {
        if !Filter.type.isTypeName { note(.name, "\(Filter.type.debugDescription) is not") }
        if !Filter.summary.isOneLine { note(.summary, "\(Filter.summary.debugDescription) is not") }
        let faults = OptionsCheck<Filter.Options>(common: ["type"]).faults(options)
        for reason in faults.unreadable { note(.optionsAsJSON, reason) }
        for reason in faults.lenient { note(.strictOptions, reason) }
        let refusals = (0..<3).map { _ in Filter.refusal(options: options) }
        if Set(refusals).count > 1 { note(.opening, "refusal gives different answers for the same options") }
        let works = AudioFormat.supportedSampleRates.contains {
            (try? Filter(options: options, format: AudioFormat(sampleRate: $0))) != nil
        }
        if !works, refusals[0] == nil { note(.opening, "it can be made for no rate, and its refusal gives no reason") }
    }

    // MARK: - Audio

    private mutating func checkAudio(_ call: FilterCall) {
        let sizes = [[call.frames], [call.format.sampleRate / 5], [160], [1, 7, 480, 3, 2000], [977]]
        let results = sizes.map { pass(call, sizes: $0) }
        guard let whole = results[0] else { return }
        for (result, size) in zip(results, sizes).dropFirst() {
            if let result, result.runs != whole.runs {
                note(.chunking, "\(call.format): chunks of \(size) frames give another result than one chunk")
            }
        }
        if let later = pass(call, sizes: sizes[3], start: 123_457), later.runs != results[3]?.runs {
            note(.start, "\(call.format): a call that begins at frame 123457 gives another result")
        }
        if let alone = pass(call, sizes: Self.turns) { checkInstances(call, alone) }
    }

    /// The sizes of chunks of two instances at work by turns.
    private static var turns: [Int] { [1600] }

    /// Runs two instances by turns, and expects of both what one alone gives.
    private mutating func checkInstances(_ call: FilterCall, _ alone: FilterResult) {
        guard let first = try? Filter(options: options, format: call.format),
            let second = try? Filter(options: options, format: call.format)
        else { return }
        var runs = [FilterRun(first, start: 0), FilterRun(second, start: 0)]
        for chunk in call.chunks(sizes: Self.turns, start: 0) {
            for index in runs.indices {
                // Another call in the second: every sample is inverted.
                let other = chunk.replacingSamples(chunk.samples.map { $0 == .min ? .max : -$0 })
                guard runs[index].take(index == 0 ? chunk : other) == nil else { return }
            }
        }
        guard runs[0].finish() == nil, runs[0].result.runs != alone.runs else { return }
        note(.instances, "\(call.format): beside another instance, the result is another")
    }

    /// Passes a call through a new filter. Returns nil after a failure.
    private mutating func pass(_ call: FilterCall, sizes: [Int], start: Int = 0) -> FilterResult? {
        guard let filter = try? Filter(options: options, format: call.format) else {
            note(.opening, "\(call.format): it can be made once and not again")
            return nil
        }
        var run = FilterRun(filter, start: start)
        for chunk in call.chunks(sizes: sizes, start: start) {
            if let violation = run.take(chunk) {
                note(violation.rule, "\(call.format): \(violation.reason)")
                return nil
            }
            if run.held >= call.format.sampleRate {
                note(.delay, "\(call.format): it holds \(run.held) frames back")
                return nil
            }
        }
        if let violation = run.finish() {
            note(violation.rule, "\(call.format): \(violation.reason)")
            return nil
        }
        if let place = run.result.soundInSilence {
            note(.silence, "\(call.format): sound in silence at frame \(place)")
        }
        return run.result
    }
}

/// The output of a filter: the kept frames, and the place of each run of them from the call's first frame on.
struct FilterResult: Equatable {
    /// The kept samples, and the frames that were cut before each of them, in runs.
    var runs: [Run] = []
    /// The first frame of masked or inserted silence that has sound.
    var soundInSilence: Int?

    /// Consecutive kept frames.
    struct Run: Equatable {
        let start: Int
        var samples: [Int16]
    }
}

/// One filter at work, held to the order of its output.
struct FilterRun<Filter: AudioFilter> {
    private var filter: Filter
    private let start: Int
    private var taken: Int
    private var passed: Int
    private(set) var result = FilterResult()

    init(_ filter: Filter, start: Int) {
        self.filter = filter
        self.start = start
        taken = start
        passed = start
    }

    /// Frames taken, and neither kept nor cut yet.
    var held: Int { taken - passed }

    mutating func take(_ chunk: PCMChunk) -> FilterContractViolation? {
        taken = chunk.end.frames
        var output = FilterOutput()
        do throws(SinkError) { try filter.apply(chunk, to: &output) } catch {
            return .init(rule: .opening, reason: "apply throws: \(error)")
        }
        return note(output, chunk.format)
    }

    mutating func finish() -> FilterContractViolation? {
        var output = FilterOutput()
        do throws(SinkError) { try filter.finish(to: &output) } catch {
            return .init(rule: .finish, reason: "finish throws: \(error)")
        }
        if let violation = note(output, nil) { return violation }
        return held == 0 ? nil : .init(rule: .finish, reason: "\(held) frames are still held back")
    }

    private mutating func note(_ output: FilterOutput, _ format: AudioFormat?) -> FilterContractViolation? {
        for step in output.steps {
            let end: Int
            switch step {
            case .keep(let chunk):
                if let format, chunk.format != format {
                    return .init(rule: .order, reason: "it passes on \(chunk.format) in place of \(format)")
                }
                if chunk.start.frames != passed {
                    return .init(rule: .order, reason: "it passes on frame \(chunk.start.frames) after \(passed - 1)")
                }
                end = chunk.end.frames
                keep(chunk)
            case .cut(let position): end = position.frames
            }
            guard passed...max(passed, taken) ~= end else {
                return .init(rule: .order, reason: "it passes on frames to \(end), but has taken \(passed)..<\(taken)")
            }
            passed = end
        }
        return nil
    }

    private mutating func keep(_ chunk: PCMChunk) {
        let place = chunk.start.frames - start, channels = chunk.format.channels
        if let last = result.runs.last, last.start + last.samples.count / channels == place {
            result.runs[result.runs.count - 1].samples += chunk.samples
        } else {
            result.runs.append(.init(start: place, samples: chunk.samples))
        }
        if chunk.origin != .call, result.soundInSilence == nil, chunk.samples.contains(where: { $0 != 0 }) {
            result.soundInSilence = place
        }
    }
}

/// A call of the kit: quiet and loud tones, full scale, noise, silence, and stretches that are masked or inserted.
struct FilterCall {
    let format: AudioFormat
    private let stretches: [(origin: PCMChunk.Origin, samples: [Int16])]

    /// Frames of the whole call.
    var frames: Int { stretches.reduce(0) { $0 + $1.samples.count } / format.channels }

    init(_ format: AudioFormat) {
        self.format = format
        var state: UInt64 = 0x1234_5678_9ABC_DEF1
        func frames(_ seconds: Double, _ value: (Int) -> Int) -> [Int16] {
            (0..<Int(Double(format.sampleRate) * seconds)).flatMap { frame in
                (0..<format.channels).map { Int16(clamping: value(frame) / ($0 + 1)) }
            }
        }
        func noise(_ level: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % (2 * level + 1) - level
        }
        // A triangle of so many frames for each period.
        func tone(_ frame: Int, _ period: Int, _ level: Int) -> Int {
            abs((frame % period) * 4 * level / period - 2 * level) - level
        }
        stretches = [
            (.call, frames(0.6) { tone($0, 37, 6000) + noise(50) }),
            (.masked, frames(0.31) { _ in 0 }),
            (.call, frames(1.7) { _ in noise(4) }),
            (.call, frames(0.4) { tone($0, 90, 40_000) }),
            (.silence, frames(1.3) { _ in 0 }),
            (.call, frames(0.25) { tone($0, 51, 400) }),
            (.call, frames(2.1) { _ in 0 }),
        ]
    }

    /// Returns the call in chunks of some sizes, one after the other and again.
    func chunks(sizes: [Int], start: Int) -> [PCMChunk] {
        var chunks: [PCMChunk] = [], place = start, turn = 0
        for (origin, samples) in stretches {
            let count = samples.count / format.channels
            var offset = 0
            while offset < count {
                let size = min(max(1, sizes[turn % sizes.count]), count - offset)
                turn += 1
                let piece = Array(samples[offset * format.channels..<(offset + size) * format.channels])
                chunks.append(
                    PCMChunk(samples: piece, format: format, start: FramePosition(place), origin: origin))
                offset += size
                place += size
            }
        }
        return chunks
    }
}
