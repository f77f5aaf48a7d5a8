import Foundation

/// A password, a token or a key in the configuration: a text that is never shown, or the name of the file that holds it.
///
/// Only ``value(at:)`` gives it away. Whatever prints, dumps or encodes a secret, or a value that holds one, gets
/// `(secret)` instead.
public struct Secret: Hashable, Sendable {
    /// What stands wherever a secret would.
    package static let shown = "(secret)"
    /// What a text begins with that names a file, such as `file:/run/secrets/password`.
    static let filePrefix = "file:"
    /// Bytes of a file with a secret; a longer one is a mistake.
    static let fileLimit = 1 << 16

    private let text: String
    private let minimum: Int

    /// Keeps a text as it stands in the configuration. Nothing is read yet, so that a configuration can be checked anywhere.
    /// - Parameter minimum: characters that the secret must have.
    init(_ text: String, minimum: Int) {
        self.text = text
        self.minimum = minimum
    }

    /// The file that holds the secret, if the text names one.
    var file: String? {
        guard text.hasPrefix(Self.filePrefix) else { return nil }
        let path = text.dropFirst(Self.filePrefix.count)
        return String(path.hasPrefix("//") ? path.dropFirst(2) : path)
    }

    /// What is wrong with the text, as far as that can be said without a disk.
    var mistake: String? {
        if let file { return file.isEmpty ? "names no file after \"\(Self.filePrefix)\"" : nil }
        return mistake(in: text)
    }

    private func mistake(in value: String) -> String? {
        if value.isEmpty { return "is empty; null is none" }
        return value.count < minimum ? "has less than \(minimum) characters" : nil
    }

    /// The secret itself, from its file if it is in one; one newline at the file's end does not belong to it. Blocks.
    /// - Parameter path: the key, for the error, which names the file and never what is in it.
    public func value(at path: ConfigurationPath) throws(ConfigurationProblem) -> String {
        guard let file else { return text }
        let data: Data
        do throws(FileContent.Failure) {
            data = try FileContent.read(file, limit: Self.fileLimit)
        } catch {
            if case .tooLarge = error { throw .init(at: path, "the file \(file.debugDescription) is not a short text") }
            throw .init(at: path, "the file \(file.debugDescription) \(error.isMissing ? "does not exist" : "cannot be read: \(error.reason)")")
        }
        guard var value = String(data: data, encoding: .utf8) else {
            throw .init(at: path, "the file \(file.debugDescription) is not a short text")
        }
        // One grapheme also where it is CR and LF.
        if value.last?.isNewline == true { value.removeLast() }
        if let mistake = mistake(in: value) { throw .init(at: path, "what the file \(file.debugDescription) holds \(mistake)") }
        return value
    }
}

extension Secret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { Self.shown }
    public var debugDescription: String { Self.shown }
    public var customMirror: Mirror { Mirror(self, children: []) }
}

extension [Secret] {
    /// The secrets themselves, in their order. Blocks.
    /// - Parameter path: the key, for the error.
    package func values(at path: ConfigurationPath) throws(ConfigurationProblem) -> [String] {
        var values: [String] = []
        for (index, secret) in enumerated() { values.append(try secret.value(at: count > 1 ? path.index(index) : path)) }
        return values
    }
}
