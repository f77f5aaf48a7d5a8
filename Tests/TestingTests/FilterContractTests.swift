import CallreelCore
import CallreelFilters
import CallreelTesting
import Synchronization
import Testing

/// Filters with one flaw each. The kit must find each flaw under its own number, and nothing in the built-in filters.
// One at a time: a flaw is in the number of instances.
@Suite(.serialized) struct FilterContractTests {
    @Test func `the built-in filters keep the contract`() throws {
        try requireFilterContract(GainFilter.self)
        var short = SilenceFilter.Options()
        short.longest = 0.1
        short.threshold = -30
        try requireFilterContract(SilenceFilter.self, options: SilenceFilter.Options(), short)
        try requireFilterContract(AGCFilter.self)
        try requireFilterContract(HighPassFilter.self)
    }

    @Test(arguments: FilterFlaw.allCases)
    func `a flaw is found under its own number`(flaw: FilterFlaw) {
        var options = FlawedFilter.Options()
        options.flaw = flaw
        let found = checkFilterContract(FlawedFilter.self, options: options)
        #expect(found.map(\.rule) == [flaw.rule].compactMap(\.self), "\(found)")
    }

    @Test func `a type's own flaws are found`() {
        let found = checkFilterContract(MisnamedFilter.self)
        #expect(found.map(\.rule.number) == ["L1", "L2", "L3", "L4", "L5"], "\(found)")
        #expect(throws: FilterContractError.self) { try requireFilterContract(MisnamedFilter.self) }
    }

    @Test func `every rule has a flaw`() {
        let own: Set = ["L1", "L2", "L3", "L4", "L5"]
        #expect(own.union(FilterFlaw.allCases.compactMap(\.rule?.number)) == Set(FilterContractRule.all.map(\.number)))
    }
}

enum FilterFlaw: String, CaseIterable {
    case none, repeats, ahead, keepsTheRest, countsChunks, countsFromZero, rings, shares, waits

    var rule: FilterContractRule? {
        switch self {
        case .none: nil
        case .repeats, .ahead: .order
        case .keepsTheRest: .finish
        case .countsChunks: .chunking
        case .countsFromZero: .start
        case .rings: .silence
        case .shares: .instances
        case .waits: .delay
        }
    }
}

/// A filter that halves the samples, with a flaw.
struct FlawedFilter: AudioFilter {
    struct Options: Configurable {
        var flaw = FilterFlaw.none

        static let fields: [Field<Self>] = [.choice("flaw", \.flaw, "The flaw.")]
    }

    static let type = "flawed"
    static let summary = "has a flaw"
    /// The number of instances made so far.
    private static let made = Atomic<Int>(0)

    private let flaw: FilterFlaw
    private let rate: Int
    private let number: Int
    private var held: [PCMChunk] = []
    private var chunks = 0

    init(options: Options, format: AudioFormat) {
        flaw = options.flaw
        rate = format.sampleRate
        number = Self.made.add(1, ordering: .relaxed).newValue
    }

    mutating func apply(_ chunk: PCMChunk, to output: inout FilterOutput) {
        chunks += 1
        let halved = chunk.replacingSamples(chunk.samples.map { $0 / 2 })
        switch flaw {
        case .none: output.keep(halved)
        case .repeats:
            output.keep(halved)
            if chunks == 3 { output.keep(halved) }
        case .ahead:
            output.keep(halved)
            output.cut(to: chunk.end + 1)
        case .keepsTheRest:
            for chunk in held { output.keep(chunk) }
            held = [halved]
            // Not so much that the delay is noticed first.
            if chunk.frameCount > rate / 2 { finishHeld(&output, but: 1) }
        case .countsChunks: output.keep(chunks.isMultiple(of: 2) ? chunk : halved)
        case .countsFromZero: output.keep(chunk.start.frames < 100_000 ? halved : chunk)
        case .rings:
            output.keep(
                chunk.origin == .masked ? chunk.replacingSamples(chunk.samples.map { _ in 1 }) : halved)
        case .shares:
            let isLast = Self.made.load(ordering: .relaxed) == number
            output.keep(isLast || chunk.origin != .call ? halved : chunk)
        case .waits: held.append(halved)
        }
    }

    mutating func finish(to output: inout FilterOutput) {
        guard flaw != .keepsTheRest else { return }
        for chunk in held { output.keep(chunk) }
        held = []
    }

    private mutating func finishHeld(_ output: inout FilterOutput, but frames: Int) {
        guard let chunk = held.last else { return }
        output.keep(chunk.frames(0..<chunk.frameCount - frames))
        held = [chunk.frames(chunk.frameCount - frames..<chunk.frameCount)]
    }
}

/// A filter whose type, summary and options are wrong, and that cannot be made.
struct MisnamedFilter: AudioFilter {
    struct Options: Configurable {
        var level = 1

        static let fields: [Field<Self>] = [
            Field("level", type: "number", schema: [:], help: "A level.") { value, place, options, problems in
                guard case .integer(let level) = value else { return problems.append(.init(at: place, "is no number")) }
                options.level = level + 1
            } write: {
                .integer($0.level)
            },
            Field(
                "any", type: "anything", schema: [:], help: "Anything.", read: { _, _, _, _ in }, write: { _ in true }),
        ]
    }

    static let type = "not a name"
    static let summary = "two\nlines"

    init(options: Options, format: AudioFormat) throws(SinkError) { throw SinkError(.open, "never") }

    mutating func apply(_ chunk: PCMChunk, to output: inout FilterOutput) {}
}
