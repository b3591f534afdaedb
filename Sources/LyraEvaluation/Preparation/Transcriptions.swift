// Read sentences as data: LibriSpeech and Common Voice, as lists for evaluation and for training's first stage.
import Foundation

/// Lists of recordings with their transcripts.
public enum Transcriptions {
    public enum Purpose: String, Sendable, CaseIterable {
        /// {"audio", "text"} a line, as the release's evaluation reads it.
        case evaluation
        /// The format of docs/training-data.md, with an instruction to write down what is said.
        case training
    }

    /// Ways of asking for a transcript.
    static let instructions = [
        "Record the spoken words as text.", "Write down what is said.", "What does the recording say, word for word?",
        "Put this speech into writing.", "Please write out the words you hear.", "Give the text of this recording.",
        "Transcribe the recording.", "Note down every spoken word.", "Take this down in writing.", "Write a transcript of this.",
        "Turn what you hear into text.", "Listen, and write the words.",
    ]

    /// Splits of LibriSpeech as one list. Texts go through Whisper's normaliser, as the release's do.
    /// - Parameters:
    ///   - root: the folder that has `LibriSpeech/SPLIT`, or the splits themselves.
    ///   - path: of the list; recordings are named relative to its folder where they lie below it.
    public static func libriSpeech(_ root: String, splits: [String], purpose: Purpose, to path: String) throws -> PreparationResult {
        let file = try LinesFile(path)
        var result = PreparationResult(path: path, items: 0)
        for split in splits {
            let folder = Files.first(["\(root)/LibriSpeech/\(split)", "\(root)/\(split)"])
            for utterance in try LibriSpeechFolder.utterances(folder) {
                try add(
                    id: "librispeech-\(utterance.id)", utterance.path, EnglishNormalizer.normalise(utterance.text), purpose, to: file, &result)
            }
        }
        return try finish(file, &result)
    }

    /// A table of Common Voice as a list. Clips longer than `longest` seconds are left out where their lengths are known
    /// (`clip_durations.tsv`), and those that more listeners refused than accepted.
    /// - Parameter table: `train.tsv` or another, beside the folder `clips`.
    public static func commonVoice(_ table: String, longest: Double, purpose: Purpose, to path: String) throws -> PreparationResult {
        let folder = (table as NSString).deletingLastPathComponent
        let rows = try Table(table)
        let durations = Files.exists("\(folder)/clip_durations.tsv") ? try durations("\(folder)/clip_durations.tsv") : [:]
        guard let clip = rows.column("path"), let sentence = rows.column("sentence") else {
            throw EvaluationError.unreadable(path: table, reason: "its first line names no columns 'path' and 'sentence'")
        }
        let (up, down) = (rows.column("up_votes"), rows.column("down_votes"))
        let file = try LinesFile(path)
        var result = PreparationResult(path: path, items: 0)
        for row in rows.rows {
            guard row.count > max(clip, sentence) else {
                result.leaveOut("incomplete row")
                continue
            }
            let name = row[clip].hasSuffix(".mp3") || row[clip].contains(".") ? row[clip] : row[clip] + ".mp3"
            func votes(_ column: Int?) -> Int { column.flatMap { $0 < row.count ? Int(row[$0]) : nil } ?? 0 }
            if votes(up) < votes(down) {
                result.leaveOut("refused by listeners")
            } else if let seconds = durations[name], seconds > longest {
                result.leaveOut("too long")
            } else {
                let text = EnglishNormalizer.normalise(row[sentence])
                try add(id: "commonvoice-\((name as NSString).deletingPathExtension)", "\(folder)/clips/\(name)", text, purpose, to: file, &result)
            }
        }
        return try finish(file, &result)
    }

    private static func add(
        id: String, _ recording: String, _ text: String, _ purpose: Purpose, to file: LinesFile, _ result: inout PreparationResult
    ) throws {
        let text = text.trimmingCharacters(in: .whitespaces)
        guard Files.exists(recording) else { return result.leaveOut("no recording", "\(id): no file at \(recording)") }
        guard !text.isEmpty else { return result.leaveOut("no text", "\(id): nothing is said") }
        let place = relative(recording, to: file.path)
        switch purpose {
        case .evaluation: try file.append(["audio": place, "text": text])
        case .training:
            let instruction = StableHash.pick(instructions, for: id)
            try file.append([
                "id": id, "speech": place, "speech_asr": text,
                "conversations": [["from": "human", "value": "<speech>\n" + instruction], ["from": "gpt", "value": text]],
            ])
        }
    }

    private static func finish(_ file: LinesFile, _ result: inout PreparationResult) throws -> PreparationResult {
        result.items = file.count
        guard file.count > 0 else { throw EvaluationError.invalid("no recording was found" + (result.problems.first.map { "; the first: \($0)" } ?? "")) }
        try file.commit()
        return result
    }

    /// A path as a list beside it would write it.
    static func relative(_ path: String, to list: String) -> String {
        let folder = URL(fileURLWithPath: list).standardizedFileURL.deletingLastPathComponent().path + "/"
        let whole = URL(fileURLWithPath: path).standardizedFileURL.path
        return whole.hasPrefix(folder) ? String(whole.dropFirst(folder.count)) : whole
    }

    private static func durations(_ path: String) throws -> [String: Double] {
        let table = try Table(path)
        let rows = table.rows.compactMap { row in row.count > 1 ? Double(row[1]).map { (row[0], $0 / 1_000) } : nil }
        return Dictionary(rows) { $1 }
    }
}

/// A table of text, columns apart by tabs. Cells have no quotes around them.
private struct Table {
    let rows: [[String]]
    private let names: [String]

    init(_ path: String) throws {
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
            throw EvaluationError.unreadable(path: path, reason: Files.exists(path) ? "it is not UTF-8 text" : "there is no such file")
        }
        let lines = text.split(whereSeparator: \.isNewline).map { $0.split(separator: "\t", omittingEmptySubsequences: false).map(String.init) }
        (names, rows) = (lines.first ?? [], Array(lines.dropFirst()))
    }

    func column(_ name: String) -> Int? { names.firstIndex(of: name) }
}
