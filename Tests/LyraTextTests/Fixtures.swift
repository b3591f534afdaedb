// Where reference data lies, and how tests read it.
import Foundation
import Testing

@testable import LyraText

enum Fixtures {
    static let package = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    static let shared = package.deletingLastPathComponent().appendingPathComponent("shared")

    /// The committed pack, and the larger one where it is present.
    static let packs: [Pack] = [
        package.appendingPathComponent("Tests/Fixtures/pack_c"), shared.appendingPathComponent("oracle/pack_a"),
    ].filter { FileManager.default.fileExists(atPath: $0.path) }.map { Pack(root: $0) }

    static let qwenTokenizer = shared.appendingPathComponent("data/tokenizer")
    static let hasQwenTokenizer = FileManager.default.fileExists(atPath: qwenTokenizer.path)

    static func json<T: Decodable>(_ url: URL, as type: T.Type = T.self) throws -> T {
        try JSONDecoder().decode(T.self, from: Data(contentsOf: url))
    }

    /// A fresh directory with the given files.
    static func directory(_ files: [String: Data]) throws -> URL {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("lyra-text-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        for (name, data) in files { try data.write(to: url.appendingPathComponent(name)) }
        return url
    }
}

/// A directory of reference numbers.
struct Pack: Sendable, CustomTestStringConvertible {
    let root: URL
    var testDescription: String { root.lastPathComponent }

    struct Expected: Decodable {
        var paths: [String: String]
        var special_tokens: [String: Int32]
        var tokenizer: [Text]
        var placeholder_tokenization: [Placeholder]
        var eval_prompts: [Prompt]
        var cases: [String: Case]
        var train: Train
        struct Text: Decodable { var text: String; var ids: [Int32]; var decoded: String; var decoded_skip_special: String }
        struct Placeholder: Decodable { var text: String; var image_speech: [Int32]; var speech: [Int32] }
        struct Prompt: Decodable { var kind: String; var prompt: String; var input_ids: [Int32] }
        struct Case: Decodable { var prompt: String; var input_ids: [Int32]; var tokenizer_function: String }
        struct Train: Decodable { var label_masks: [Labels] }
        struct Labels: Decodable {
            var kind: String; var turns: [String]; var input_ids: [Int32]; var labels: [Int32]; var warning: String
        }
    }

    func expected() throws -> Expected { try Fixtures.json(root.appendingPathComponent("expected.json")) }

    func model() throws -> URL {
        root.appendingPathComponent(try #require(expected().paths["MODEL"]))
    }

    func tokenizer() throws -> Tokenizer { try Tokenizer(directory: model()) }
}

/// Canonically equivalent strings are equal to Swift; tests want the same scalars.
func expectSame(_ a: String, _ b: String, sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(Array(a.unicodeScalars) == Array(b.unicodeScalars), "\(a.debugDescription) \(b.debugDescription)", sourceLocation: sourceLocation)
}
