// Which of a realtime conversation's items the model has in its caches, and what it still has to be told.
import Foundation
import Lyra

/// The model's conversation, and the items that are in it.
struct RealtimeHistory: Sendable {
    private var conversation: Conversation?
    private var known: [Known] = []
    private var instructions: String?

    /// An item as the model knows it; another answer makes it another.
    fileprivate struct Known: Equatable {
        var id: String
        var answer: String

        init(_ item: RealtimeItem) { (id, answer) = (item.id, item.answer) }
    }

    /// What to do for the next reply.
    struct Plan: Sendable {
        let conversation: Conversation
        /// Exchanges the model is told of.
        let exchanges: [(parts: [Part], answer: String)]
        let question: [Part]
        fileprivate let covered: [Known]
        fileprivate let instructions: String?

        /// The history once the reply is complete.
        func completed(by reply: RealtimeItem) -> RealtimeHistory {
            RealtimeHistory(conversation: conversation, known: covered + [Known(reply)], instructions: instructions)
        }

        /// The history when the reply was given up: the model has forgotten the question.
        func abandoned(toldAll: Bool) -> RealtimeHistory {
            guard toldAll else { return RealtimeHistory() }
            let last = covered.lastIndex { !$0.answer.isEmpty }
            return RealtimeHistory(
                conversation: conversation, known: Array(covered.prefix(last.map { $0 + 1 } ?? 0)), instructions: instructions)
        }
    }

    /// The conversation is gone on with if its items are still what they were; else it is told anew, which is cheap where
    /// sound has been encoded before.
    func plan(_ items: [RealtimeItem], instructions: String?, lyra: Lyra, owner: String) -> Plan {
        let items = items.filter { $0.status != "in_progress" }
        let all = items.map(Known.init)
        let isGoingOn = conversation != nil && instructions == self.instructions && all.starts(with: known)
        let system = ([instructions] + items.filter { $0.role == .system }.map { $0.content.map(Self.text).joined() }).compactMap { $0 }
        let talk = isGoingOn ? conversation : nil
        var exchanges: [(parts: [Part], answer: String)] = [], pending: [Part] = []
        for item in items.dropFirst(isGoingOn ? known.count : 0) {
            switch item.role {
            case .system: continue
            case .user: pending += item.content.map(\.part)
            case .assistant:
                exchanges.append((pending, item.answer))
                pending = []
            }
        }
        return Plan(
            conversation: talk
                ?? (system.isEmpty
                    ? lyra.conversation(owner: owner) : lyra.conversation(system: system.joined(separator: "\n"), owner: owner)),
            exchanges: exchanges, question: pending.isEmpty ? [.text("")] : pending, covered: all, instructions: instructions)
    }

    private static func text(_ content: RealtimeItem.Content) -> String {
        if case .text(let text) = content.part { text } else { "" }
    }
}
