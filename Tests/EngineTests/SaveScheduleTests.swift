import Testing

@testable import CallreelCore
@testable import CallreelEngine

@Suite struct SaveScheduleTests {
    private let saves = SaveSchedule(bell: Bell())

    @Test func `nothing is saved until a change is noted`() {
        #expect(!saves.isDue(.now) && saves.take() == nil)
        saves.note()
        #expect(saves.isDue(.now) && saves.take() != nil)
        #expect(!saves.isDue(.now + .seconds(60)))
    }

    @Test func `a change after a save waits for the next one, and a new file does not`() {
        saves.note()
        _ = saves.take()
        saves.note()
        #expect(saves.take() == nil && saves.isDue(.now + SaveSchedule.interval))
        saves.demand()
        #expect(saves.take() != nil)
    }

    @Test func `a slow disk is spared, but not if a file was made during the save`() throws {
        saves.note()
        let planned = try #require(saves.take())
        saves.spare(after: .seconds(10), planned: planned)
        saves.note()
        #expect(!saves.isDue(.now + .seconds(59)) && saves.isDue(.now + .seconds(61)))
        saves.demand()
        let next = try #require(saves.take())
        saves.demand()
        saves.spare(after: .seconds(10), planned: next)
        #expect(saves.isDue(.now))
    }

    @Test func `a failed save is tried again after a while`() {
        saves.note()
        _ = saves.take()
        saves.fail()
        #expect(!saves.isDue(.now + .seconds(9)) && saves.isDue(.now + .seconds(11)))
    }
}
