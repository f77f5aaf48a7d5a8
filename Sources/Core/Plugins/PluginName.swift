/// The rules for names of plug-in types and their options. A broken rule is a programming error, and traps.
enum PluginName {
    /// Checks the name of a type.
    /// - Parameter family: the kind of plug-in, such as `sink`.
    static func check(_ type: String, _ family: String, isTaken: Bool) {
        precondition(
            type.first?.isLetter == true && type.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber) },
            "a \(family) type is a letter, then letters and digits; \"\(type)\" is not")
        precondition(!isTaken, "a \(family) type \"\(type)\" is registered already")
    }

    /// Checks that no option of a type hides a key that every entry has.
    static func check(_ options: [String], of type: String, besides envelope: [String]) {
        for option in options {
            precondition(
                !envelope.contains(option), "\"\(type)\" has an option \"\(option)\", which every entry has already")
        }
    }
}
