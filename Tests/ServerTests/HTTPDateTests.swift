import Foundation
import TestSupport
import Testing

@testable import CallreelServer

@Suite struct HTTPDateTests {
    @Test func `a time is written and read as other programs do`() async throws {
        let times = [
            0, 1, 784_111_777, 951_782_399, 951_782_400, 1_078_012_800, 4_107_542_399, 4_107_542_400, 32_503_680_000,
            253_402_300_799,
        ]
        let code =
            "import sys, email.utils\nprint('|'.join(email.utils.formatdate(int(t), usegmt=True) for t in sys.argv[1:]))"
        let texts = String(decoding: try await Judge.python(code, times.map(String.init)), as: UTF8.self).split(
            whereSeparator: { "|\n".contains($0) }
        )
        #expect(texts.map(String.init) == times.map(HTTPDate.text) && texts.count == times.count)
        for (time, text) in zip(times, texts) { #expect(HTTPDate.seconds(String(text)) == time) }
    }

    @Test(arguments: [
        "", "nonsense", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 25:49:37 GMT",
        "Sun, 06 Nov 99999999999999999999 08:49:37 GMT", "Sun, 32 Nov 1994 08:49:37 GMT", "Sun, 06 nov 1994 08:49 GMT",
    ])
    func `what is no such time is not read`(text: String) { #expect(HTTPDate.seconds(text) == nil) }

    @Test func `a file's time may be any number`() {
        #expect(HTTPDate.text(Int.min) == HTTPDate.text(0) && HTTPDate.text(Int.max) == HTTPDate.text(253_402_300_799))
    }
}
