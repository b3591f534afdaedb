// lyra data tokenizer: a vocabulary, learnt from text.
import ArgumentParser
import Foundation
import LyraText
import LyraTraining

struct DataTokenizerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tokenizer",
        abstract: "Learn a tokenizer from text.",
        discussion: """
            Learns a byte-level BPE vocabulary of Qwen2's kind: the words and pieces that are frequent in the text become tokens. \
            Of data files (.json, .jsonl) all questions, answers and transcripts are taken; other files are taken as they are. \
            Writes vocab.json, merges.txt and tokenizer_config.json, with Qwen2's control tokens as the last ids; any other \
            text can still be written, in more tokens. The same text gives the same tokenizer.

            Examples:
              lyra data tokenizer world/train/*.jsonl --vocabulary 2048 --out tokenizer
              lyra new --preset tiny --tokenizer tokenizer model
            """)

    @Argument(help: "Data files, or files of text.")
    var files: [String]

    @Option(help: ArgumentHelp("Tokens in all; bytes and control tokens take 270 of them.", valueName: "n"))
    var vocabulary = 2048

    @Option(help: ArgumentHelp("Folder for the tokenizer; made if it is not there.", valueName: "dir"))
    var out: String

    func validate() throws {
        if files.isEmpty { throw ValidationError("give at least one file") }
        if !(270...1_000_000).contains(vocabulary) { throw ValidationError("--vocabulary must be 270 to 1000000") }
    }

    func run() throws {
        Log.start(verbose: false)
        for file in files where !FileManager.default.fileExists(atPath: file) { throw MissingInput("no file at \(file)") }
        var trainer = TokenizerTrainer()
        for file in files {
            Terminal.shared.draw("reading \(file)")
            if [".json", ".jsonl"].contains(where: file.lowercased().hasSuffix) {
                try addData(file, to: &trainer)
            } else {
                let bytes = try Data(contentsOf: URL(fileURLWithPath: file))
                guard let text = String(validating: bytes, as: UTF8.self) else {
                    throw TokenizerError.invalidUTF8(file: file)
                }
                trainer.add(text)
            }
        }
        Terminal.shared.draw("learning \(vocabulary) tokens from \(trainer.wordCount) words")
        let tokenizer = try trainer.train(vocabulary: vocabulary)
        try tokenizer.write(to: URL(fileURLWithPath: out))
        Terminal.shared.clearProgress()
        if tokenizer.count < vocabulary {
            Terminal.shared.say("Note: the text has no more to learn than \(tokenizer.count) tokens.")
        }
        try Terminal.shared.write("\(out): \(tokenizer.count) tokens, from \(trainer.wordCount) different words\n")
    }

    /// All texts of a data file, and what stands around them in prompts.
    private func addData(_ path: String, to trainer: inout TokenizerTrainer) throws {
        let file = try DataFile(path)
        for index in 0..<file.count {
            guard let item = try? JSONSerialization.jsonObject(with: Data(file.bytes(index))) as? [String: Any] else {
                throw BadItem(file: path, item: index)
            }
            let turns = item["conversations"] as? [[String: Any]] ?? []
            var texts = turns.compactMap { $0["value"] as? String }
            if !turns.isEmpty, let prompt = ChatTemplate().systemPrompt { texts.append("system\n\(prompt)") }
            texts += turns.map { _ in "user\nassistant\n" }
            if let transcript = item["speech_asr"] as? String { texts.append(transcript) }
            texts += (item["speech_asr"] as? [Any] ?? []).compactMap { $0 as? String }
            for text in texts {
                trainer.add(["<image>", "<video>", "<speech>"].reduce(text) { $0.replacing($1, with: "") })
            }
        }
    }

    private struct BadItem: Error, LocalizedError {
        let file: String
        let item: Int
        var errorDescription: String? { "item \(item) of \(file) is no JSON object; lyra data check says more" }
    }
}
