import CallreelEngine

/// The source of a call whose test does not wait for room.
struct IdleSource: CallSource {
    func roomForMore() {}
}
