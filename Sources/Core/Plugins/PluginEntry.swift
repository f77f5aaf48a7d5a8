/// The type of an entry in one of the configuration's lists of plug-ins.
package enum PluginEntry {
    /// Returns the name of a registered type that an element of a list asks for. Reports the mistake otherwise.
    /// - Parameters:
    ///   - element: the element.
    ///   - place: the element's path.
    ///   - family: the kind of plug-in, such as `sink`.
    ///   - known: the registered types.
    ///   - example: the type to show in messages.
    package static func type(
        of element: JSONValue, at place: ConfigurationPath, family: String, known: [String], example: String,
        problems: inout [ConfigurationProblem]
    ) -> String? {
        guard case .object(let members) = element else {
            problems.append(.init(at: place, "\(element.found) is not a \(family) such as {\"type\": \"\(example)\"}"))
            return nil
        }
        let list = known.joined(separator: ", ")
        guard let type = members["type"] else {
            let near = "type".nearest(in: members.keys.sorted()).map { "; is \"\($0)\" meant to be \"type\"?" } ?? ""
            problems.append(.init(at: place.key("type"), "is missing; known types are \(list)\(near)"))
            return nil
        }
        guard let name = type.string, known.contains(name) else {
            let near = type.string?.nearest(in: known).map { "; did you mean \"\($0)\"?" } ?? ""
            problems.append(
                .init(at: place.key("type"), "\(type.found) is not a known type; known types are \(list)\(near)"))
            return nil
        }
        return name
    }
}
