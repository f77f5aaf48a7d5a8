import CallreelCore

/// A step of publication or recovery after which a program may die. Tests end the program at each step.
enum StoreStep: String, CaseIterable, Sendable {
    /// The ledger of an unfinished call was replaced.
    case saved
    /// A file of an interrupted call was repaired.
    case repaired
    /// A file is on stable storage and measured.
    case sealed
    /// A file has its published name.
    case linked
    /// The final manifest is in the call's directory.
    case prepared
    /// The manifest has its published name: the call is published.
    case published
    /// A file has lost its name under the call's directory.
    case released
    /// A published manifest was replaced.
    case updated
    /// A file beyond repair was put aside.
    case setAside
    /// The call's directory is gone.
    case discarded
}
