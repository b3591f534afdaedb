// MM-Vet: free questions about pictures. Answers are judged by a large language model: handed in as a file, or by an endpoint.
import Foundation

struct MMVet: Benchmark {
    static let text = info(
        "mmvet", "MM-Vet, questions in writing", [PaperBand("Mini", 51.2), PaperBand("Base", 63.5), PaperBand("Pro", 71.4)], bySpeech: false)
    /// The release's README has these for spoken questions.
    static let speech = info(
        "mmvet-speech", "MM-Vet, spoken questions", [PaperBand("Mini", 47.8), PaperBand("Base", 57.0, 58.1)], bySpeech: true)

    private static func info(_ name: String, _ title: String, _ bands: [PaperBand], bySpeech: Bool) -> BenchmarkInfo {
        BenchmarkInfo(
            name: name, title: title, metrics: [.mean("score", "Judged score")], bands: bands, folders: ["MM_vet_speech", "mm-vet"],
            marks: ["lyra_mm_vet.jsonl"], source: "https://huggingface.co/datasets/zszhong/Lyra-Eval",
            layout: """
                MM_vet_speech/lyra_mm_vet.jsonl
                MM_vet_speech/images/*.png
                MM_vet_speech/lyra_audios/*.mp3
                MM_vet_speech/mm-vet.json    (for --judge: the answers, from https://github.com/yuweihao/MM-Vet)
                """,
            load: { request in (MMVet(), try items(request, bySpeech: bySpeech)) })
    }

    private struct Answer: Decodable {
        var answer: String
        var capability: [String]?
    }

    private static func items(_ request: BenchmarkRequest, bySpeech: Bool) throws -> [EvaluationItem] {
        let answers =
            Files.exists(request.path("mm-vet.json"))
            ? try DataLines.value(request.path("mm-vet.json"), as: [String: Answer].self) : [:]
        return try DataLines.read(request.path("lyra_mm_vet.jsonl"), as: SpokenLine.self).map { number, line in
            var item = VisualQuestions.spokenItem(line, number, request, images: request.path("images")) { line in
                (line.question ?? line.text ?? "(spoken)", (answers[Self.key(line.question_id.text)]?.answer).map { [$0] } ?? [])
            }
            guard item.fault == nil, let line = try? line.get() else { return item }
            if !bySpeech, let picture = item.turns.first?.first {
                guard let question = line.question ?? line.text else { return .unusable("line \(number)", "it has no 'text'") }
                item.turns = [[picture, .text(question)]]
            }
            item.id = line.question_id.text
            item.slices["capability"] = answers[Self.key(item.id)]?.capability?.sorted().joined(separator: "+")
            return item
        }
    }

    private static func key(_ id: String) -> String { id.hasPrefix("v1_") ? id : "v1_\(id)" }

    func score(_ record: ItemRecord, _ item: EvaluationItem) -> ItemScore { ItemScore(nil) }

    /// The file that https://huggingface.co/spaces/whyu/MM-Vet_Evaluator takes.
    func submissions(_ records: [ItemRecord]) throws -> [String: Data] {
        let answers = records.filter { $0.error == nil }.map { (Self.key($0.id), $0.answer) }
        return ["mm-vet-submission.json": try JSON.pretty(Dictionary(answers) { $1 })]
    }
}

/// A judge behind a chat endpoint, asked in the manner of MM-Vet: examples of scores, then the answer at hand.
public struct EndpointJudge: Judge {
    let endpoint: ChatEndpoint

    public init(_ endpoint: ChatEndpoint) { self.endpoint = endpoint }

    static let instruction = """
        You grade answers. Compare a given answer with the reference and reply with one number from 0.0 (nothing right) to 1.0 \
        (everything right), in steps of 0.1, and nothing else. In a reference, <AND> joins parts that all have to be in the answer, \
        each counting equally, and <OR> separates alternatives of which one is enough. Extra remarks do no harm; statements that \
        contradict the reference do.

        Question: What are the roots of the equation? | Reference: 2 <AND> 7 | Answer: x = 3 -> 0.0
        Question: What are the roots of the equation? | Reference: 2 <AND> 7 | Answer: x = 7 -> 0.5
        Question: What are the roots of the equation? | Reference: 2 <AND> 7 | Answer: x is 2 or 7 -> 1.0
        Question: What drink is on the table? | Reference: tea <OR> a cup of tea | Answer: A cup of hot tea. -> 1.0
        Question: Why is the boy laughing? | Reference: His dog wears his hat and tie. | Answer: The dog wears a hat. -> 0.6
        """

    public func score(_ answer: String, _ item: EvaluationItem) async throws -> Double {
        let truth = item.truth.joined(separator: " <OR> ").replacing("<AND>", with: " <AND> ").replacing("<OR>", with: " <OR> ")
        let question = "Question: \(item.question) | Reference: \(truth) | Answer: \(answer) ->"
        let reply = try await endpoint.reply(to: [("system", Self.instruction), ("user", question)], maximumTokens: 16)
        let number = reply.split(whereSeparator: { !$0.isNumber && $0 != "." }).lazy.compactMap { Double($0) }.first
        guard let number, (0...1).contains(number) else {
            throw EvaluationError.invalid("the judge replied '\(reply.prefix(80))' instead of a number from 0 to 1")
        }
        return number
    }
}
