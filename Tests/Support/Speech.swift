public import Foundation

/// Real speech: 11 s, 16 kHz, mono, 16-bit, from 1961 and in the public domain.
public enum Speech {
    /// The WAV file.
    public static let path = fixture("jfk.wav")

    /// Returns its 352,000 bytes of PCM, as Python's `wave` reads them.
    public static func pcm() async throws -> Data {
        try await Judge.python(
            "import sys, wave; sys.stdout.buffer.write(wave.open(sys.argv[1]).readframes(1 << 30))", [path])
    }

    /// Makes a file that repeats the speech. A call with it does not end too early on a busy machine.
    public static func long(_ times: Int, in directory: TemporaryDirectory) async throws -> String {
        let file = directory.path + "/long.wav"
        try await Program("sox").output([path, file, "repeat", "\(times - 1)"])
        return file
    }

    /// Returns the path of a file beside the tests.
    public static func fixture(_ name: String) -> String {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent(
            "Fixtures/\(name)"
        ).path
    }
}

/// Independent programs that examine Callreel's files.
public enum Judge {
    /// Runs Python code. The system's Python comes first, because setup installs the modules for it.
    public static func python(_ code: String, _ arguments: [String]) async throws -> Data {
        try await Program("python3").output(["-c", code] + arguments)
    }

    /// Returns the PCM of a WAV file, according to Python's `wave`: 16-bit samples of the stated rate.
    public static func wavPCM(_ path: String, rate: Int) async throws -> Data {
        try await python(
            "import sys, wave; f = wave.open(sys.argv[1]); assert f.getframerate() == int(sys.argv[2]) and f.getsampwidth() == 2, f.getparams(); "
                + "sys.stdout.buffer.write(f.readframes(f.getnframes()))", [path, String(rate)])
    }

    /// Returns the PCM of a FLAC file after `flac -t` has found it whole, MD5 included.
    public static func flacPCM(_ path: String) async throws -> Data {
        let flac = try Program("flac")
        let test = try await flac.run(["-t", "-w", "-s", path])
        guard test.status == 0, test.errors.isEmpty else {
            throw Program.Failure(description: "flac -t \(path): \(test.status) \(test.errors)")
        }
        return try await flac.output(["-d", "-s", "-c", "--force-raw-format", "--endian=little", "--sign=signed", path])
    }

    /// Returns the output of `sndfile-info` about a file.
    public static func soundFileInfo(_ path: String) async throws -> String {
        let result = try await Program("sndfile-info").run([path])
        return result.text + result.errors
    }
}
