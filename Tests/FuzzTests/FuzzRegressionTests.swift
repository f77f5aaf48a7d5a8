import Foundation
import TestSupport
import Testing

/// Runs every seed of the fuzzer, and every input with which it once found a fault, without the fuzzer.
@Suite(.serialized) struct FuzzRegressionTests {
    @Test(arguments: FuzzTarget.allCases) func `nothing that was ever found is found again`(_ target: FuzzTarget) throws
    {
        let folder = Speech.fixture("fuzz/\(target.rawValue)")
        let names = try FileManager.default.contentsOfDirectory(atPath: folder)
        #expect(!names.isEmpty)
        for name in names { target.check(Array(try Data(contentsOf: URL(fileURLWithPath: folder + "/" + name)))) }
    }

    @Test(arguments: FuzzTarget.allCases) func `seeds that are cut or have a bit flipped are understood or refused`(
        _ target: FuzzTarget
    ) throws {
        let folder = Speech.fixture("fuzz/\(target.rawValue)")
        for name in try FileManager.default.contentsOfDirectory(atPath: folder) {
            let seed = Array(try Data(contentsOf: URL(fileURLWithPath: folder + "/" + name)))
            let step = max(1, seed.count / 40)
            for place in stride(from: 0, to: seed.count, by: step) {
                target.check(Array(seed[..<place]))
                var flipped = seed
                flipped[place] ^= 1 << UInt8(place & 7)
                target.check(flipped)
            }
        }
    }
}
