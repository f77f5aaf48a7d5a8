public import CallreelCore

/// Checks a filter against the contract in `Docs/Internals/FilterContract.md`, and returns the violations. An empty
/// list means that the filter keeps the contract.
///
/// The kit passes calls through the filter: tones, noise, long silences, masked and inserted silence, in every shape of
/// a call's audio and in chunks of many sizes. For each broken rule the list has the first case.
///
/// ```swift
/// @Test func `the filter keeps the contract`() throws {
///     try requireFilterContract(MyFilter.self)
/// }
/// ```
/// - Parameters:
///   - filter: the filter type.
///   - options: the option sets to check with; none means the defaults.
public func checkFilterContract<Filter: AudioFilter>(
    _ filter: Filter.Type, options: Filter.Options...
) -> [FilterContractViolation] {
    check(filter, options)
}

/// Checks a filter like ``checkFilterContract(_:options:)``, and throws an error that lists the violations.
/// - Parameters:
///   - filter: the filter type.
///   - options: the option sets to check with; none means the defaults.
public func requireFilterContract<Filter: AudioFilter>(_ filter: Filter.Type, options: Filter.Options...) throws {
    let found = check(filter, options)
    if !found.isEmpty { throw FilterContractError(violations: found) }
}

private func check<Filter: AudioFilter>(_ filter: Filter.Type, _ sets: [Filter.Options]) -> [FilterContractViolation] {
    var violations: [FilterContractViolation] = []
    for options in sets.isEmpty ? [Filter.Options()] : sets {
        var bench = FilterBench<Filter>(options)
        bench.run()
        for found in bench.violations where !violations.contains(where: { $0.rule == found.rule }) {
            violations.append(found)
        }
    }
    return violations
}
