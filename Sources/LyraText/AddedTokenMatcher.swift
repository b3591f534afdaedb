// Finds added tokens in text: at each place the longest one that fits, from left to right.

struct AddedTokenMatcher: Sendable {
    /// Candidates by first byte, longest first.
    private var candidates: [UInt8: [(content: [UInt8], token: AddedToken)]] = [:]
    private var begins = [Bool](repeating: false, count: 256)

    init(_ tokens: [AddedToken]) {
        for token in tokens {
            let content = Array(token.content.utf8)
            guard let first = content.first else { continue }
            candidates[first, default: []].append((content, token))
            begins[Int(first)] = true
        }
        for first in candidates.keys { candidates[first]?.sort { $0.content.count > $1.content.count } }
    }

    enum Piece: Equatable {
        /// A stretch of plain text, as a range of bytes.
        case text(Range<Int>)
        case token(Int32)
    }

    func split(_ text: UnsafeBufferPointer<UInt8>) -> [Piece] {
        if candidates.isEmpty { return text.isEmpty ? [] : [.text(0..<text.count)] }
        var pieces: [Piece] = []
        var start = 0
        var index = 0
        begins.withUnsafeBufferPointer { begins in
            while index < text.count {
                guard begins[Int(text[index])], let (length, token) = match(text, at: index) else { index += 1; continue }
                var end = index
                if token.stripsLeft { while end > start, Self.isSpace(text[end - 1]) { end -= 1 } }
                if end > start { pieces.append(.text(start..<end)) }
                pieces.append(.token(token.id))
                index += length
                if token.stripsRight { while index < text.count, Self.isSpace(text[index]) { index += 1 } }
                start = index
            }
        }
        if start < text.count { pieces.append(.text(start..<text.count)) }
        return pieces
    }

    private func match(_ text: UnsafeBufferPointer<UInt8>, at index: Int) -> (Int, AddedToken)? {
        for (content, token) in candidates[text[index]] ?? [] where content.count <= text.count - index {
            if text[index..<index + content.count].elementsEqual(content) { return (content.count, token) }
        }
        return nil
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
}
