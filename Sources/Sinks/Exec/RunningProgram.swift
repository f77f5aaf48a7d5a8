import CallreelCore

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// Why a program cannot go on.
struct ProgramFailure: Error {
    /// What it did, after its name: `took nothing of its input for 30 seconds`.
    let reason: String
    /// The system's error number, when the system refused.
    let systemError: Int32?
    /// The end of what it printed on its standard error.
    let errors: String

    /// Says why.
    init(_ reason: String, systemError: Int32? = nil, errors: String = "") {
        self.reason = reason
        self.systemError = systemError
        self.errors = errors
    }
}

/// How a program ended, and the end of what it printed.
struct ProgramOutcome {
    let status: ProgramStatus
    /// Whether something that it left running still had its file open when it was ended.
    let leftWriter: Bool
    let output: String
    let errors: String
}

/// A program with three pipes to it, which one thread fills and empties, blocking where it has to.
///
/// Letting it go closes its input, gives it its deadline, and waits for its end: what it writes is whole then. What it has left running is
/// ended with it: at once, or at the deadline where it still has the program's file open.
struct RunningProgram: ~Copyable {
    /// Beyond the deadline and the time between two signals, for what a system takes to end a process.
    private static let extraSeconds = 10.0

    private let task: ProgramTask
    private let deadline: Double
    private let file: LentFile?
    /// When what is left running has had its time: the program's deadline, from the end of its input on.
    private var patienceEnd = ContinuousClock.now
    private var isOver = false
    private let input: PipeEnd
    private let output: PipeEnd
    private let errors: PipeEnd
    /// At its end when the program was reaped.
    private let end: PipeEnd
    private var outputTail = ByteTail()
    private var errorTail = ByteTail()

    /// Starts it. That it could not be started is seen by whoever writes to it or ends it.
    init(_ launch: ProgramLaunch) throws(ProgramFailure) {
        let input = try PipeEnd.pair(), output = try PipeEnd.pair(), errors = try PipeEnd.pair(), end = try PipeEnd.pair()
        // What the program has as its own stays as it is: a program may be surprised by a descriptor that does not block.
        for ours in [input.write, output.read, errors.read, end.read] { try ours.makeNonblocking() }
        task = ProgramTask(
            launch, input: input.read.release(), output: output.write.release(), errors: errors.write.release(),
            end: ClosingDescriptor(end.write.release()))
        deadline = launch.deadline
        file = launch.file
        self.input = input.write
        self.output = output.read
        self.errors = errors.read
        self.end = end.read
    }

    deinit {
        guard !isOver else { return }
        input.close()
        task.inputHasEnded()
        let limit = lastMoment
        let patienceEnd = task.status == nil && !task.isEnding ? .now + .seconds(deadline) : patienceEnd
        var ignored = ByteTail(), more = ByteTail()
        while task.status == nil, ContinuousClock.now < limit {
            poll([output, errors, end], until: limit)
            output.drain(into: &ignored)
            errors.drain(into: &ignored)
        }
        _ = Self.endLeftovers(task.group, file, output, errors, until: patienceEnd, &ignored, &more)
    }

    /// Hands over all the bytes, as fast as the program takes them.
    mutating func write(_ bytes: RawSpan) throws(ProgramFailure) {
        try look()
        var done = 0
        var limit = ContinuousClock.now + .seconds(deadline)
        while done < bytes.byteCount {
            switch input.write(bytes.extracting(done..<bytes.byteCount)) {
            case .done(let count):
                done += count
                limit = ContinuousClock.now + .seconds(deadline)
            case .wouldBlock:
                guard ContinuousClock.now < limit else {
                    task.end()
                    throw ProgramFailure("took nothing of its input for \(deadline) seconds, and is being ended", errors: errorTail.text)
                }
                try wait(input, until: limit)
            case .failed(EPIPE):
                throw earlyEnd("closed its input before its end")
            case .failed(let number):
                throw ProgramFailure("cannot be written to", systemError: number)
            }
        }
    }

