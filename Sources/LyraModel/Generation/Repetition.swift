// Texts that go round in circles: small models, and large ones on sounds they do not understand, may say one thing to the limit.

/// Notices that the end of a text is one passage over and over.
public struct RepetitionDetector: Sendable {
    /// Tokens of the longest passage that is looked for.
    public static let longestPassage = 32
    /// A passage has been said so often, and so many tokens with all its repetitions, before that is called a circle.
    public static let repetitions = 4, leastTokens = 16

    private var tokens: [Int32] = []
    /// For each length of a passage, how many of the newest tokens are the same as those so far before them.
    private var same = [Int](repeating: 0, count: longestPassage + 1)

    public init() {}

    /// The text goes on.
    /// - Returns: how many tokens at its end say again what stands before them, once they go round in circles.
    public mutating func append(_ token: Int32) -> Int? {
        for length in 1...Self.longestPassage {
            same[length] = length <= tokens.count && tokens[tokens.count - length] == token ? same[length] + 1 : 0
        }
        tokens.append(token)
        return (1...Self.longestPassage).first { length in
            same[length] >= max((Self.repetitions - 1) * length, Self.leastTokens - length)
        }.map { same[$0] }
    }
}
