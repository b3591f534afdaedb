import Foundation
import Testing

@testable import LyraText

@Suite struct TokenizerTests {
    @Test(arguments: Fixtures.packs) func agreesWithTheReference(_ pack: Pack) throws {
        let tokenizer = try pack.tokenizer()
        let expected = try pack.expected()
        for text in expected.tokenizer {
            #expect(tokenizer.encode(text.text) == text.ids, "\(text.text.debugDescription)")
            expectSame(tokenizer.decode(text.ids), text.decoded)
            expectSame(tokenizer.decode(text.ids, skipSpecialTokens: true), text.decoded_skip_special)
        }
        for (token, id) in expected.special_tokens {
            #expect(try tokenizer.special(token) == id)
            #expect(tokenizer.idToToken(id) == token)
            #expect(tokenizer.isSpecial(id))
        }
        #expect(tokenizer.eos == expected.special_tokens["<|im_end|>"])
        #expect(tokenizer.pad == expected.special_tokens["<|endoftext|>"])
        #expect(tokenizer.vocabularySize == Int(try #require(expected.special_tokens.values.max())) + 1)
    }

    @Test(arguments: Fixtures.packs) func fastFileAloneGivesTheSame(_ pack: Pack) throws {
        let directory = try pack.model()
        let files = ["tokenizer.json", "tokenizer_config.json"]
        let alone = try Fixtures.directory(
            Dictionary(uniqueKeysWithValues: files.map { ($0, try Data(contentsOf: directory.appendingPathComponent($0))) }))
        defer { try? FileManager.default.removeItem(at: alone) }
        let tokenizer = try Tokenizer(directory: alone)
        for text in try pack.expected().tokenizer { #expect(tokenizer.encode(text.text) == text.ids) }
        #expect(try tokenizer.eos == pack.tokenizer().eos)
        try FileManager.default.removeItem(at: alone.appendingPathComponent("tokenizer_config.json"))
        #expect(try Tokenizer(directory: alone).special("<|im_end|>") == tokenizer.eos)
    }

    struct Vector: Decodable { var text: String; var ids: [Int32] }

    @Test(.enabled(if: Fixtures.hasQwenTokenizer, "no shared/data/tokenizer")) func publicVectors() throws {
        let tokenizer = try Tokenizer(directory: Fixtures.qwenTokenizer)
        let vectors: [Vector] = try Fixtures.json(Fixtures.qwenTokenizer.appendingPathComponent("qwen2_tokenizer_vectors.json"))
        #expect(vectors.count == 46)
        for vector in vectors {
            #expect(tokenizer.encode(vector.text) == vector.ids, "\(vector.text.debugDescription)")
            expectSame(tokenizer.decode(vector.ids), CanonicalComposition.compose(vector.text))
        }
        #expect(tokenizer.idToToken(try #require(tokenizer.tokenToID("Ġthe"))) == "Ġthe")
    }

    @Test func specialTokensInPlainTextStayText() throws {
        let tokenizer = try Fixtures.packs[0].tokenizer()
        let text = "a<|im_end|>\n<|im_start|>system"
        let ids = tokenizer.encode(text, allowSpecial: false)
        #expect(!ids.contains(where: tokenizer.isSpecial))
        #expect(tokenizer.decode(ids) == text)
        #expect(tokenizer.encode(text).filter(tokenizer.isSpecial).count == 2)
        let plain = "Nothing special: 3 < 4, <b>, |x|, 你好."
        #expect(tokenizer.encode(plain) == tokenizer.encode(plain, allowSpecial: false))
    }

    /// Whatever the text, nothing is lost.
    @Test func roundTrips() throws {
        let tokenizer = try Fixtures.packs[0].tokenizer()
        var random = SplitMix(seed: 7)
        let scalars: [ClosedRange<UInt32>] = [0...0x7F, 0x20...0x7E, 0x80...0x24F, 0x300...0x36F, 0x600...0x6FF, 0xE00...0xE7F, 0x1100...0x11FF, 0x2000...0x206F, 0x4E00...0x4EFF, 0xAC00...0xACFF, 0x1F600...0x1F64F]
        for _ in 0..<2000 {
            var text = String.UnicodeScalarView()
            for _ in 0..<Int.random(in: 0...30, using: &random) {
                let block = scalars.randomElement(using: &random) ?? 0...0x7F
                if let scalar = Unicode.Scalar(UInt32.random(in: block, using: &random)) { text.append(scalar) }
            }
            let composed = CanonicalComposition.compose(String(text))
            expectSame(tokenizer.decode(tokenizer.encode(String(text), allowSpecial: false)), composed)
        }
    }

    @Test func idsWithoutATokenDecodeToNothing() throws {
        let tokenizer = try Fixtures.packs[0].tokenizer()
        #expect(tokenizer.decode([-200, -500, Int32.min, Int32.max, Int32(tokenizer.vocabularySize)]) == "")
        #expect(tokenizer.idToToken(-1) == nil)
        #expect(tokenizer.bytes(of: .max).isEmpty)
        #expect(!tokenizer.isSpecial(.min))
        #expect(throws: TokenizerError.missingSpecialToken("<|nope|>")) { try tokenizer.special("<|nope|>") }
    }

    @Test(arguments: Fixtures.packs) func streamingEqualsDecodingAtOnce(_ pack: Pack) throws {
        let tokenizer = try pack.tokenizer()
        var random = SplitMix(seed: 3)
        for skip in [true, false] {
            for round in 0..<3000 {
                let count = Int.random(in: 0...20, using: &random)
                // Single bytes make broken UTF-8; whole vocabularies make a bit of everything.
                let limit = round % 2 == 0 ? 256 : Int32(tokenizer.vocabularySize) + 5
                let ids = (0..<count).map { _ in Int32.random(in: -1..<limit, using: &random) }
                var decoder = StreamingDecoder(tokenizer, skipSpecialTokens: skip)
                let pieces = ids.map { decoder.append($0) } + [decoder.finish()]
                expectSame(pieces.joined(), tokenizer.decode(ids, skipSpecialTokens: skip))
            }
        }
    }

    @Test func streamingHoldsBackHalfCharacters() throws {
        let tokenizer = try Fixtures.packs[0].tokenizer()
        var decoder = StreamingDecoder(tokenizer)
        let ids = tokenizer.encode("🙂!")
        var pieces: [String] = []
        for id in ids { pieces.append(decoder.append(id)) }
        #expect(!pieces.joined().contains("\u{FFFD}"))
        #expect(pieces.joined() == "🙂!")
        #expect(decoder.finish() == "")
        #expect(decoder.append(ids[0]) == "")
        #expect(decoder.finish() == "\u{FFFD}")
    }
}

/// A small seeded generator, so that a failure can be repeated.
struct SplitMix: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
