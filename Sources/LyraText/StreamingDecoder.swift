// Text from tokens that arrive one at a time.

/// Turns a stream of token ids into text as early as possible without ever showing half a character.
///
/// A token may end within a character; those bytes are held back until the character is complete, or until it is clear
/// that it never will be (then U+FFFD stands for them). All the text given out, one piece after another, is exactly what
/// ``Tokenizer/decode(_:skipSpecialTokens:)`` gives for all ids at once.
public struct StreamingDecoder: Sendable {
    private let tokenizer: Tokenizer
    private let skipSpecialTokens: Bool
    private var held: [UInt8] = []

    public init(_ tokenizer: Tokenizer, skipSpecialTokens: Bool = true) {
        self.tokenizer = tokenizer
        self.skipSpecialTokens = skipSpecialTokens
    }

    /// The text that is complete now that `id` has arrived; often one word, sometimes nothing.
    public mutating func append(_ id: Int32) -> String {
        if skipSpecialTokens, tokenizer.isSpecial(id) { return "" }
        held += tokenizer.bytes(of: id)
        let complete = held.count - Self.unfinishedBytes(held)
        defer { held.removeFirst(complete) }
        return String(decoding: held[..<complete], as: UTF8.self)
    }

    /// What was held back, at the end of the stream.
    public mutating func finish() -> String {
        defer { held = [] }
        return String(decoding: held, as: UTF8.self)
    }

    /// How many bytes at the end begin a character that more bytes could complete (0 to 3).
    static func unfinishedBytes(_ bytes: [UInt8]) -> Int {
        for length in 1...3 where length <= bytes.count {
            let lead = bytes[bytes.count - length]
            if lead & 0xC0 == 0x80 { continue }
            let needed = switch lead {
            case 0xC2...0xDF: 2
            case 0xE0...0xEF: 3
            case 0xF0...0xF4: 4
            default: 0
            }
            guard needed > length else { return 0 }
            return length == 1 || isPossible(lead, second: bytes[bytes.count - length + 1]) ? length : 0
        }
        return 0
    }

    /// Whether a character may begin with these two bytes: overlong forms, surrogates and values past U+10FFFF may not.
    private static func isPossible(_ lead: UInt8, second: UInt8) -> Bool {
        switch lead {
        case 0xE0: second >= 0xA0
        case 0xED: second < 0xA0
        case 0xF0: second >= 0x90
        case 0xF4: second < 0x90
        default: true
        }
    }
}
