// Guessing the next tokens from what was written before: answers that repeat the prompt or themselves (transcripts, quotes,
// lists) are then verified several tokens at a time. The model has the last word, so the answer does not change.

/// Guesses the tokens that followed the last time the newest three occurred.
public struct PromptLookup: Sendable {
    private struct Key: Hashable { var a, b, c: Int32 }
    private var tokens: [Int32] = []
    /// Where the token after each three stands, for its last occurrence but the newest.
    private var followers: [Key: Int] = [:]
    private var newest: (key: Key, next: Int)?
    /// Tokens guessed at a time: twice the last run that came true, so that wrong guesses stay cheap.
    private var length = 3
    /// Tokens to wait after a guess that was wrong from the start.
    private var pause = 0, patience = 1
    /// Stands between texts that do not follow each other; like markers of media it is never guessed.
    public static let end: Int32 = -1
    /// Most tokens guessed at a time.
    public static let longest = 12

    /// Tokens guessed, and how many of them came true.
    public private(set) var guessed = 0
    public private(set) var right = 0

    public init(_ tokens: some Sequence<Int32>) {
        for token in tokens { append(token) }
    }

    /// The text goes on.
    public mutating func append(_ token: Int32) {
        tokens.append(token)
        if let newest { followers[newest.key] = newest.next }
        pause = max(0, pause - 1)
        guard tokens.count >= 3 else { return }
        let end = tokens.count
        newest = (Key(a: tokens[end - 3], b: tokens[end - 2], c: tokens[end - 1]), end)
    }

    /// The tokens expected after the newest; none where nothing suggests any. At most `limit`.
    public func guess(limit: Int = longest) -> [Int32] {
        guard pause == 0, limit > 0, let newest, let start = followers[newest.key] else { return [] }
        let found = tokens[start..<min(tokens.count, start + min(length, limit))]
        return Array(found.prefix { $0 >= 0 })
    }

    /// Tells how many tokens of a guess came true.
    public mutating func learn(right count: Int, of guess: Int) {
        guessed += guess
        right += count
        if count == 0 {
            // Rests longer and longer while nothing comes true.
            (pause, patience) = (patience, min(64, patience * 2))
            length = 3
        } else {
            patience = 1
            length = min(Self.longest, max(3, count * 2))
        }
    }
}
