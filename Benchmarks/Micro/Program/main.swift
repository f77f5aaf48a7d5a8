// Measures each piece on the path of an audio frame by itself: Benchmarks/run --scenario micro
//
// A frame is 20 ms at 16 kHz, 640 bytes. One read of a live call brings ten. Figures are CPU time of the process.

import CallreelCore
import CallreelSinks
import Foundation

let framesPerRead = 10
let read = SocketRead(frames: framesPerRead, payload: 640)
var stopwatch = Stopwatch()

let target = UnsafeMutableRawBufferPointer.allocate(byteCount: 640, alignment: 16)
stopwatch.measure("copy 640 bytes (memcpy)", frames: framesPerRead) {
    read.copyAll(into: target)
    keep(target)
}
stopwatch.measure("unmask", frames: framesPerRead) {
    read.unmaskAll(into: target)
    keep(target)
}

let decoding = DecodingLoop()
stopwatch.measure("decode frames into samples", frames: framesPerRead) { keep(decoding.take(read)) }

for sinks in [1, 3] {
    let handover = try Handover(framesPerRead: framesPerRead, sinks: sinks)
    var samples: [Double] = []
    for _ in 0..<9 { samples.append(try await handover.nanoseconds()) }
    stopwatch.add("hand over to \(sinks) sink\(sinks == 1 ? "" : "s")", samples)
}

// Sinks write one minute's audio over and over into growing files. The system's share of a write is in the figure.
let minute = chunks(count: 300, frames: framesPerRead * 320)
let room = try SinkRoom()

do {
    let descriptor = open(room.path + "/plain", O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    precondition(descriptor >= 0, "no file can be made in \(room.path)")
    stopwatch.measure("write(2), 6400 bytes", frames: minute.count * framesPerRead) {
        for chunk in minute {
            let written = chunk.withSamples { samples in
                samples.withUnsafeBytes { write(descriptor, $0.baseAddress!, $0.count) }
            }
            precondition(written == chunk.frameCount * 2, "the disk is full")
        }
        // Rewinds, because a file of many hours would be another measurement.
        lseek(descriptor, 0, SEEK_SET)
    }
    close(descriptor)
}

stopwatch.add("raw sink", try await writing(minute, in: room) { try RawSink(options: .init(), context: $0) })
stopwatch.add("WAV sink", try await writing(minute, in: room) { try WAVSink(options: .init(), context: $0) })
stopwatch.add("FLAC sink, level 5", try await writing(minute, in: room) { try FLACSink(options: .init(), context: $0) })

stopwatch.report()
