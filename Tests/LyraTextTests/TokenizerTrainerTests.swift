// Learning a tokenizer: the same rules as another implementation, and files that load.
import Foundation
import Testing

@testable import LyraText

struct TokenizerTrainerTests {
    private static let fixture = Fixtures.package.appendingPathComponent("Tests/Fixtures/tokenizer_training")

    private func trained(_ vocabulary: Int) throws -> TrainedTokenizer {
        var trainer = TokenizerTrainer()
        trainer.add(try String(contentsOf: Self.fixture.appendingPathComponent("corpus.txt"), encoding: .utf8))
        return try trainer.train(vocabulary: vocabulary)
    }

    private struct Encoded: Decodable {
        var text: String
        var ids: [Int32]
    }

    /// Hugging Face's `tokenizers` joins the same pairs in the same order, and has the same ids.
    @Test func agreesWithTokenizers() throws {
        let folder = try Fixtures.directory([:])
        defer { try? FileManager.default.removeItem(at: folder) }
        try trained(1200).write(to: folder)
        let rules = try String(contentsOf: folder.appendingPathComponent("merges.txt"), encoding: .utf8)
        let expected = try String(contentsOf: Self.fixture.appendingPathComponent("merges.txt"), encoding: .utf8)
        let (ours, theirs) = (rules.split(separator: "\n").dropFirst(), expected.split(separator: "\n"))
        #expect(theirs.count == 930)
        for (index, pair) in zip(ours, theirs).enumerated() {
            try #require(pair.0 == pair.1, "rule \(index)")
        }
        #expect(ours.count == theirs.count)

        let encoded = try Fixtures.json(Self.fixture.appendingPathComponent("encoded.json"), as: Encoded.self)
        #expect(try Tokenizer(directory: folder).encode(encoded.text) == encoded.ids)
    }

    @Test(arguments: [270, 271, 400, 1200]) func writesWhatLoads(vocabulary: Int) throws {
        let folder = try Fixtures.directory([:])
        defer { try? FileManager.default.removeItem(at: folder) }
        try trained(vocabulary).write(to: folder)
        let tokenizer = try Tokenizer(directory: folder)
        #expect(tokenizer.vocabularySize == vocabulary)
        let first = Int32(vocabulary - TokenizerTrainer.controlTokens.count)
        for (index, token) in TokenizerTrainer.controlTokens.enumerated() {
            #expect(try tokenizer.special(token) == first + Int32(index))
        }
        #expect(tokenizer.eos == first + 2)
        for text in ["How many red circles are there?", "日本語 é 🙂\n\n  x", "<|im_end|> 12.5", String(decoding: 0...127, as: UTF8.self)] {
            #expect(tokenizer.decode(tokenizer.encode(text, allowSpecial: false)) == text)
        }
        let prompt = try ChatTemplate().encode([ChatMessage(.user, "Hello?")], with: tokenizer, addGenerationPrompt: true)
        #expect(prompt.ids.filter { $0 >= first }.count == 5)
    }

    @Test func isDeterministic() throws {
        let (a, b) = (try trained(700), try trained(700))
        #expect(a.merges.map(\.left) == b.merges.map(\.left) && a.tokens == b.tokens)
    }

    /// Text that offers less gives a smaller vocabulary; no text gives the bytes.
    @Test func stopsWhenThereIsNothingToJoin() throws {
        var trainer = TokenizerTrainer()
        #expect(try trainer.train(vocabulary: 5000).count == 270)
        trainer.add("aaaa")
        let tokenizer = try trainer.train(vocabulary: 5000)
        #expect(tokenizer.merges.map { $0.left + $0.right } == [[97, 97], [97, 97, 97, 97]])
        #expect(throws: TokenizerError.vocabularyTooSmall(269, least: 270)) { try trainer.train(vocabulary: 269) }
    }
}
