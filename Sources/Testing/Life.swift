import CallreelCore
import Foundation

/// The operations of a sink, as messages name them.
enum Verb: String, Sendable {
    case open, write, event, checkpoint, finish, repair, decode
    case letGo = "deinit"
    case destination = "a closure of the plan's destination"
    case answers = "refusal or frameLimit"
}

/// An error thrown by a sink, and the operation that threw it.
struct LifeError: Error, CustomStringConvertible {
    let verb: Verb
    let error: SinkError

    var description: String { "\(verb.rawValue): \(error)" }
}

/// A moment between two operations of a sink. The kit may change the sink's destination there.
enum Moment: Equatable {
    /// Before a chunk, after so many frames.
    case chunk(after: Int)
    /// After the last chunk.
    case finish
}

/// The receipt and the files of a finished sink.
struct Outcome: Sendable {
    let receipt: SinkReceipt
    let files: [LeftFile]

    /// The samples of all files, one after the other. Nil if a file cannot be decoded into the call's own samples.
    var samples: [Int16]? {
        var all: [Int16] = []
        for file in files {
            guard let audio = file.audio, audio.file.isLossless else { return nil }
            all += audio.samples
        }
        return files.isEmpty ? nil : all
    }

    /// The frames of all files, counted by decoding. Nil if a file cannot be decoded.
    var decodedFrames: Int? {
        let counts = files.compactMap { $0.audio?.file.frames }
        return files.isEmpty || counts.count < files.count ? nil : counts.reduce(0, +)
    }
}

/// A file made by a sink.
struct LeftFile: Sendable {
    let name: String
    let data: Data
    /// The decoded audio. Nil if the sink does not decode such files, or failed to.
    let audio: DecodedAudio?
    /// The reason why decoding failed.
    let problem: String?
}

/// The audio of a decoded file.
struct DecodedAudio: Sendable {
    var file: DecodedFile
    var samples: [Int16]
}

/// Runs a sink's instances, from open to their end.
enum Life<Sink: AudioSink & ~Copyable> {
    /// Runs an instance to its regular end.
    /// - Parameters:
    ///   - events: events to give, each before the chunk that begins at its frame, or after the last chunk.
    ///   - isPart: true ends a part of a call that goes on.
    ///   - meddle: called before each chunk and before `finish`.
    static func run(
        _ options: Sink.Options, _ context: SinkContext, _ chunks: [PCMChunk], checkpoints: Bool = false,
        events: [CallEvent] = [], isPart: Bool = false,
        meddle: (Moment) async -> Void = { _ in }
    ) async throws(LifeError) -> SinkReceipt {
        var sink = try await open(options, context)
        var done = 0
        do throws(LifeError) {
            // A sink that replaces another may get a checkpoint before its first chunk.
            if checkpoints { try await checkpoint(&sink) }
            for chunk in chunks {
                await meddle(.chunk(after: done))
                for event in events where event.frame == chunk.start { try await give(&sink, event) }
                try await write(&sink, chunk)
                done += chunk.frameCount
                if checkpoints { try await checkpoint(&sink) }
            }
            let last = chunks.last?.end ?? .start
            for event in events where event.frame == last { try await give(&sink, event) }
        } catch {
            letGo(sink)
            throw error
        }
        await meddle(.finish)
        return try await finish(sink, after: chunks, isPart: isPart)
    }

    static func give(_ sink: inout Sink, _ event: CallEvent) async throws(LifeError) {
        let run = Watch.begin(.event)
        defer { run.end() }
        do throws(SinkError) { try await sink.event(event) } catch { throw LifeError(verb: .event, error: error) }
    }

    /// Runs an instance with one checkpoint and some more chunks, and then releases it without
    /// `finish`, as when the program dies.
    /// - Parameter atCheckpoint: called with the number of frames so far when the checkpoint has returned.
    static func abandon(
        _ options: Sink.Options, _ context: SinkContext, _ chunks: [PCMChunk], checkpointAfter count: Int,
        atCheckpoint: (Int) -> Void = { _ in }
    ) async throws(LifeError) {
        var sink = try await open(options, context)
        var done = 0
        do throws(LifeError) {
            for (index, chunk) in chunks.enumerated() {
                try await write(&sink, chunk)
                done += chunk.frameCount
                guard index + 1 == count else { continue }
                try await checkpoint(&sink)
                atCheckpoint(done)
            }
        } catch {
            letGo(sink)
            throw error
        }
        letGo(sink)
    }

    static func open(_ options: Sink.Options, _ context: SinkContext) async throws(LifeError) -> Sink {
        let run = Watch.begin(.open)
        defer { run.end() }
        do throws(SinkError) {
            return try await Sink(options: options, context: context)
        } catch {
            throw LifeError(verb: .open, error: error)
        }
    }

    static func write(_ sink: inout Sink, _ chunk: PCMChunk) async throws(LifeError) {
        let run = Watch.begin(.write)
        defer { run.end() }
        do throws(SinkError) { try await sink.write(chunk) } catch { throw LifeError(verb: .write, error: error) }
    }

    static func checkpoint(_ sink: inout Sink) async throws(LifeError) {
        let run = Watch.begin(.checkpoint)
        defer { run.end() }
        do throws(SinkError) { try await sink.checkpoint() } catch { throw LifeError(verb: .checkpoint, error: error) }
    }

    /// Finishes an instance after the last chunk of a call, or of a part.
    static func finish(
        _ sink: consuming Sink, after chunks: [PCMChunk], isPart: Bool = false
    ) async throws(LifeError) -> SinkReceipt {
        let end = CallEnd(reason: isPart ? nil : "the call ended", frames: chunks.last?.end.frames ?? 0)
        let run = Watch.begin(.finish)
        defer { run.end() }
        do throws(SinkError) { return try await sink.finish(end) } catch {
            throw LifeError(verb: .finish, error: error)
        }
    }

    /// Releases the sink without `finish`.
    static func letGo(_ sink: consuming Sink) {
        let run = Watch.begin(.letGo)
        _ = consume sink
        run.end()
    }

    /// Repairs a file that was not finished.
    static func repair(_ path: String, _ format: AudioFormat, dryRun: Bool) throws(SinkError) -> FileRepair? {
        let run = Watch.begin(.repair)
        defer { run.end() }
        return try Sink.repair(path, format: format, dryRun: dryRun)
    }

    /// Reads and decodes the files created through a context, as they are now.
    static func files(_ context: SinkContext) -> [LeftFile] {
        context.createdFiles.map { name in
            let path = context.directory + "/" + name
            // A missing file breaks another rule.
            guard let data = contents(path) else { return LeftFile(name: name, data: Data(), audio: nil, problem: nil) }
            do throws(SinkError) {
                return LeftFile(name: name, data: data, audio: try decode(path, context.format), problem: nil)
            } catch {
                return LeftFile(name: name, data: data, audio: nil, problem: error.description)
            }
        }
    }

    /// Decodes a file. Returns nil if the sink does not decode such files.
    static func decode(_ path: String, _ format: AudioFormat) throws(SinkError) -> DecodedAudio? {
        let run = Watch.begin(.decode)
        defer { run.end() }
        var samples: [Int16] = []
        let file = try Sink.decode(path, format: format) { piece in
            for index in piece.indices { samples.append(piece[index]) }
        }
        return file.map { DecodedAudio(file: $0, samples: samples) }
    }
}
