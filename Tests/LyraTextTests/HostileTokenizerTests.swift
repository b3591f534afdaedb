// Damaged files and unreasonable text: clear errors, no crash, no quadratic time.
import Foundation
import Testing

@testable import LyraText

@Suite struct HostileTokenizerTests {
    /// A vocabulary of the 256 bytes with more entries, and merges, as given.
    private func load(_ extra: [(String, Int)] = [], merges: String = "", config: String? = nil, without: Int? = nil) throws -> Tokenizer {
        var entries = (0..<256).filter { $0 != without }.map { (String(decoding: ByteLevel.spelling[$0], as: UTF8.self), $0) }
        entries += extra
        let escaped = entries.map { "\"\($0.0.replacingOccurrences(of: "\\", with: "\\\\").replacingOccurrences(of: "\"", with: "\\\""))\":\($0.1)" }
        return try load(files: [
            "vocab.json": Data("{\(escaped.joined(separator: ","))}".utf8), "merges.txt": Data(merges.utf8),
            "tokenizer_config.json": Data((config ?? "{}").utf8),
        ])
    }

    private func load(files: [String: Data]) throws -> Tokenizer {
        let directory = try Fixtures.directory(files)
        defer { try? FileManager.default.removeItem(at: directory) }
        return try Tokenizer(directory: directory)
    }

    @Test func plainBytesWork() throws {
        let tokenizer = try load([("ab", 256)], merges: "#version: 0.2\na b\r\n\n")
        #expect(tokenizer.encode("abé") == [256, 0xC3, 0xA9])
        #expect(tokenizer.vocabularySize == 257)
        #expect(tokenizer.eos == nil)
    }

    @Test func errorsSayWhatIsWrong() throws {
        func message(_ body: () throws -> Tokenizer) -> String {
            do { _ = try body(); return "no error" } catch { return error.localizedDescription }
        }
        #expect(message { try load(merges: "a b") }.contains("merge rule 0 needs \"ab\""))
        #expect(message { try load(merges: "zz b") }.contains("\"zz\""))
        #expect(message { try load(merges: "a b c") }.contains("two tokens"))
        #expect(message { try load(without: 65) }.contains("byte 65"))
        #expect(message { try load([("ab", -1)]) }.contains("-1"))
        #expect(message { try load([("ab", 1 << 40)]) }.contains("outside"))
        #expect(message { try load([("ab", 65)]) }.contains("both"))
        #expect(message { try load([("ab", 256), ("a", 3)]) }.contains("id 3"))
        #expect(message { try load(config: #"{"eos_token": "<end>"}"#) }.contains("<end>"))
        #expect(message { try load(config: #"{"added_tokens_decoder": {"x": {"content": "y"}}}"#) }.contains("must be ids"))
        #expect(message { try load(config: #"{"added_tokens_decoder": {"9": {}}}"#) }.contains("content"))
        #expect(message { try load(config: #"{"added_tokens_decoder": {"-9": {"content": "y"}}}"#) }.contains("-9"))
        #expect(message { try load(files: [:]) }.contains("no tokenizer"))
        #expect(message { try load(files: ["vocab.json": Data([0x7B, 0xFF, 0x7D]), "merges.txt": Data()]) }.contains("UTF-8"))
        #expect(message { try load(files: ["vocab.json": Data("{}".utf8), "merges.txt": Data([0xFF])]) }.contains("UTF-8"))
        #expect(message { try load(files: ["tokenizer.json": Data(#"{"model":{"type":"Unigram"}}"#.utf8)]) }.contains("Unigram"))
        #expect(message { try load(files: ["tokenizer.json": Data(#"{"pre_tokenizer":{"type":"Whitespace"}}"#.utf8)]) }.contains("pre-tokenisation"))
    }

    @Test(arguments: [
        "", "{", "[]", "null", "{\"a\"", "{\"a\":}", "{\"a\":1,}", "{\"a\":1}x", "{\"a\":1.5}", "{\"a\":99999999999999999999}",
        "{\"a\":\"b\"}", "{\"\\u12\":1}", "{\"\\ud800\":1}", "{\"\\ud800\\u0041\":1}", "{\"\\q\":1}", "{\"a\u{1}\":1}", "{a:1}",
        String(repeating: "[", count: 1_000_000), String(repeating: "{\"a\":", count: 500_000),
    ])
    func brokenJSON(_ text: String) {
        #expect(throws: TokenizerError.self) { try load(files: ["vocab.json": Data(text.utf8), "merges.txt": Data()]) }
        #expect(throws: TokenizerError.self) { try load(files: ["tokenizer.json": Data(text.utf8)]) }
        #expect(throws: TokenizerError.self) { try load(config: "{\"x\":" + text) }
    }

    /// Ids that are not asked for, flags and nesting are skipped.
    @Test func jsonValuesOfEveryKindAreSkipped() throws {
        let config = #"{"a": [1, -2.5e3, true, false, null, {"b": ["\u00e9\ud83d\ude42\n"]}], "pad_token": null, "eos_token": {"content": "!", "x": []}}"#
        #expect(try load(config: config).eos == 33)
    }

    @Test(.timeLimit(.minutes(5)), arguments: ["a", " ", "\n", " \n", "'", "0", "e\u{301}\u{327}", "\u{301}\u{327}", "\u{344}", "<|im_end|>", "<|im_en", "<", "你", "🙂"])
    func longTextIsNotQuadratic(_ unit: String) throws {
        let tokenizer = try Fixtures.packs[0].tokenizer()
        let text = String(repeating: unit, count: ("a ".contains(unit) ? 10_000_000 : 2_000_000) / unit.utf8.count)
        let ids = tokenizer.encode(text)
        expectSame(String(tokenizer.decode(ids.prefix(50)).unicodeScalars.prefix(4)), String(CanonicalComposition.compose(String(text.unicodeScalars.prefix(20_000))).unicodeScalars.prefix(4)))
    }

    @Test func longWordsMergeAsShortOnesDo() throws {
        // A word of 200 letters goes the long way, its merges the same as a plain reading of the rules.
        let tokenizer = try Fixtures.packs[0].tokenizer()
        var random = SplitMix(seed: 11)
        for _ in 0..<200 {
            let text = String((0..<Int.random(in: 60...200, using: &random)).map { _ in "etaoinshr".randomElement(using: &random) ?? "e" })
            #expect(tokenizer.encode(text) == reference(text, tokenizer))
        }
    }

    /// Byte-pair merging word for word as its definition says.
    private func reference(_ word: String, _ tokenizer: Tokenizer) -> [Int32] {
        var tokens = word.utf8.map { tokenizer.encode(String(Character(Unicode.Scalar($0))))[0] }
        while true {
            var best: (rank: Int32, left: Int32, right: Int32, token: Int32)?
            for (left, right) in zip(tokens, tokens.dropFirst()) {
                let rule = tokenizer.merges.rule(left, right)
                if rule.rank != MergeTable.noRank, rule.rank < best?.rank ?? .max { best = (rule.rank, left, right, rule.token) }
            }
            guard let best else { return tokens }
            var merged: [Int32] = []
            var index = 0
            while index < tokens.count {
                if index + 1 < tokens.count, tokens[index] == best.left, tokens[index + 1] == best.right {
                    merged.append(best.token)
                    index += 2
                } else {
                    merged.append(tokens[index])
                    index += 1
                }
            }
            tokens = merged
        }
    }
}
