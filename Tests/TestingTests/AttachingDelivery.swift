import CallreelCore
import Foundation

/// A delivery whose only product is an attachment: the number of bytes of a recording, or less.
struct AttachingDelivery: Delivery {
    enum Flaw: String, CaseIterable, Sendable { case none, attachesNothing, attachesTheSame, attachesEmpty }

    struct Options: Configurable {
        var flaw = Flaw.none

        init() {}
        init(_ flaw: Flaw) { self.flaw = flaw }

        static let fields: [Field<Self>] = [.choice("flaw", \.flaw, "What is wrong.")]
    }

    static let type = "attaching"
    static let summary = "measures recordings"

    private let flaw: Flaw

    init(options: Options, context: DeliveryContext) { flaw = options.flaw }

    func deliver(_ recording: PublishedRecording) async throws(DeliveryError) -> DeliveryReceipt {
        var text = ""
        for file in recording.files {
            guard let data = FileManager.default.contents(atPath: file.path) else {
                throw DeliveryError("cannot read \(file.path.debugDescription)")
            }
            text += "\(data.reduce(0) { $0 &+ Int($1) })\n"
        }
        switch flaw {
        case .none: return DeliveryReceipt(attachments: [.init("sums", Array(text.utf8))])
        case .attachesNothing: return DeliveryReceipt(details: ["sums": .string(text)])
        case .attachesTheSame: return DeliveryReceipt(attachments: [.init("sums", [7])])
        case .attachesEmpty: return DeliveryReceipt(attachments: [.init("sums", [])])
        }
    }
}
