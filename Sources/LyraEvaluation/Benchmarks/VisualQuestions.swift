// Questions about pictures with short answers: TextVQA in writing and by voice, DocVQA and ChartQA by voice.
import Foundation

struct VisualQuestions: Benchmark {
    enum Rule: Sendable { case people, similarity, relaxed }
    let rule: Rule

    func score(_ record: ItemRecord, _ item: EvaluationItem) -> ItemScore {
        let match = AnswerScore.processedMatch(record.answer, accepted: item.truth)
        let score =
            switch rule {
            case .people: AnswerScore.vqaAccuracy(record.answer, people: item.truth)
            case .similarity: AnswerScore.levenshteinSimilarity(record.answer, accepted: item.truth)
            case .relaxed: item.truth.contains { AnswerScore.relaxedMatch(record.answer, truth: $0) } ? 1.0 : 0
            }
        return ItemScore(score, counts: ["match": match])
    }

    static let all = [textVQA, textVQASpeech, docVQA, chartQA]

    private static let releaseMatch = MetricDefinition.mean("match", "Exact match, as the release scores it", of: "match")

    // MARK: TextVQA

    private static let textVQALayout = """
        TextVQA_speech/TextVQA_0.5.1_val.json
        TextVQA_speech/lyra_textvqa_val_v051_ocr_withspeechid.jsonl
        TextVQA_speech/train_images/*.jpg
        TextVQA_speech/lyra_audios/*.mp3
        """
    private static let source = "https://huggingface.co/datasets/zszhong/Lyra-Eval"

    private static let textVQA = BenchmarkInfo(
        name: "textvqa", title: "TextVQA, questions in writing", metrics: [.mean("accuracy", "VQA accuracy")],
        bands: [PaperBand("Mini", 78.3), PaperBand("Base", 82.6), PaperBand("Pro", 83.5)],
        folders: ["TextVQA_speech", "TextVQA", "textvqa"], marks: ["TextVQA_0.5.1_val.json"],
        source: "https://textvqa.org/dataset (or \(source))", layout: textVQALayout,
        load: { request in
            let items = try annotations(request).map { line -> EvaluationItem in
                let image = picture(request.path("train_images"), "\(line.image_id).jpg")
                let question = line.question + "\nAnswer the question using a single word or phrase."
                var item = EvaluationItem(
                    id: line.question_id?.text ?? "\(line.image_id) \(line.question)", turns: [[.image(image), .text(question)]],
                    question: line.question, truth: line.answers)
                item.speaks = request.speaks
                return item
            }
            return (VisualQuestions(rule: .people), items)
        })

    private static let textVQASpeech = BenchmarkInfo(
        name: "textvqa-speech", title: "TextVQA, spoken questions", metrics: [.mean("accuracy", "VQA accuracy")],
        bands: [PaperBand("Mini", 73.4, 73.9), PaperBand("Base", 80.0, 80.5), PaperBand("Pro", 81.0)],
        folders: ["TextVQA_speech"], marks: ["lyra_textvqa_val_v051_ocr_withspeechid.jsonl"], source: source, layout: textVQALayout,
        load: { request in
            let answers = Dictionary(
                try annotations(request).map { ("\($0.image_id) \($0.question.lowercased())", $0.answers) }) { first, _ in first }
            let items = try DataLines.read(request.path("lyra_textvqa_val_v051_ocr_withspeechid.jsonl"), as: SpokenLine.self)
                .map { number, line in
                    spokenItem(line, number, request, images: request.path("train_images")) { line in
                        guard let question = line.prompt.map(question(of:)) else { throw EvaluationError.invalid("it has no 'prompt'") }
                        guard let truth = answers["\(line.question_id.text) \(question.lowercased())"] else {
                            throw EvaluationError.invalid("TextVQA_0.5.1_val.json has no answers to '\(question)'")
                        }
                        return (question, truth)
                    }
                }
            return (VisualQuestions(rule: .people), items)
        })

    private struct Annotations: Decodable { var data: [Annotation] }
    private struct Annotation: Decodable {
        var question: String
        var image_id: String
        var question_id: TextOrNumber?
        var answers: [String]
    }

