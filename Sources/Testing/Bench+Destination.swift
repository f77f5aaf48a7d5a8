import CallreelCore
import Synchronization

/// The time at which a destination fails or hangs.
private enum Outage: String, CaseIterable {
    case beforeOpening = "before the sink opens"
    case inTheMiddle = "in the middle of a call"
    case forAWhile = "in the middle of a call, and works again at its end"
    case atTheEnd = "at the end of a call"
}

/// Threads for sinks at a destination that hangs. A sink that does not return keeps one.
private let hangingThreads = BlockingExecutor(name: "contract, hanging", threads: 16)

extension Bench where Sink: ~Copyable {
    /// Refuses a plan with which the result would mean less than it seems to.
    func checkDestinationPlan() throws(SinkContractError) {
        guard let destination = plan.destination else { return }
        if destination.fail != nil || destination.hang != nil, destination.comeBack == nil {
            throw SinkContractError(
                cannotCheck: "the plan lets the destination fail or hang, but not come back: set comeBack")
        }
    }

    /// Throws if a closure of the plan has failed.
    func checkPlan() throws(SinkContractError) {
        if let planTrouble { throw SinkContractError(cannotCheck: planTrouble) }
    }

    /// Throws if a sink shows nothing of its work: such a sink may do nothing.
    func expectSomething(of takes: [Take]) throws(SinkContractError) {
        let isSeen = takes.contains { !$0.outcome.files.isEmpty || !$0.outcome.receipt.details.isEmpty }
        let emits = sandbox.emitted.count.withLock { $0 > 0 }
        if isSeen || emits || plan.destination != nil || plan.keepsNothing { return }
        throw SinkContractError(
            cannotCheck: "the kit sees nothing of the sink: it makes no files, and reports no details and no events; "
                + "set the plan's destination, or keepsNothing")
    }

    // MARK: - Arrivals

    /// Returns the audio that has arrived so far. Nil if the plan has no destination, or if it cannot say.
    mutating func arrivals() async -> SinkArrivals? {
        guard let destination = plan.destination else { return nil }
        let run = Watch.begin(.destination)
        defer { run.end() }
        do { return try await destination.received() } catch {
            planTrouble = planTrouble ?? "the plan cannot look into the destination: \(error)"
            return nil
        }
    }

    /// Returns the audio that has arrived since an earlier moment: its frames, and its samples if they are known.
    mutating func arrived(
        since before: SinkArrivals, _ format: AudioFormat
    ) async -> (frames: Int, samples: [Int16]?)? {
        switch (before, await arrivals()) {
        case (.frames(let old), .frames(let now)): return (now - old, nil)
        case (.samples(let old), .samples(let now)):
            let new = Array(now.dropFirst(old.count))
            return (new.count / format.channels, new)
        case (_, nil): return nil
        default:
            planTrouble = planTrouble ?? "the plan's destination reports frames at one time and samples at another"
            return nil
        }
    }

    /// Compares the audio that has arrived with the audio of a receipt.
    mutating func checkArrival(
        of wanted: [Int16], _ frames: Int, since before: SinkArrivals?, _ format: AudioFormat, _ rule: SinkContractRule
    ) async {
        guard let before, let arrived = await arrived(since: before, format) else { return }
        if arrived.frames != frames {
            note(rule, "the receipt has \(frames) frames, but \(arrived.frames) arrive at the destination", format)
        } else if let samples = arrived.samples {
            if let mistake = ChannelCheck(format).mistake(in: samples, like: wanted) {
                note(.channels, "at the destination, \(mistake)", format)
            } else if let difference = Self.difference(samples, wanted[...]) {
                note(rule, "at the destination, \(difference)", format)
            }
        }
    }

    // MARK: - Outages

    /// Checks a destination that fails, hangs and comes back.
    mutating func checkDestination(_ take: Take) async throws(SinkContractError) {
        guard let destination = plan.destination else { return }
        if let fail = destination.fail {
            for outage in Outage.allCases { try await check(outage, "fails", fail, take.call) }
        }
        if let hang = destination.hang {
            for outage in Outage.allCases where outage != .forAWhile && !isBroken([.hangingDestination]) {
                try await check(outage, "hangs", hang, take.call)
            }
        }
    }