    /// Takes what it has printed, without waiting, and fails when it has ended.
    mutating func look() throws(ProgramFailure) { try wait(nil, until: .now) }

    /// Ends its input and waits for its end.
    mutating func finish() throws(ProgramFailure) -> ProgramOutcome {
        try look()
        if input.isBroken { throw earlyEnd("closed its input before its end") }
        input.close()
        task.inputHasEnded()
        patienceEnd = .now + .seconds(deadline)
        let limit = lastMoment
        while task.status == nil {
            guard ContinuousClock.now < limit else { throw ProgramFailure("cannot be ended", errors: errorTail.text) }
            poll([output, errors, end], until: limit)
            drain()
        }
        drain()
        isOver = true
        let leftWriter = Self.endLeftovers(task.group, file, output, errors, until: patienceEnd, &outputTail, &errorTail)
        return ProgramOutcome(
            status: task.status ?? .unknown("it has no status"), leftWriter: leftWriter, output: outputTail.text, errors: errorTail.text)
    }

    /// Ends what the program has left running in its group. Where its file is still open for writing, that gets until a moment to be closed.
    /// - Returns: whether it was still open then.
    private static func endLeftovers(
        _ group: ProgramGroup?, _ file: LentFile?, _ output: PipeEnd, _ errors: PipeEnd, until patienceEnd: ContinuousClock.Instant,
        _ outputTail: inout ByteTail, _ errorTail: inout ByteTail
    ) -> Bool {
        guard let group else { return false }
        /// Waits while something is so, for a time, and takes what is printed meanwhile.
        func wait(while condition: () -> Bool, until limit: ContinuousClock.Instant) -> Bool {
            while condition() {
                guard ContinuousClock.now < limit else { return false }
                poll([output, errors], until: min(limit, .now + .milliseconds(20)))
                output.drain(into: &outputTail)
                errors.drain(into: &errorTail)
            }
            return true
        }
        let isWritten = {
            guard let file else { return false }
            return switch FileWriters.of(file.lentPath) {
            case .some: true
            case .none: false
            // Where nobody can tell, whatever is left running may be writing.
            case .unknown: group.isAlive()
            }
        }
        let isFree = wait(while: isWritten, until: patienceEnd)
        guard group.isAlive() else { return !isFree }
        for number in [SIGTERM, SIGKILL] {
            group.signal(number)
            // Most is over at once. What is dead and was left to a parent that does not ask for it counts as over.
            if wait(while: { group.isAlive() }, until: .now + .milliseconds(300)) { break }
            if wait(while: { group.isAlive(lookCloser: true) }, until: .now + ProgramTask.grace) { break }
        }
        return !isFree
    }

    /// When a program whose input ends now is over, however it takes its end.
    private var lastMoment: ContinuousClock.Instant { .now + .seconds(deadline + Self.extraSeconds) + ProgramTask.grace }

    /// Waits until there is room in the program's input, or something happens that has to be seen to.
    private mutating func wait(_ input: PipeEnd?, until limit: ContinuousClock.Instant) throws(ProgramFailure) {
        poll([output, errors, end] + (input.map { [$0] } ?? []), until: limit)
        drain()
        if let status = task.status { throw ended(status) }
    }

    private mutating func drain() {
        output.drain(into: &outputTail)
        errors.drain(into: &errorTail)
    }

    /// The failure of a program that has closed its input: with its status, if that comes soon, as it does when it has ended.
    private mutating func earlyEnd(_ reason: String) -> ProgramFailure {
        let limit = ContinuousClock.now + min(.seconds(deadline), ProgramTask.grace)
        while task.status == nil, ContinuousClock.now < limit {
            poll([output, errors, end], until: limit)
            drain()
        }
        drain()
        if let status = task.status { return ended(status) }
        return ProgramFailure(reason, errors: errorTail.text)
    }

    private func ended(_ status: ProgramStatus) -> ProgramFailure {
        if case .unknown = status { return ProgramFailure(status.description, errors: errorTail.text) }
        return ProgramFailure("\(status) before its input did", errors: errorTail.text)
    }
}
