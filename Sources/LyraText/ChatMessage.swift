// What a conversation is made of.
import Foundation

/// Something other than text that a message can hold. The model's prompt has one placeholder for each.
public enum Medium: String, Sendable, Hashable, CaseIterable {
    case image, video, speech
}

/// A piece of a message.
public enum ContentPart: Sendable, Hashable {
    case text(String)
    case media(Medium)

    public static let image = ContentPart.media(.image)
    public static let video = ContentPart.media(.video)
    public static let speech = ContentPart.media(.speech)
}

/// One turn of a conversation.
public struct ChatMessage: Sendable, Hashable {
    public enum Role: String, Sendable, Hashable, CaseIterable {
        case system, user, assistant
    }

    public var role: Role
    /// In the order the reader meets them.
    public var content: [ContentPart]

    public init(_ role: Role, _ content: [ContentPart]) {
        self.role = role
        self.content = content
    }

    public init(_ role: Role, _ text: String) { self.init(role, [.text(text)]) }

    /// All text of the message, without its media.
    public var text: String {
        content.reduce(into: "") { text, part in if case .text(let piece) = part { text += piece } }
    }
}

extension ChatMessage {
    /// Where pictures go in a message read from a training file.
    public enum MarkerOrder: Sendable, Hashable {
        /// Every medium stays where its marker is.
        case asWritten
        /// As the release does: all pictures and videos first, whatever place the text gives them.
        case picturesFirst
    }

    /// Reads a message as data files write it, with the markers `<image>`, `<video>` and `<speech>` in the text.
    ///
    /// Line breaks that only set a marker apart are dropped: those around a picture or video, and one after a speech
    /// (``ChatTemplate`` writes it itself). Use it for files whose text is meant to hold markers; text by users belongs
    /// in ``ContentPart/text(_:)``, where a marker means nothing.
    /// - Parameter media: whose markers count; those of others are text.
    public init(_ role: Role, marked text: String, order: MarkerOrder = .asWritten, media: [Medium] = Medium.allCases) {
        var parts = Placeholder.split(text, media: media).map { piece -> ContentPart in
            switch piece {
            case .placeholder(let medium): .media(medium)
            case .text(let text): .text(String(text))
            }
        }
        let pictures = parts.filter(\.isPicture)
        if order == .picturesFirst, !pictures.isEmpty {
            let markers = media.filter { $0 != .speech }.map { "<\($0.rawValue)>" }
            let rest = Placeholder.split(Self.trimmed(text, without: markers), media: media.filter { $0 == .speech })
            parts = pictures + rest.map { piece in
                if case .text(let text) = piece { .text(String(text)) } else { .speech }
            }
        }
        self.init(role, Self.withoutMarkerBreaks(parts))
    }

    private static func trimmed(_ text: String, without markers: [String]) -> String {
        var text = text
        for marker in markers { text = text.replacingOccurrences(of: marker, with: "") }
        return text.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    private static func withoutMarkerBreaks(_ parts: [ContentPart]) -> [ContentPart] {
        var result: [ContentPart] = []
        for (index, part) in parts.enumerated() {
            guard case .text(let whole) = part else { result.append(part); continue }
            var text = whole[...]
            let before = index > 0 ? parts[index - 1] : nil
            if before == .speech, text.first?.isNewline == true { text.removeFirst() }
            if before?.isPicture == true { text = text.drop(while: \.isNewline) }
            if index + 1 < parts.count, parts[index + 1].isPicture {
                while text.last?.isNewline == true { text.removeLast() }
            }
            if !text.isEmpty { result.append(.text(String(text))) }
        }
        return result
    }
}

extension ContentPart {
    fileprivate var isPicture: Bool { self == .image || self == .video }
}
