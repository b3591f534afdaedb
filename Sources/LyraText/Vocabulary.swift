// Tokens and their ids, and the bytes each token stands for.

/// A token that text may name outright, outside of byte-pair merging: `<|im_end|>` and the like.
struct AddedToken: Sendable, Equatable {
    var id: Int32
    var content: String
    /// Left out by `decode(skipSpecialTokens: true)`.
    var isSpecial = true
    /// Takes the white space before, or after, it along.
    var stripsLeft = false
    var stripsRight = false
}

struct Vocabulary: Sendable {
    /// Ids from here on are refused: tables are sized by the largest id, which a file could otherwise choose freely.
    static let idLimit = 1 << 22

    /// Ids by spelling. Spellings are byte strings because `String` would fold canonically equivalent ones.
    private(set) var ids: SpellingTable
    private(set) var added: [AddedToken] = []
    /// Tokens of the 256 single bytes.
    private(set) var byteTokens: [Int32] = []

    /// All tokens' bytes one after another; token `id` has `starts[id] ..< starts[id + 1]`.
    private var bytes: [UInt8] = []
    private var starts: [Int32] = [0]
    private var isAdded: [Bool] = []
    private var isSpecial: [Bool] = []

    /// One more than the largest id.
    var count: Int { starts.count - 1 }

    init(spellings: [(spelling: [UInt8], id: Int)], added: [AddedToken]) throws(TokenizerError) {
        let largest = max(spellings.lazy.map(\.id).max() ?? -1, added.lazy.map { Int($0.id) }.max() ?? -1)
        ids = SpellingTable(capacity: spellings.count + added.count)
        var byID = [[UInt8]?](repeating: nil, count: min(max(largest + 1, 0), Self.idLimit))
        for (spelling, id) in spellings {
            guard (0..<Self.idLimit).contains(id) else { throw .invalidID(token: Self.text(spelling), id: id) }
            if let other = byID[id], other != spelling {
                throw .duplicateID(id: id, first: Self.text(other), second: Self.text(spelling))
            }
            byID[id] = spelling
            ids.set(spelling, Int32(id))
        }
        isAdded = Array(repeating: false, count: byID.count)
        isSpecial = isAdded
        for token in added where !token.content.isEmpty {
            guard (0..<Self.idLimit).contains(Int(token.id)) else {
                throw .invalidID(token: token.content, id: Int(token.id))
            }
            let spelling = Array(token.content.utf8)
            if let other = byID[Int(token.id)], other != spelling {
                throw .duplicateID(id: Int(token.id), first: Self.text(other), second: token.content)
            }
            byID[Int(token.id)] = spelling
            ids.set(spelling, token.id)
            isAdded[Int(token.id)] = true
            isSpecial[Int(token.id)] = token.isSpecial
            self.added.append(token)
        }
        starts.reserveCapacity(byID.count + 1)
        for (id, spelling) in byID.enumerated() {
            if let spelling { bytes += isAdded[id] ? spelling : ByteLevel.bytes(ofSpelling: spelling) }
            starts.append(Int32(bytes.count))
        }
        for byte in 0..<256 {
            guard let id = ids.id(ByteLevel.spelling[byte]) else { throw .missingByteToken(byte: UInt8(byte)) }
            byteTokens.append(id)
        }
    }

    /// The bytes that `id` stands for; none for an id that is not in the vocabulary.
    func bytes(of id: Int32) -> ArraySlice<UInt8> {
        guard id >= 0, id < count else { return [] }
        return bytes[Int(starts[Int(id)])..<Int(starts[Int(id) + 1])]
    }

    func isSpecial(_ id: Int32) -> Bool { id >= 0 && id < count && isSpecial[Int(id)] }

    /// The token as the vocabulary file spells it ("Ġthe"), or nil for an unknown id.
    func spelling(of id: Int32) -> String? {
        let bytes = bytes(of: id)
        if bytes.isEmpty { return nil }
        if isAdded[Int(id)] { return String(decoding: bytes, as: UTF8.self) }
        return Self.text(bytes.flatMap { ByteLevel.spelling[Int($0)] })
    }

    private static func text(_ spelling: [UInt8]) -> String { String(decoding: spelling, as: UTF8.self) }
}
