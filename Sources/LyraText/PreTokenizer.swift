// Cuts text into the words that byte-pair merging works on. It does by hand what Qwen2's pattern says:
//
//     (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
//
// One pass, alternatives in the pattern's order; every byte of the text lands in exactly one word.

struct PreTokenizer {
    private let text: UnsafeBufferPointer<UInt8>
    private let classes: UnsafeBufferPointer<CharacterClass>
    private var start = 0
    /// A stretch of white space known to end at `spaceEnd`, so that a long one is measured once.
    private var spaceEnd = 0
    private var lastNewlineEnd = 0

    /// `text` must be valid UTF-8; `classes` is ``CharacterClass/basicPlane``.
    init(_ text: UnsafeBufferPointer<UInt8>, classes: UnsafeBufferPointer<CharacterClass>) {
        self.text = text
        self.classes = classes
    }

    /// The next word as a range of bytes, or nil at the end.
    mutating func next() -> Range<Int>? {
        guard start < text.count else { return nil }
        let end = wordEnd()
        defer { start = end }
        return start..<end
    }

    /// Class of the character at `index` and where the next one begins.
    @inline(__always)
    private func character(at index: Int) -> (CharacterClass, next: Int) {
        let first = text[index]
        if first < 0x80 { return (classes[Int(first)], index + 1) }
        if first < 0xE0 {
            return (classes[Int(first & 0x1F) << 6 | Int(text[index + 1] & 0x3F)], index + 2)
        }
        if first < 0xF0 {
            let value = Int(first & 0x0F) << 12 | Int(text[index + 1] & 0x3F) << 6 | Int(text[index + 2] & 0x3F)
            return (classes[value], index + 3)
        }
        let value = UInt32(first & 0x07) << 18 | UInt32(text[index + 1] & 0x3F) << 12
            | UInt32(text[index + 2] & 0x3F) << 6 | UInt32(text[index + 3] & 0x3F)
        return (Unicode.Scalar(value).map(CharacterClass.init(classifying:)) ?? .other, index + 4)
    }

    /// End of the run of characters of `wanted` that begins at `index`.
    @inline(__always)
    private func runEnd(of wanted: CharacterClass, from index: Int) -> Int {
        var end = index
        while end < text.count {
            let (kind, next) = character(at: end)
            if kind != wanted { break }
            end = next
        }
        return end
    }

    private mutating func wordEnd() -> Int {
        let (kind, next) = character(at: start)
        if text[start] == UInt8(ascii: "'"), let end = contractionEnd() { return end }

        if kind == .letter { return runEnd(of: .letter, from: next) }
        if kind == .number { return next }
        if kind != .newline, next < text.count, character(at: next).0 == .letter {
            return runEnd(of: .letter, from: next)
        }
        if kind == .other { return punctuationEnd(from: next) }
        if text[start] == UInt8(ascii: " "), next < text.count, character(at: next).0 == .other {
            return punctuationEnd(from: next)
        }
        return spaceWordEnd()
    }

    /// `[^\s\p{L}\p{N}]+[\r\n]*`, the first character already consumed or known to match.
    private func punctuationEnd(from index: Int) -> Int {
        runEnd(of: .newline, from: runEnd(of: .other, from: index))
    }

    /// `\s*[\r\n]+`, then `\s+(?!\S)`, then `\s+`.
    private mutating func spaceWordEnd() -> Int {
        if start >= spaceEnd { measureSpace() }
        if lastNewlineEnd > start { return lastNewlineEnd }
        if spaceEnd == text.count { return spaceEnd }
        let last = startOfCharacter(before: spaceEnd)
        return last > start ? last : spaceEnd
    }

    private mutating func measureSpace() {
        spaceEnd = start
        lastNewlineEnd = 0
        while spaceEnd < text.count {
            let (kind, next) = character(at: spaceEnd)
            if kind == .newline { lastNewlineEnd = next } else if kind != .space { break }
            spaceEnd = next
        }
    }

    private func startOfCharacter(before index: Int) -> Int {
        var start = index - 1
        while start > 0, text[start] & 0xC0 == 0x80 { start -= 1 }
        return start
    }

    /// `(?i:'s|'t|'re|'ve|'m|'ll|'d)` at an apostrophe. Ignoring case also makes the long s (U+017F) an s.
    private func contractionEnd() -> Int? {
        guard start + 1 < text.count else { return nil }
        let first = text[start + 1] | 0x20
        switch first {
        case UInt8(ascii: "s"), UInt8(ascii: "t"), UInt8(ascii: "m"), UInt8(ascii: "d"): return start + 2
        default: break
        }
        guard start + 2 < text.count else { return nil }
        if text[start + 1] == 0xC5, text[start + 2] == 0xBF { return start + 3 }
        let second = text[start + 2] | 0x20
        switch (first, second) {
        case (UInt8(ascii: "r"), UInt8(ascii: "e")), (UInt8(ascii: "v"), UInt8(ascii: "e")),
             (UInt8(ascii: "l"), UInt8(ascii: "l")): return start + 3
        default: return nil
        }
    }
}
