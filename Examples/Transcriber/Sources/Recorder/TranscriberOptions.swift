import CallreelCore

/// Options of a `{"type": "transcriber"}` entry.
struct TranscriberOptions: Configurable {
    var command = ["whisper-cli", "--file"]
    var sink = "wav"

    static let fields: [Field<Self>] = [
        Field.strings(
            "command", \.command, of: "a program and its arguments",
            "The program and its arguments. The path of an audio file follows. The program prints the text."
        ).required(),
        .string("sink", \.sink, type: "name of a sink", "The sink whose files the program gets, part by part."),
    ]
}
