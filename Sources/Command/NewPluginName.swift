import CallreelCore

/// The names of a new plug-in: its Swift type, its name in the configuration, its program.
struct NewPluginName {
    /// The most characters of a name. A name also stands in file names, and an entry's name has this limit.
    private static let limit = 32

    /// The name without the family, with a capital: `Peak`.
    let stem: String
    /// The name in the configuration: `peak`.
    let type: String
    /// The name of the Swift type: `PeakSink`.
    let swiftType: String
    /// The name of the program and the package: `peak-recorder`.
    let program: String

    /// Makes the names from the one that the author chose. A family at its end counts as part of the Swift type alone:
    /// `PeakSink` and `Peak` are the same.
    /// - Throws: the reason why the name cannot be used.
    init(_ name: String, _ family: PluginFamily, known plugins: Plugins) throws(NewPluginMistake) {
        guard let first = name.first, first.isASCII, first.isLetter,
            name.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber) })
        else {
            throw NewPluginMistake(
                description: "\(name.debugDescription) is not a name such as Peak: a letter, then letters and digits")
        }
        guard name.count <= Self.limit else {
            throw NewPluginMistake(description: "\"\(name)\" has more than \(Self.limit) characters")
        }
        let short = name.hasSuffix(family.suffix) ? String(name.dropLast(family.suffix.count)) : name
        guard let head = short.first else {
            throw NewPluginMistake(description: "\"\(name)\" is the name of the family; choose one such as Peak")
        }
        stem = head.uppercased() + short.dropFirst()
        type = Self.lowercased(short)
        swiftType = stem + family.suffix
        program = stem.lowercased() + "-recorder"
        for word in [name, short, type] where Self.keywords.contains(word) {
            throw NewPluginMistake(description: "\"\(word)\" is a keyword of Swift; choose another name")
        }
        if let taken = family.types(in: plugins).first(where: { $0.lowercased() == type.lowercased() }) {
            throw NewPluginMistake(
                description: "this program has a \(family.rawValue) type \"\(taken)\" already; choose another name")
        }
        if Self.protocols.contains(swiftType) {
            throw NewPluginMistake(
                description: "\(swiftType) is a name of Callreel's own interface; choose another name")
        }
        // An entry without a name has its type's, and these words have a meaning in the names of files.
        let word = type.lowercased()
        if family == .sink, word == "fallback" || word == "json" || PartName.isMark(word) {
            throw NewPluginMistake(description: "\"\(type)\" is a reserved name; choose another name")
        }
    }

    /// Returns a name with a small beginning: `peak` for `Peak`, `vad` for `VAD`, `httpUpload` for `HTTPUpload`.
    private static func lowercased(_ name: String) -> String {
        let capitals = name.prefix { $0.isUppercase }
        guard capitals.count > 1, capitals.count < name.count else {
            return capitals.lowercased() + name.dropFirst(capitals.count)
        }
        // The last capital begins the next word, unless a digit follows it.
        let next = name[capitals.endIndex].isLetter ? 1 : 0
        return capitals.dropLast(next).lowercased() + name.dropFirst(capitals.count - next)
    }

    /// Public names of the modules that a plug-in imports, which a new type must not hide.
    private static let protocols: Set = ["AudioSink"]

    /// The reserved words of Swift (The Swift Programming Language, "Lexical Structure": keywords in declarations, in
    /// statements, and in expressions and types). Words that are reserved only in some places are good names.
    private static let keywords: Set = [
        "Any", "Self", "as", "associatedtype", "await", "break", "case", "catch", "class", "continue", "default",
        "defer", "deinit", "do", "else", "enum", "extension", "fallthrough", "false", "fileprivate", "for", "func",
        "guard", "if", "import", "in", "init", "inout", "internal", "is", "let", "nil", "open", "operator",
        "precedencegroup", "private", "protocol", "public", "repeat", "rethrows", "return", "self", "static", "struct",
        "subscript", "super", "switch", "throw", "throws", "true", "try", "typealias", "var", "where", "while",
    ]
}
