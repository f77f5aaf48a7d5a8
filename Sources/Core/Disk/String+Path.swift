extension String {
    private static let slash = UInt8(ascii: "/")

    /// The path of the enclosing directory: `a` for `a/b`, nothing for `a`, `/` for `/a` and for `/`.
    ///
    /// Works on the text alone: reads no disk and knows no home directory. Foundation's own `deletingLastPathComponent`
    /// expands `~` and traps on relative paths of one character. swift-system's `FilePath` agrees, but in a debug build
    /// the histories on the simulated disk, which ask this all the time, took three times as long with it.
    package var parentPath: String {
        let path = Self.withoutLastSlashes(self[...])
        if path.isEmpty { return isEmpty ? "" : "/" }
        guard let cut = path.utf8.lastIndex(of: Self.slash) else { return "" }
        let parent = Self.withoutLastSlashes(path[..<cut])
        return parent.isEmpty ? "/" : String(parent)
    }

    /// The last component of the path: `b` for `a/b` and for `a/b/`; `/` for `/`.
    package var lastPathComponent: String {
        let path = Self.withoutLastSlashes(self[...])
        if path.isEmpty { return isEmpty ? "" : "/" }
        guard let cut = path.utf8.lastIndex(of: Self.slash) else { return String(path) }
        return String(path[path.utf8.index(after: cut)...])
    }

    /// The text behind the last dot of the last component: `wav` for `a/b.wav`.
    /// Empty for a name whose only dot comes first.
    package var pathExtension: String {
        let name = lastPathComponent
        guard let dot = name.utf8.lastIndex(of: UInt8(ascii: ".")), dot > name.startIndex else { return "" }
        return String(name[name.utf8.index(after: dot)...])
    }

    private static func withoutLastSlashes(_ path: Substring) -> Substring {
        guard let last = path.utf8.lastIndex(where: { $0 != slash }) else { return path[..<path.startIndex] }
        return path[..<path.utf8.index(after: last)]
    }

    /// The mistake in a configured directory's path, as far as the text shows one; nil if there is none.
    package var mistakeAsPath: String? {
        if isEmpty || utf8.contains(0) { return "is not a path such as \"/mnt/archive\"" }
        // Only a shell expands `~`. Without this check, Callreel would make a directory of that name.
        if hasPrefix("~") {
            return "begins with ~, which only a shell expands; write the full path, or \"${HOME}/recordings\""
        }
        return nil
    }
}
