// Qwen2's tokenizer: text to token ids by byte-level byte-pair encoding, and back.
import Foundation

/// Qwen2's byte-level BPE tokenizer.
///
/// Text is brought to Unicode normalisation form C, cut into words, and each word's UTF-8 bytes are merged into tokens.
/// Any text can be encoded, and decoding gives the (normalised) text back. Agrees token for token with the reference's
/// slow and fast tokenizers.
public struct Tokenizer: Sendable {
    private let vocabulary: Vocabulary
    let merges: MergeTable
    private let matcher: AddedTokenMatcher

    /// The token that ends an answer, as `tokenizer_config.json` names it (`eos_token`).
    public let eos: Int32?
    /// The padding token, as `tokenizer_config.json` names it (`pad_token`).
    public let pad: Int32?

    /// One more than the largest token id. A model's table may have more rows; those have no token.
    public var vocabularySize: Int { vocabulary.count }

    /// Loads the tokenizer in `directory`: `vocab.json` and `merges.txt`, or else `tokenizer.json`. Added tokens and the
    /// end and padding tokens come from `tokenizer_config.json`, or added tokens from `tokenizer.json`.
    /// - Throws: ``TokenizerError``.
    public init(directory: URL) throws {
        try self.init(files: TokenizerFiles(directory: directory))
    }

    init(files: TokenizerFiles) throws(TokenizerError) {
        let vocabulary = try Vocabulary(spellings: files.spellings, added: files.added)
        let ids = vocabulary.ids
        var merges = MergeTable(minimumCapacity: files.merges.count)
        for (rank, rule) in files.merges.enumerated() {
            func id(_ left: ArraySlice<UInt8>, _ right: ArraySlice<UInt8> = []) throws(TokenizerError) -> Int32 {
                if let id = ids.id(left, right) { return id }
                throw .unknownMerge(file: files.mergesFile, rule: rank, token: String(decoding: left + right, as: UTF8.self))
            }
            try merges.set(id(rule.left), id(rule.right), rank: Int32(rank), token: id(rule.left, rule.right))
        }
        func named(_ token: String?) throws(TokenizerError) -> Int32? {
            guard let token else { return nil }
            guard let id = ids.id(token) else { throw .missingSpecialToken(token) }
            return id
        }
        self.vocabulary = vocabulary
        self.merges = merges
        matcher = AddedTokenMatcher(vocabulary.added)
        eos = try named(files.endToken)
        pad = try named(files.padToken)
    }

    // MARK: Encoding

    /// Token ids of `text`.
    /// - Parameter allowSpecial: whether the names of added tokens in the text (`<|im_end|>`) become those tokens. Pass
    ///   false for text by users, who could otherwise forge the structure of a prompt.
    public func encode(_ text: String, allowSpecial: Bool = true) -> [Int32] {
        var text = CanonicalComposition.compose(text)
        return text.withUTF8 { utf8 in
            var ids: [Int32] = []
            ids.reserveCapacity(utf8.count / 3)
            var merger = PairMerger(merges)
            let pieces = allowSpecial ? matcher.split(utf8) : [.text(0..<utf8.count)]
            for piece in pieces {
                switch piece {
                case .token(let id): ids.append(id)
                case .text(let range): encode(UnsafeBufferPointer(rebasing: utf8[range]), &merger, into: &ids)
                }
            }
            return ids
        }
    }

    private func encode(_ text: UnsafeBufferPointer<UInt8>, _ merger: inout PairMerger, into ids: inout [Int32]) {
        let byteTokens = vocabulary.byteTokens
        CharacterClass.basicPlane.withUnsafeBufferPointer { classes in
            var words = PreTokenizer(text, classes: classes)
            while let word = words.next() {
                if word.count == 1 {
                    ids.append(byteTokens[Int(text[word.lowerBound])])
                } else {
                    merger.merge(text[word].lazy.map { byteTokens[Int($0)] }, into: &ids)
                }
            }
        }
    }

    // MARK: Decoding

    /// The text of `ids`. Ids without a token (placeholders, rows past the vocabulary) give nothing; bytes that do not
    /// form UTF-8 give U+FFFD.
    public func decode(_ ids: some Sequence<Int32>, skipSpecialTokens: Bool = false) -> String {
        var bytes: [UInt8] = []
        for id in ids where !(skipSpecialTokens && isSpecial(id)) { bytes += vocabulary.bytes(of: id) }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The bytes that a token stands for, often not whole characters; empty for an id without a token.
    public func bytes(of id: Int32) -> [UInt8] { Array(vocabulary.bytes(of: id)) }

    // MARK: Looking up

    /// The id of a token given as the vocabulary spells it: `"<|im_end|>"`, `"Ġthe"`.
    public func tokenToID(_ token: String) -> Int32? { vocabulary.ids.id(token) }

    /// A token as the vocabulary spells it, or nil where the id has none.
    public func idToToken(_ id: Int32) -> String? { vocabulary.spelling(of: id) }

    /// Whether a token is a control token rather than text.
    public func isSpecial(_ id: Int32) -> Bool { vocabulary.isSpecial(id) }

    /// Id of a control token. It must be an added token: an ordinary word that happens to be spelt so does not count.
    /// - Throws: ``TokenizerError/missingSpecialToken(_:)``.
    public func special(_ token: String) throws(TokenizerError) -> Int32 {
        guard let id = vocabulary.added.first(where: { $0.content == token })?.id else {
            throw .missingSpecialToken(token)
        }
        return id
    }
}

extension Tokenizer: CustomStringConvertible {
    public var description: String { "Tokenizer(\(vocabularySize) tokens)" }
}
