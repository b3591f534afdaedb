// Multiple-choice questions about videos: Video-MME (also by its sound alone), MVBench, EgoSchema.
import Foundation

struct VideoQuestions: Benchmark {
    /// Writes the choices of all items, for tests whose answers are secret.
    var submission: String?
    /// The first turn asks whether the question can be answered at all.
    var asksFirst = false

    static let all = [videoMME, videoMMESpeech, mvBench, egoSchema]

    func score(_ record: ItemRecord, _ item: EvaluationItem) -> ItemScore {
        let choice = MultipleChoice.choice(record.answer, options: item.options)
        var counts: [String: Double] = ["readable": choice == nil ? 0 : 1]
        let right = item.truth.first.map { Self.letter(choice) == $0 ? 1.0 : 0 }
        if asksFirst, let said = record.earlier?.first {
            let isAnswerable = AnswerScore.yesOrNo(said) == true
            counts["answerable"] = isAnswerable ? 1 : 0
            if isAnswerable { counts["right_where_answerable"] = right }
        }
        return ItemScore(right, counts: counts)
    }

    func submissions(_ records: [ItemRecord]) throws -> [String: Data] {
        guard let submission else { return [:] }
        let choices = records.filter { $0.error == nil }.map { record in
            (record.id, MultipleChoice.choice(record.answer, options: record.options ?? []) ?? -1)
        }
        return [submission: try JSON.pretty(Dictionary(choices) { $1 })]
    }

    private static func letter(_ choice: Int?) -> String? { choice.map { String(UnicodeScalar(UInt8(65 + $0))) } }

    private static func options(_ texts: [String]) -> [String] {
        texts.enumerated().map { "\(letter($0.offset) ?? ""). \(MultipleChoice.body($0.element))" }
    }

    private static let accuracy = MetricDefinition.mean("accuracy", "Accuracy")
    private static let readable = MetricDefinition.mean("readable", "Replies that choose an option", of: "readable")

    // MARK: Video-MME

    private struct VideoMMELine: Decodable {
        var videoID: String?
        var video_id: TextOrNumber?
        var duration: String?
        var domain: String?
        var question_id: TextOrNumber?
        var task_type: String?
        var question: String?
        var options: [String]?
        var answer: String?
        /// The list of the official release has a video's questions together.
        var questions: [VideoMMELine]?
    }

    private static let videoMMELayout = """
        VideoMME/videomme.json    (questions: the official list, or one question a line)
        VideoMME/videos/VIDEOID.mp4
        VideoMME_speech/videomme.json
        VideoMME_speech/audios/VIDEOID.mp3
        """
    private static let videoMMELists = ["videomme.json", "videomme.jsonl", "test.json", "test.jsonl", "Video-MME.json"]

    private static let videoMME = BenchmarkInfo(
        name: "videomme", title: "Video-MME", metrics: [accuracy, readable],
        bands: [PaperBand("Mini", 55.0), PaperBand("Base", 62.8), PaperBand("Pro", 69.9)],
        folders: ["VideoMME", "Video-MME", "videomme"], marks: videoMMELists,
        source: "https://huggingface.co/datasets/lmms-lab/Video-MME", layout: videoMMELayout,
        load: { request in
            let items = try videoMMEItems(request) { id, question, options in
                let path = Files.first(["videos", "data", "video"].flatMap { folder in
                    ["mp4", "MP4", "mkv", "webm"].map { request.path("\(folder)/\(id).\($0)") }
                })
                let prompt = """
                    Select the best answer to the following multiple-choice question based on the video. Respond with only the letter \
                    (A, B, C, or D) of the correct option.
                    """
                return [[.video(path), .text(([prompt, question] + options + ["The best answer is:"]).joined(separator: "\n"))]]
            }
            return (VideoQuestions(), items)
        })

