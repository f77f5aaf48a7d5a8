import TestSupport
import Testing

@testable import CallreelCore

@Suite struct SampleMemoryTests {
    /// Frames of a chunk large enough for its memory to be kept.
    private let large = 20_000

    private func chunk(_ samples: [Int16]) -> PCMChunk { PCMChunk(samples: samples, format: .telephone, start: .start) }

    private func place(of samples: [Int16]) -> UInt {
        unsafe samples.withUnsafeBufferPointer { UInt(bitPattern: $0.baseAddress) }
    }

    @Test func `the memory of a large chunk is used again when nobody has it any more`() {
        // Other tests may take the memory freed by this one, so it tries several times.
        let isUsedAgain = (0..<100).contains { _ in
            var samples = SampleMemory.room(for: large)
            samples.append(contentsOf: ramp(0..<large))
            let home = place(of: samples)
            _ = chunk(samples)
            samples = []
            // malloc hands out the memory freed last. This must not be the chunk's memory.
            var fresh: [Int16] = []
            fresh.reserveCapacity(large)
            return place(of: SampleMemory.room(for: large)) == home && place(of: fresh) != home
        }
        #expect(isUsedAgain)
    }

    @Test func `there is as much room as was asked for, and nothing in it`() {
        for count in [1, 1000, large, 3 * large, large / 2, 1 << 17, 1 << 18] {
            let room = SampleMemory.room(for: count)
            #expect(room.isEmpty && room.capacity >= count)
            if count >= 1000 { _ = chunk(room + ramp(0..<count)) }
        }
    }

    @Test func `small chunks and very large ones are left to malloc`() {
        #expect(SampleMemory(of: ramp(0..<3200)) == nil)
        #expect(SampleMemory(of: ramp(0..<large)) != nil)
        #expect(SampleMemory(of: [Int16](repeating: 0, count: 1 << 18)) == nil)
    }

    @Test func `what a sink keeps stays as it is, whatever becomes of the chunk's memory`() {
        var assembler = LinearPCMAssembler(format: .telephone)
        var kept: [[Int16]] = []
        for number in 0..<200 {
            let samples = ramp(number * 1000..<number * 1000 + large)
            unsafe assembler.append(samples.span.bytes)
            let chunk = chunk(assembler.takeSamples() ?? [])
            #expect(chunk.samples == samples)
            if number.isMultiple(of: 10) { kept.append(chunk.samples) }
        }
        for (index, samples) in kept.enumerated() { #expect(samples == ramp(index * 10_000..<index * 10_000 + large)) }
    }
}