    /// Plays a call with an outage of the destination, and another once it is back.
    private mutating func check(
        _ outage: Outage, _ how: String, _ begin: @escaping @Sendable () async throws -> Void, _ call: TestCall
    ) async throws(SinkContractError) {
        guard let destination = plan.destination, let end = destination.comeBack else { return }
        let what = "a destination that \(how) \(outage.rawValue)"
        let before = await arrivals(), chunks = call.chunks(call.even)
        let context = sandbox.room().context(call.format)
        let ending = await Watch.run(on: hangingThreads, patience: plan.patience) { [options] in
            await Self.play(options, context, chunks, outage, begin, end)
        }
        if let trouble = await Self.turn(end) { planTrouble = planTrouble ?? trouble }
        try checkPlan()
        switch ending {
        case .failure(let error):
            guard let verb = error.hanging, verb != .destination else { throw error }
            return note(
                .hangingDestination, "\(what): \(verb.rawValue) has not returned for \(plan.patience)", call.format)
        case .success(.failure(let failure)):
            checkBlame(failure, what, call.format)
            if failure.error.blame == .destination, !failure.error.isRetryable {
                note(.retryable, "\(what): the error of \(failure.verb.rawValue) is not; \(failure)", call.format)
            }
        case .success(.success(let receipt)):
            guard let before, let arrived = await arrived(since: before, call.format) else { break }
            let isWhole = arrived.frames == call.frames && (arrived.samples ?? call.samples) == call.samples
            if !isWhole {
                note(
                    .failedDestination,
                    "\(what): the sink returns a receipt of \(receipt.frames) frames, but \(arrived.frames) arrive",
                    call.format)
            } else if [.beforeOpening, .inTheMiddle].contains(outage) {
                throw SinkContractError(
                    cannotCheck: "the plan's destination still takes everything when it \(how)")
            }
        }
        await checkComeback(call, after: what)
    }

    /// Plays a call by a new instance, after an outage.
    private mutating func checkComeback(_ call: TestCall, after what: String) async {
        if isBroken([.comeback]) { return }
        let before = await arrivals()
        do throws(LifeError) {
            let receipt = try await Life<Sink>.run(
                options, sandbox.room().context(call.format), call.chunks(call.even))
            await checkArrival(of: call.samples, receipt.frames, since: before, call.format, .comeback)
        } catch {
            note(.comeback, "after \(what), a new instance ends with an error; \(error)", call.format)
        }
    }

    /// Plays a call with an outage. The error is one of the plan.
    private static func play(
        _ options: Sink.Options, _ context: SinkContext, _ chunks: [PCMChunk], _ outage: Outage,
        _ begin: @Sendable () async throws -> Void, _ end: @Sendable () async throws -> Void
    ) async -> Result<Result<SinkReceipt, LifeError>, SinkContractError> {
        let half = chunks[chunks.count / 2].start.frames
        var trouble: String?
        if outage == .beforeOpening { trouble = await turn(begin) }
        let ending: Result<SinkReceipt, LifeError>
        do throws(LifeError) {
            let receipt = try await Life<Sink>.run(options, context, chunks) { moment in
                switch (outage, moment) {
                case (.inTheMiddle, .chunk(after: half)), (.forAWhile, .chunk(after: half)), (.atTheEnd, .finish):
                    trouble = await turn(begin)
                case (.forAWhile, .finish): trouble = await turn(end)
                default: break
                }
            }
            ending = .success(receipt)
        } catch {
            ending = .failure(error)
        }
        return trouble.map { .failure(SinkContractError(cannotCheck: $0)) } ?? .success(ending)
    }

    /// Changes the destination. Returns the reason why that does not work.
    private static func turn(_ change: @Sendable () async throws -> Void) async -> String? {
        let run = Watch.begin(.destination)
        defer { run.end() }
        do { try await change() } catch { return "the plan's destination cannot be changed: \(error)" }
        return nil
    }
}
