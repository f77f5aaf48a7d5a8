import CoreMetrics
import Foundation
import Testing

@testable import CallreelArchive
@testable import CallreelCore
@testable import CallreelEngine

/// What is read for clients while a directory does not answer.
@Suite struct HungReaderTests {
    @Test func `reads of clients are given up when their directory hangs, and go on when it answers`() async throws {
        let workspace = try Workspace()
        let place = StorageDirectory(
            workspace.path, .test(), freeBytes: .test, hangLimit: .milliseconds(50))
        let gate = Gate(), begun = Collected<Int>()
        defer { gate.open() }
        place.beforeLook { gate.wait() }
        let reader = DirectoryReader(place)
        let count = DirectoryReader.threads + 3
        let reads = (0..<count).map { number in
            Task { () -> DiskError? in
                do throws(DiskError) {
                    try await reader.read {
                        begun.append(number)
                        gate.wait()
                    }
                    return nil
                } catch {
                    return error
                }
            }
        }
        try await until("as many reads hang as there are threads") { gate.waiting == DirectoryReader.threads }
        place.rehearse(silentLogger)
        try await until("the hang is known") { place.hang != nil }
        reader.relieve(now: .now)
        for read in reads { #expect(await read.value?.underlying == ETIMEDOUT) }
        // Known to hang, it is not asked at all.
        await #expect(throws: DiskError.self) { try await reader.read { begun.append(-1) } }
        gate.open()
        try await until("it answers again") { place.hang == nil }
        #expect(try await reader.read { () throws(DiskError) in 7 } == 7)
        #expect(begun.count == DirectoryReader.threads, "reads that were given up are not made later")
    }
}