    private static func annotations(_ request: BenchmarkRequest) throws -> [Annotation] {
        try DataLines.value(request.path("TextVQA_0.5.1_val.json"), as: Annotations.self).data
    }

    /// The question in a prompt that may have tokens read off the picture around it.
    static func question(of prompt: String) -> String {
        let lines = prompt.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        return lines.first { !$0.hasPrefix("Reference OCR token:") } ?? prompt
    }

    // MARK: DocVQA, ChartQA

    private static let docVQA = spoken(
        "docvqa-speech", "DocVQA, spoken questions", .similarity, .mean("anls", "ANLS"),
        [PaperBand("Mini", 74.8, 76.0), PaperBand("Base", 85.5, 86.2), PaperBand("Pro", 89.4)],
        folder: "Docvqa_val", list: "lyra_docvqa_audio.jsonl")

    private static let chartQA = spoken(
        "chartqa-speech", "ChartQA (human), spoken questions", .relaxed, .mean("relaxed", "Relaxed accuracy"),
        [PaperBand("Mini", 40.7, 42.2), PaperBand("Base", 61.0), PaperBand("Pro", 68.5)],
        folder: "Chartvqa_human", list: "lyra_chartvqa_audio.jsonl")

    private static func spoken(
        _ name: String, _ title: String, _ rule: Rule, _ metric: MetricDefinition, _ bands: [PaperBand], folder: String, list: String
    ) -> BenchmarkInfo {
        BenchmarkInfo(
            name: name, title: title, metrics: [metric, releaseMatch], bands: bands, folders: [folder], marks: [list], source: source,
            layout: """
                \(folder)/\(list)
                \(folder)/IMAGE        (as the list names them)
                \(folder)/lyra_audios/*.mp3
                """,
            load: { request in
                let items = try DataLines.read(request.path(list), as: SpokenLine.self).map { number, line in
                    spokenItem(line, number, request, images: request.folder) { line in
                        guard let truth = line.answer?.texts else { throw EvaluationError.invalid("it has no 'answer'") }
                        return (line.question ?? line.text ?? "(spoken)", truth)
                    }
                }
                return (VisualQuestions(rule: rule), items)
            })
    }
}

/// A line of the release's lists of spoken questions.
struct SpokenLine: Decodable {
    var question_id: TextOrNumber
    var image: String
    /// Name of the recording without its ending, where it is not that of the question.
    var speech: TextOrNumber?
    /// The prompt, `<speech>` standing for the recording.
    var text: String?
    var prompt: String?
    var question: String?
    var answer: OneOrMore?
}

extension VisualQuestions {
    /// An item as the release asks it: the picture, then the recording, and what the prompt has around that.
    static func spokenItem(
        _ line: Result<SpokenLine, EvaluationError>, _ number: Int, _ request: BenchmarkRequest, images: String,
        _ known: (SpokenLine) throws -> (question: String, truth: [String])
    ) -> EvaluationItem {
        do {
            let line = try line.get()
            let (question, truth) = try known(line)
            let audio = request.path("lyra_audios/\(line.speech?.text ?? line.question_id.text)")
            var pieces: [EvaluationItem.Piece] = [.image(picture(images, line.image)), .speech(Files.first([audio + ".mp3", audio + ".wav"]))]
            // The template sets text after a recording on a line of its own.
            if let after = line.text.flatMap({ $0.range(of: "<speech>") == nil ? nil : $0.components(separatedBy: "<speech>").last }) {
                let text = after.hasPrefix("\n") ? String(after.dropFirst()) : after
                if !text.isEmpty { pieces.append(.text(text)) }
            }
            let id = line.speech.map { "\(line.question_id.text)/\($0.text)" } ?? line.question_id.text
            var item = EvaluationItem(id: id, turns: [pieces], question: question, truth: truth)
            item.maximumTokens = 1_024
            item.speaks = request.speaks
            return item
        } catch {
            return .unusable("line \(number)", "line \(number): \(error.localizedDescription)")
        }
    }

    /// A picture as named, or under the other usual endings.
    static func picture(_ folder: String, _ name: String) -> String {
        let path = Files.join(folder, name), stem = (path as NSString).deletingPathExtension
        return Files.first([path, stem + ".jpg", stem + ".png", stem + ".jpeg"])
    }
}