    private static let videoMMESpeech = BenchmarkInfo(
        name: "videomme-speech", title: "Video-MME by its sound alone",
        metrics: [
            accuracy, .mean("right_where_answerable", "Accuracy where the model says it can answer", of: "right_where_answerable"),
            .mean("answerable", "Questions the model says it can answer", of: "answerable"), readable,
        ],
        folders: ["VideoMME_speech"], marks: videoMMELists + ["audios"],
        source: "https://huggingface.co/datasets/zszhong/Lyra-Eval (sound), https://huggingface.co/datasets/lmms-lab/Video-MME (questions)",
        layout: videoMMELayout,
        load: { request in
            let items = try videoMMEItems(request) { id, question, options in
                let path = Files.first(["mp3", "wav", "m4a", "flac", "opus"].map { request.path("audios/\(id).\($0)") })
                let asked = ([question] + options).joined(separator: "\n")
                return [
                    [.speech(path), .text("This is the sound of a video. Can the following question be answered by the sound alone? Reply yes or no.\n\(asked)")],
                    [.text("Now answer the question with the letter of the best option.")],
                ]
            }
            return (VideoQuestions(asksFirst: true), items)
        })

    private static func videoMMEItems(
        _ request: BenchmarkRequest, _ turns: (_ id: String, _ question: String, _ options: [String]) -> [[EvaluationItem.Piece]]
    ) throws -> [EvaluationItem] {
        let list = Files.first((videoMMELists + videoMMELists.map { "../VideoMME/" + $0 }).map(request.path))
        return try DataLines.read(list, as: VideoMMELine.self).flatMap { number, line -> [EvaluationItem] in
            guard let line = try? line.get() else { return [.unusable("line \(number)", fault(line, number))] }
            return (line.questions ?? [line]).enumerated().map { place, asked in
                guard let video = asked.videoID ?? line.videoID ?? line.video_id?.text, let question = asked.question,
                    let options = asked.options, options.count > 1, let answer = asked.answer
                else { return .unusable("line \(number)/\(place + 1)", "item \(number) lacks a video, question, options or answer") }
                let shown = Self.options(options)
                var item = EvaluationItem(
                    id: asked.question_id?.text ?? "\(video)-\(place + 1)", turns: turns(video, question, shown), question: question,
                    truth: [String(answer.trimmingCharacters(in: .whitespaces).prefix(1))])
                item.options = shown
                item.slices["duration"] = asked.duration ?? line.duration
                item.slices["domain"] = asked.domain ?? line.domain
                item.slices["task"] = asked.task_type
                item.group = video
                item.maximumTokens = 32
                item.speaks = request.speaks
                return item
            }
        }
    }

    private static func fault<Line>(_ line: Result<Line, EvaluationError>, _ number: Int) -> String {
        if case .failure(let error) = line { return error.localizedDescription }
        return "line \(number) cannot be read"
    }

    // MARK: MVBench

    private struct MVBenchLine: Decodable {
        var video: String
        var question: String
        var candidates: [String]
        var answer: String
        var start: Double?
        var end: Double?
    }

    private static let mvBench = BenchmarkInfo(
        name: "mvbench", title: "MVBench",
        metrics: [
            MetricDefinition("accuracy", "Accuracy, averaged over tasks", stratum: "task") { records in
                let tasks = Dictionary(grouping: records) { $0.slices["task"] ?? "" }
                let shares = tasks.values.map { $0.reduce(0) { $0 + ($1.score ?? 0) } / Double($0.count) }
                return shares.isEmpty ? nil : 100 * shares.reduce(0, +) / Double(shares.count)
            },
            .mean("accuracy_over_items", "Accuracy over all items"), readable,
        ],
        bands: [PaperBand("Mini", 62.5), PaperBand("Base", 67.2), PaperBand("Pro", 72.3)],
        folders: ["MVBench", "mvbench"], marks: ["json"], source: "https://huggingface.co/datasets/OpenGVLab/MVBench",
        layout: """
            MVBench/json/action_sequence.json ...      (one list a task)
            MVBench/video/star/Charades_segment/*.mp4 ...  (cut to the stretches that questions are about)
            """,
        load: { request in
            let videos = VideoIndex(Files.first([request.path("video"), request.path("videos"), request.folder]))
            let lists = Files.names(in: request.path("json")).filter { $0.hasSuffix(".json") }
            let items = try lists.flatMap { name -> [EvaluationItem] in
                let task = String(name.dropLast(5))
                return try DataLines.read(request.path("json/\(name)"), as: MVBenchLine.self).map { number, line in
                    guard let line = try? line.get() else { return .unusable("\(task)-\(number)", fault(line, number)) }
                    guard let right = line.candidates.firstIndex(of: line.answer) else {
                        return .unusable("\(task)-\(number)", "the answer '\(line.answer)' is none of the candidates")
                    }
                    let options = Self.options(line.candidates)
                    let text = (["Question: \(line.question)", "Options:"] + options + ["Only give the best option."])
                    let path = videos.path(of: line.video, start: line.start, end: line.end)
                    var item = EvaluationItem(
                        id: "\(task)-\(number)", turns: [[.video(path), .text(text.joined(separator: "\n"))]], question: line.question,
                        truth: [letter(right) ?? ""])
                    item.options = options
                    item.slices["task"] = task
                    item.maximumTokens = 32
                    item.speaks = request.speaks
                    return item
                }
            }
            return (VideoQuestions(), items)
        })

