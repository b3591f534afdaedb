// Learns a byte-level BPE vocabulary from text, as Hugging Face's tokenizers does it for Qwen2's pre-tokenisation.
import Foundation

/// Counts words, then joins the most frequent pair of neighbouring tokens again and again, until the vocabulary is full.
///
/// Deterministic: of pairs that are equally frequent the one with the smaller ids is joined first, the left id deciding. Ids
/// 0 ... 255 are the bytes in the order of their spellings, then come the joined tokens, then the control tokens.
public struct TokenizerTrainer: Sendable {
    /// Qwen2-VL's control tokens, in the order of their ids.
    public static let controlTokens = [
        "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>",
        "<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>",
        "<|image_pad|>", "<|video_pad|>",
    ]

    /// Words by their bytes, in the order of their first appearance.
    private var numbers: [[UInt8]: Int] = [:]
    private var words: [(bytes: [UInt8], count: Int)] = []

    public init() {}

    /// Counts the words of a text.
    public mutating func add(_ text: String) {
        var text = CanonicalComposition.compose(text)
        text.withUTF8 { utf8 in
            CharacterClass.basicPlane.withUnsafeBufferPointer { classes in
                var pieces = PreTokenizer(utf8, classes: classes)
                while let range = pieces.next() {
                    let word = [UInt8](utf8[range])
                    if let number = numbers[word] {
                        words[number].count += 1
                    } else {
                        numbers[word] = words.count
                        words.append((word, 1))
                    }
                }
            }
        }
    }

    /// Number of different words so far.
    public var wordCount: Int { words.count }

    /// - Parameter vocabulary: tokens in all, bytes and control tokens included. Fewer come out where the text has no more
    ///   pairs to join.
    /// - Throws: ``TokenizerError/vocabularyTooSmall(_:least:)``.
    public func train(vocabulary: Int) throws(TokenizerError) -> TrainedTokenizer {
        let least = 256 + Self.controlTokens.count
        guard vocabulary >= least else { throw .vocabularyTooSmall(vocabulary, least: least) }
        var bytes = Self.byteOrder.map { [$0] }
        var ids = [Int](repeating: 0, count: 256)
        for (id, byte) in Self.byteOrder.enumerated() { ids[Int(byte)] = id }
        var pairs = PairCounts(words.map { (tokens: $0.bytes.map { ids[Int($0)] }, count: $0.count) })
        var known = Dictionary(uniqueKeysWithValues: bytes.enumerated().map { ($0.element, $0.offset) })
        var merges: [(left: [UInt8], right: [UInt8])] = []
        while bytes.count < vocabulary - Self.controlTokens.count, let pair = pairs.next() {
            let (left, right) = (bytes[pair.left], bytes[pair.right])
            // The same spelling may come about in two ways; it is one token.
            let id = known[left + right] ?? bytes.count
            if id == bytes.count {
                known[left + right] = id
                bytes.append(left + right)
            }
            merges.append((left, right))
            pairs.join(pair, to: id)
        }
        return TrainedTokenizer(tokens: bytes, merges: merges)
    }

    /// Bytes by the character that spells them.
    private static let byteOrder: [UInt8] = (0...255).map { UInt8($0) }.sorted { first, second in
        Self.scalar(first).value < Self.scalar(second).value
    }
    private static func scalar(_ byte: UInt8) -> Unicode.Scalar {
        String(decoding: ByteLevel.spelling[Int(byte)], as: UTF8.self).unicodeScalars.first ?? "?"
    }
}

/// A vocabulary that was learnt.
public struct TrainedTokenizer: Sendable {
    /// Bytes of each token but the control tokens, by id.
    let tokens: [[UInt8]]
    let merges: [(left: [UInt8], right: [UInt8])]

    /// Tokens in all, control tokens included.
    public var count: Int { tokens.count + TokenizerTrainer.controlTokens.count }

    /// Writes `vocab.json`, `merges.txt` and `tokenizer_config.json`; the folder is made if it is not there.
    public func write(to directory: URL) throws {
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // By id, as people look it up.
        let lines = try tokens.enumerated().map { id, bytes in
            "  " + String(decoding: try encoder.encode(Self.spelling(bytes)), as: UTF8.self) + ": \(id)"
        }
        let vocabulary = "{\n" + lines.joined(separator: ",\n") + "\n}\n"
        let rules = merges.map { "\(Self.spelling($0.left)) \(Self.spelling($0.right))\n" }
        let added = Dictionary(
            uniqueKeysWithValues: TokenizerTrainer.controlTokens.enumerated().map { ("\(tokens.count + $0.offset)", Added(content: $0.element)) })
        encoder.outputFormatting.insert(.prettyPrinted)
        for (name, data) in [
            ("vocab.json", Data(vocabulary.utf8)), ("merges.txt", Data(("#version: 0.2\n" + rules.joined()).utf8)),
            ("tokenizer_config.json", try encoder.encode(Config(added: added)) + Data("\n".utf8)),
        ] {
            try data.write(to: directory.appendingPathComponent(name), options: .atomic)
        }
    }

    private static func spelling(_ bytes: [UInt8]) -> String {
        String(decoding: bytes.flatMap { ByteLevel.spelling[Int($0)] }, as: UTF8.self)
    }

    private struct Added: Encodable {
        var content: String
        var lstrip = false, normalized = false, rstrip = false, single_word = false, special = true
    }
    private struct Config: Encodable {
        var added: [String: Added]
        var tokenizerClass = "Qwen2Tokenizer", endToken = "<|im_end|>", padToken = "<|endoftext|>"
        enum CodingKeys: String, CodingKey {
            case added = "added_tokens_decoder"
            case tokenizerClass = "tokenizer_class"
            case endToken = "eos_token"
            case padToken = "pad_token"
        }
    }
}
