// Placeholders: the negative ids that stand in a prompt where pictures and speech will be inserted, and how strings
// with markers become ids.

/// Ids that stand for media. They are not in the vocabulary; the model replaces each by the medium's embeddings.
public enum Placeholder {
    /// A picture or a video.
    public static let image: Int32 = -200
    public static let speech: Int32 = -500

    public static func id(of medium: Medium) -> Int32 { medium == .speech ? speech : image }

    enum Piece {
        case text(Substring)
        case placeholder(Medium)
    }

    /// Cuts text at the markers `<image>`, `<video>`, `<speech>` (or those of `media`).
    static func split(_ text: String, media: [Medium] = Medium.allCases) -> [Piece] {
        let markers = media.map { (medium: $0, marker: Array("<\($0.rawValue)>".utf8)) }
        let utf8 = text.utf8
        var pieces: [Piece] = []
        var start = text.startIndex  // of the text not yet given out
        var index = start
        while let open = utf8[index...].firstIndex(of: UInt8(ascii: "<")) {
            guard let found = markers.first(where: { utf8[open...].starts(with: $0.marker) }) else {
                index = utf8.index(after: open)
                continue
            }
            if open > start { pieces.append(.text(text[start..<open])) }
            pieces.append(.placeholder(found.medium))
            start = utf8.index(open, offsetBy: found.marker.count)
            index = start
        }
        if start < text.endIndex { pieces.append(.text(text[start...])) }
        return pieces
    }
}

/// Turns a finished prompt string, with markers and control tokens in it, into ids.
///
/// Whoever writes the string decides what is a marker, so it must not hold text by users; ``ChatTemplate`` keeps the two
/// apart.
public enum PlaceholderTokenizer: Sendable, Hashable {
    /// Every marker, wherever it stands and however many there are.
    case everyMarker
    /// As the release reads prompts without pictures: `<speech>` is a marker, `<image>` is text.
    case releaseSpeech
    /// As the release reads prompts with pictures: the first marker is taken for a picture and the second for speech,
    /// whatever they say; a third and everything after it is dropped.
    case releaseImageSpeech

    public func encode(_ prompt: String, with tokenizer: Tokenizer) -> [Int32] {
        var ids: [Int32] = []
        switch self {
        case .everyMarker:
            for piece in Placeholder.split(prompt) { Self.append(piece, to: &ids, tokenizer) }
        case .releaseSpeech:
            for piece in Placeholder.split(prompt, media: [.speech]) { Self.append(piece, to: &ids, tokenizer) }
        case .releaseImageSpeech:
            var placeholders = [Placeholder.image, Placeholder.speech][...]
            for piece in Placeholder.split(prompt, media: [.image, .speech]) {
                guard case .placeholder = piece else { Self.append(piece, to: &ids, tokenizer); continue }
                guard let id = placeholders.popFirst() else { return ids }
                ids.append(id)
            }
        }
        return ids
    }

    private static func append(_ piece: Placeholder.Piece, to ids: inout [Int32], _ tokenizer: Tokenizer) {
        switch piece {
        case .text(let text): ids += tokenizer.encode(String(text))
        case .placeholder(let medium): ids.append(Placeholder.id(of: medium))
        }
    }
}
