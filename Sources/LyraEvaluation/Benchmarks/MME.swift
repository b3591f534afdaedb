// MME: two yes-or-no questions for each picture, in fourteen kinds.
import Foundation

struct MME: Benchmark {
    static let info = BenchmarkInfo(
        name: "mme", title: "MME",
        metrics: [
            score("score", "Score (perception and cognition)", MMEScore.perception.union(MMEScore.cognition)),
            score("perception", "Perception", MMEScore.perception), score("cognition", "Cognition", MMEScore.cognition),
            .mean("accuracy", "Accuracy of single questions"),
        ],
        bands: [PaperBand("Mini", 1884), PaperBand("Base", 2335), PaperBand("Pro", 2485)],
        folders: ["MME_Benchmark_release_version", "MME"], marks: MMEScore.perception.union(MMEScore.cognition).sorted(),
        source: "https://github.com/BradyFU/Awesome-Multimodal-Large-Language-Models/tree/Evaluation",
        layout: """
            MME_Benchmark_release_version/existence/000000006040.jpg
            MME_Benchmark_release_version/existence/000000006040.txt    (a line a question: text, tab, Yes or No)
            MME_Benchmark_release_version/landmark/images/*.jpg
            MME_Benchmark_release_version/landmark/questions_answers_YN/*.txt
            """,
        load: { request in (MME(), try items(request)) })

    /// Scores of these categories, added up.
    private static func score(_ key: String, _ name: String, _ categories: Set<String>) -> MetricDefinition {
        MetricDefinition(
            key, name, unit: .points, stratum: "category",
            applies: { $0.score != nil && categories.contains($0.slices["category"] ?? "") }
        ) { records in
            // Items drawn several times are several pictures.
            var seen: [String: Int] = [:]
            return MMEScore(
                records.map { record in
                    seen[record.id, default: 0] += 1
                    return MMEScore.Answer(
                        category: record.slices["category"] ?? "", picture: "\(record.group ?? record.id)#\(seen[record.id] ?? 0)",
                        isRight: record.score == 1)
                }
            ).total
        }
    }

    private static func items(_ request: BenchmarkRequest) throws -> [EvaluationItem] {
        var items: [EvaluationItem] = []
        for category in Files.names(in: request.folder) where MMEScore.perception.union(MMEScore.cognition).contains(category) {
            let place = request.path(category)
            let lists = Files.exists("\(place)/questions_answers_YN") ? "\(place)/questions_answers_YN" : place
            let pictures = Files.exists("\(place)/images") ? "\(place)/images" : place
            for name in Files.names(in: lists) where name.hasSuffix(".txt") {
                let stem = String(name.dropLast(4)), picture = VisualQuestions.picture(pictures, stem + ".jpg")
                let text = (try? String(contentsOfFile: "\(lists)/\(name)", encoding: .utf8)) ?? ""
                let lines = text.split(whereSeparator: \.isNewline)
                if lines.isEmpty { items.append(.unusable("\(category)/\(stem)", "\(category)/\(name) has no questions")) }
                for (number, line) in lines.enumerated() {
                    let parts = line.split(separator: "\t").map { $0.trimmingCharacters(in: .whitespaces) }
                    let id = "\(category)/\(stem)/\(number + 1)"
                    guard parts.count == 2, ["yes", "no"].contains(parts[1].lowercased()) else {
                        items.append(.unusable(id, "line \(number + 1) of \(category)/\(name) is not a question, a tab, and Yes or No"))
                        continue
                    }
                    var item = EvaluationItem(
                        id: id, turns: [[.image(picture), .text(parts[0])]], question: parts[0], truth: [parts[1]])
                    item.slices["category"] = category
                    item.group = "\(category)/\(stem)"
                    item.maximumTokens = 16
                    item.speaks = request.speaks
                    items.append(item)
                }
            }
        }
        return items
    }

    func score(_ record: ItemRecord, _ item: EvaluationItem) -> ItemScore {
        let said = AnswerScore.yesOrNo(record.answer)
        return ItemScore(said == (item.truth.first?.lowercased() == "yes") ? 1 : 0, counts: ["readable": said == nil ? 0 : 1])
    }
}
