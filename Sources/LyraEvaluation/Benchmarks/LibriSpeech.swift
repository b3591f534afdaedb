// LibriSpeech: write down what is read aloud; words that are wrong, in percent.
import Foundation

struct LibriSpeech: Benchmark {
    static let info = BenchmarkInfo(
        name: "librispeech", title: "LibriSpeech",
        metrics: [
            .ratio("wer", "Word error rate", "errors", by: "words"),
            .ratio("cer", "Character error rate", "character_errors", by: "characters"),
            .ratio("wer_as_written", "Word error rate, nothing normalised", "plain_errors", by: "plain_words"),
        ],
        bands: [PaperBand("Mini", 2.1, 2.4), PaperBand("Base", 2.0), PaperBand("Pro", 1.8)],
        folders: ["LibriSpeech"], marks: ["test-clean.jsonl", "test-clean", "test-other", "dev-clean", "LibriSpeech/test-clean"],
        source: "https://www.openslr.org/12 (test-clean.tar.gz)",
        layout: """
            LibriSpeech/test-clean/1089/134686/1089-134686-0000.flac
            LibriSpeech/test-clean/1089/134686/1089-134686.trans.txt
            LibriSpeech/test-clean.jsonl    (optional: made by lyra data librispeech; {"audio": ..., "text": ...} a line)
            """,
        options: [("split", "test-clean (default), test-other, dev-clean or dev-other")],
        load: { request in
            let split = request.options["split"] ?? "test-clean"
            return (LibriSpeech(), try items(request, split))
        })

    private struct Line: Decodable {
        var audio: String?
        var speech: String?
        var text: String
    }

    private static func items(_ request: BenchmarkRequest, _ split: String) throws -> [EvaluationItem] {
        let list = request.path("\(split).jsonl")
        guard Files.exists(list) else {
            let folder = Files.first([request.path(split), request.path("LibriSpeech/\(split)")])
            return try LibriSpeechFolder.utterances(folder).map { item($0.id, $0.path, $0.text, request) }
        }
        return try DataLines.read(list, as: Line.self).map { number, line in
            switch line {
            case .failure(let error): return .unusable("\(split):\(number)", error.localizedDescription)
            case .success(let line):
                guard let audio = line.audio ?? line.speech else {
                    return .unusable("\(split):\(number)", "line \(number) names no recording (key 'audio' or 'speech')")
                }
                // Lists are made with absolute paths on another machine.
                let inside = audio.range(of: "LibriSpeech/").map { String(audio[$0.upperBound...]) } ?? audio
                let path = Files.first([Files.join(request.folder, audio), request.path(inside)])
                let id = ((audio as NSString).lastPathComponent as NSString).deletingPathExtension
                return item(id, path, line.text, request)
            }
        }
    }

    private static func item(_ id: String, _ path: String, _ text: String, _ request: BenchmarkRequest) -> EvaluationItem {
        var item = EvaluationItem(
            id: id, turns: [[.speech(path), .text(LyraResponder.transcription)]], question: "Record the spoken words as text.",
            truth: [text])
        item.slices["speaker"] = id.split(separator: "-").first.map(String.init)
        item.speaks = request.speaks
        return item
    }

    func score(_ record: ItemRecord, _ item: EvaluationItem) -> ItemScore { Self.score(record.answer, item.truth.first ?? "") }

    /// Also for other transcriptions.
    static func score(_ answer: String, _ truth: String) -> ItemScore {
        let (said, heard) = (EnglishNormalizer.normalise(truth), EnglishNormalizer.normalise(answer))
        let words = TextErrors.words(said, heard).counts, characters = TextErrors.characters(said, heard).counts
        let plain = TextErrors.words(truth, answer).counts
        return ItemScore(
            max(0, 1 - words.rate),
            counts: [
                "errors": Double(words.errors), "words": Double(words.length), "substitutions": Double(words.substitutions),
                "deletions": Double(words.deletions), "insertions": Double(words.insertions),
                "character_errors": Double(characters.errors), "characters": Double(characters.length),
                "plain_errors": Double(plain.errors), "plain_words": Double(plain.length),
            ])
    }
}

/// LibriSpeech as it is unpacked: speaker/chapter/utterance.flac beside transcripts of each chapter.
public enum LibriSpeechFolder {
    public struct Utterance: Sendable, Equatable {
        public var id: String
        public var path: String
        /// In capitals, as it comes.
        public var text: String
    }

    /// Utterances of a split, in the order of their names.
    public static func utterances(_ folder: String) throws -> [Utterance] {
        guard Files.exists(folder) else { throw EvaluationError.unreadable(path: folder, reason: "there is no such folder") }
        var found: [Utterance] = []
        for speaker in Files.names(in: folder) {
            for chapter in Files.names(in: "\(folder)/\(speaker)") {
                let place = "\(folder)/\(speaker)/\(chapter)"
                for name in Files.names(in: place) where name.hasSuffix(".trans.txt") {
                    guard let text = try? String(contentsOfFile: "\(place)/\(name)", encoding: .utf8) else {
                        throw EvaluationError.unreadable(path: "\(place)/\(name)", reason: "it is not UTF-8 text")
                    }
                    for line in text.split(whereSeparator: \.isNewline) {
                        let parts = line.split(separator: " ", maxSplits: 1)
                        guard let id = parts.first else { continue }
                        found.append(Utterance(id: String(id), path: "\(place)/\(id).flac", text: parts.count > 1 ? String(parts[1]) : ""))
                    }
                }
            }
        }
        guard !found.isEmpty else { throw EvaluationError.noItems("\(folder) (no SPEAKER/CHAPTER/*.trans.txt)") }
        return found
    }
}
