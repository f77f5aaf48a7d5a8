import Testing

@testable import CallreelCore

@Suite struct PathTests {
    @Test(arguments: [
        ("a/b", "a", "b"), ("a", "", "a"), ("/a", "/", "a"), ("/", "/", "/"), ("", "", ""), ("a/b/", "a", "b"),
        ("a//b", "a", "b"),
        ("~/a", "~", "a"), ("~", "", "~"), ("é", "", "é"), ("./a", ".", "a"), ("//a", "/", "a"),
        ("a/\u{301}b", "a", "\u{301}b"), ("a\0b/c", "a\0b", "c"), ("/a/../b", "/a/..", "b"), ("..", "", ".."),
    ])
    func `a path has a parent and a last component, however short it is`(path: String, parent: String, last: String) {
        #expect(path.parentPath == parent)
        #expect(path.lastPathComponent == last)
    }

    @Test(arguments: [
        ("a/b.wav", "wav"), ("a.b/c", ""), (".hidden", ""), ("a.", ""), ("a.b.c", "c"), ("", ""), (".", ""),
    ])
    func `an ending is what follows the last dot of the name`(path: String, ending: String) {
        #expect(path.pathExtension == ending)
    }

    @Test func `a path that only a shell understands is a mistake`() {
        for path in ["~", "~/recordings", "~root/x", "", "a\0b"] { #expect(path.mistakeAsPath != nil, "\(path)") }
        for path in ["a", "a~", "./~", "/~", "r"] { #expect(path.mistakeAsPath == nil, "\(path)") }
    }
}
