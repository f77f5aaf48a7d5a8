import CallreelCore
import Foundation
import TestSupport
import Testing

@Suite struct LinearPCMAssemblerTests {
    /// Samples with every kind of byte in them, and their little-endian bytes.
    static let samples: [Int16] = [0, 1, -1, .min, .max, 0x0102, -0x0102, 0x7F00, 0x00FF, -256, 12_345, -12_345]
    static let bytes = samples.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8(truncatingIfNeeded: $0 >> 8)] }

    /// Appends the pieces in turn, and returns all samples and the count of leftover bytes.
    func assemble(_ pieces: [some Collection<UInt8>], channels: Int, takeEach: Bool) -> (
        samples: [Int16], leftover: Int
    ) {
        var assembler = LinearPCMAssembler(format: AudioFormat(sampleRate: 8000, channels: channels))
        var taken: [Int16] = []
        for piece in pieces {
            assembler.append(Data(piece).bytes)
            if takeEach { taken += assembler.takeSamples() ?? [] }
        }
        taken += assembler.takeSamples() ?? []
        return (taken, assembler.leftoverByteCount)
    }

    @Test(arguments: [1, 2], [true, false])
    func `every cut in two gives the same samples`(channels: Int, takeEach: Bool) {
        for cut in 0...Self.bytes.count {
            let result = assemble([Self.bytes[..<cut], Self.bytes[cut...]], channels: channels, takeEach: takeEach)
            #expect(result.samples == Self.samples, "cut at \(cut)")
            #expect(result.leftover == 0)
        }
    }

    @Test(arguments: [1, 2], [true, false])
    func `every cut in three gives the same samples`(channels: Int, takeEach: Bool) {
        for first in 0...Self.bytes.count {
            for second in first...Self.bytes.count {
                let pieces = [Self.bytes[..<first], Self.bytes[first..<second], Self.bytes[second...]]
                #expect(
                    assemble(pieces, channels: channels, takeEach: takeEach).samples == Self.samples,
                    "cut at \(first) and \(second)")
            }
        }
    }

    @Test(arguments: [1, 2, 3])
    func `one byte at a time gives the same samples`(channels: Int) {
        let result = assemble(Self.bytes.map { [$0] }, channels: channels, takeEach: true)
        #expect(result.samples == Self.samples)
        #expect(result.leftover == 0)
    }

    @Test(arguments: [1, 2], [true, false])
    func `random pieces give the same samples`(channels: Int, takeEach: Bool) {
        var generator = Generator(state: 7)
        let samples = (0..<20_000).map { _ in Int16.random(in: .min ... .max, using: &generator) }
        let bytes = samples.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8(truncatingIfNeeded: $0 >> 8)] }
        for _ in 0..<5 {
            var pieces: [ArraySlice<UInt8>] = []
            var rest = bytes[...]
            while !rest.isEmpty {
                let length = min(rest.count, Int.random(in: 0...701, using: &generator))
                pieces.append(rest.prefix(length))
                rest = rest.dropFirst(length)
            }
            let result = assemble(pieces, channels: channels, takeEach: takeEach)
            #expect(result.samples == samples)
        }
    }

    @Test func `what does not make a frame is counted and stays`() {
        var assembler = LinearPCMAssembler(format: AudioFormat(sampleRate: 8000, channels: 2))
        #expect(assembler.takeSamples() == nil)
        for count in 1...3 {
            assembler.append(Data([UInt8(count)]).bytes)
            #expect(assembler.leftoverByteCount == count)
            #expect(assembler.frameCount == 0)
            #expect(assembler.takeSamples() == nil)
        }
        assembler.append(Data([4, 5]).bytes)
        #expect(assembler.frameCount == 1)
        #expect(assembler.leftoverByteCount == 1)
        #expect(assembler.takeSamples() == [0x0201, 0x0403])
        #expect(assembler.leftoverByteCount == 1)
        #expect(assembler.takeSamples() == nil)
        assembler.append(Data([6, 7, 8]).bytes)
        #expect(assembler.takeSamples() == [0x0605, 0x0807])
        #expect(assembler.leftoverByteCount == 0)
    }

    @Test func `frames are taken once`() {
        var assembler = LinearPCMAssembler(format: AudioFormat(sampleRate: 8000))
        assembler.append(Data(Self.bytes).bytes)
        #expect(assembler.takeSamples() == Self.samples)
        #expect(assembler.takeSamples() == nil)
        assembler.append(Data(Self.bytes.prefix(4)).bytes)
        #expect(assembler.takeSamples() == [0, 1])
    }

    @Test func `bytes can be put straight into place`() {
        var assembler = LinearPCMAssembler(format: AudioFormat(sampleRate: 8000))
        for byte in [0x34, 0x12, 0xFF] as [UInt8] {
            unsafe assembler.append(byteCount: 1) { unsafe $0[0] = byte }
        }
        unsafe assembler.append(byteCount: 0) { #expect(unsafe $0.isEmpty) }
        #expect(assembler.takeSamples() == [0x1234])
        #expect(assembler.leftoverByteCount == 1)
    }
}