    // MARK: EgoSchema

    private struct EgoSchemaLine: Decodable {
        var id: String
        var question: String
        var options: [String]

        private struct Key: CodingKey {
            var stringValue: String
            var intValue: Int? { nil }
            init(stringValue: String) { self.stringValue = stringValue }
            init?(intValue: Int) { nil }
        }

        init(from decoder: any Decoder) throws {
            let keys = try decoder.container(keyedBy: Key.self)
            func text(_ name: String) throws -> String { try keys.decode(String.self, forKey: Key(stringValue: name)) }
            id = try (try? text("q_uid")) ?? text("video_idx")
            question = try text("question")
            if let list = try? keys.decode([String].self, forKey: Key(stringValue: "option")) { options = list } else {
                options = try (0..<5).map { try text("option \($0)") }
            }
        }
    }

    private static let egoSchema = BenchmarkInfo(
        name: "egoschema", title: "EgoSchema", metrics: [accuracy, readable],
        bands: [PaperBand("Mini", 54.1), PaperBand("Base", 63.2), PaperBand("Pro", 75.8)],
        folders: ["EgoSchema", "egoschema"], marks: ["questions.json"],
        source: "https://github.com/egoschema/EgoSchema",
        layout: """
            EgoSchema/questions.json
            EgoSchema/subset_answers.json    (the 500 answers that are public; all choices go into egoschema-submission.json)
            EgoSchema/videos/QUESTION-ID.mp4
            """,
        options: [("part", "subset: only the questions with public answers; all (default)")],
        load: { request in
            let path = request.path("subset_answers.json")
            let answers = Files.exists(path) ? try DataLines.value(path, as: [String: Int].self) : [:]
            let items = try DataLines.read(request.path("questions.json"), as: EgoSchemaLine.self).map { number, line in
                guard let line = try? line.get() else { return EvaluationItem.unusable("line \(number)", fault(line, number)) }
                let options = Self.options(line.options)
                let video = Files.first(["mp4", "MP4"].map { request.path("videos/\(line.id).\($0)") })
                let text = ([line.question] + options + ["Answer with the option's letter from the given choices directly."])
                var item = EvaluationItem(
                    id: line.id, turns: [[.video(video), .text(text.joined(separator: "\n"))]], question: line.question,
                    truth: letter(answers[line.id]).map { [$0] } ?? [])
                item.options = options
                item.maximumTokens = 32
                item.speaks = request.speaks
                return item
            }
            let wanted = request.options["part"] == "subset" ? items.filter { !$0.truth.isEmpty || $0.fault != nil } : items
            return (VideoQuestions(submission: "egoschema-submission.json"), wanted)
        })
}

/// Videos below a folder by the ends of their paths, since data sets name them in more than one way.
private struct VideoIndex {
    private let folder: String
    private var paths: [String: [String]] = [:]

    init(_ folder: String) {
        self.folder = folder
        for case let path as String in FileManager.default.enumerator(atPath: folder) ?? .init() {
            paths[(path as NSString).lastPathComponent, default: []].append(path)
        }
    }

    /// The video of that name. One that is about a stretch of a longer video is looked for in a folder of cut ones.
    func path(of name: String, start: Double?, end: Double?) -> String {
        let found = (paths[(name as NSString).lastPathComponent] ?? []).filter { $0 == name || $0.hasSuffix("/" + name) }.sorted()
        let isStretch = start != nil && end != nil
        let best = found.first { $0.contains("_segment") == isStretch } ?? found.first
        return "\(folder)/\(best ?? name)"
    }
}
