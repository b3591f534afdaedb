// The small world's own test: everything that the nano model is to do, each ability with the score it has to reach.
import Foundation

struct Nano: Benchmark {
    static let info = BenchmarkInfo(
        name: "nano", title: "The small world", metrics: metrics, folders: ["nano"],
        marks: ["test", "test.jsonl"] + abilities.map { "\($0.ability).jsonl" },
        source: "lyra data synth --split test",
        layout: """
            test/*.jsonl    (the format of docs/training-data.md, and: ability, answers, kind, voice, fact_seconds)
            test/PICTURES-AND-RECORDINGS
            """,
        options: [("abilities", "which to test, with commas between them; default: all that are there")],
        load: { request in (Nano(), try items(request)) })

    private static let abilities: [(ability: String, name: String, target: Double)] = [
        ("picture_text", "Question in writing about a picture", 97),
        ("picture_speech_seen", "Spoken question about a picture, voices of training", 95),
        ("picture_speech_heldout", "Spoken question about a picture, other voices", 92),
        ("digits", "Digits spoken by a person not in training", 92), ("video", "Question about a video", 92),
        ("needle_5", "Needle in 5 minutes of speech", 97), ("needle_30", "Needle in 30 minutes of speech", 95),
        ("needle_120", "Needle in 120 minutes of speech", 92),
    ]

    private static let metrics: [MetricDefinition] = {
        let asked = abilities.map { ability, name, target in
            MetricDefinition(ability, name, applies: { record in
                record.score != nil && record.slices["ability"] == ability && record.slices["extractor"] != "off"
            }, value: MetricDefinition.meanScore).aiming(at: target)
        }
        let loss = MetricDefinition(
            "speech_loss", "Points lost by asking in speech instead of writing", unit: .points, isHigherBetter: false,
            stratum: "ability", applies: { ["picture_text", "picture_speech_seen"].contains($0.slices["ability"]) && $0.score != nil }
        ) { difference($0, slice: "ability", "picture_text", "picture_speech_seen") }
        let extractor = MetricDefinition(
            "needle_extractor_gain", "Points lost by leaving the extractor out (needles)", unit: .points, isHigherBetter: false,
            applies: { isNeedle($0) && $0.score != nil }
        ) { difference($0, slice: "extractor", "on", "off") }
        let dropped = MetricDefinition("needle_dropped", "Context that the extractor drops (needles)", applies: { isNeedle($0) && $0.evidence != nil }) {
            MetricDefinition.retention.value($0).map { 100 - $0 }
        }
        let moment = MetricDefinition(
            "needle_moment", "Needles found where the answer attended to most", applies: { isNeedle($0) && $0.score == 1 && $0.evidence?.factFound != nil }
        ) { 100 * Double($0.count { $0.evidence?.factFound == true }) / Double(max(1, $0.count)) }
        return [MetricDefinition.mean("accuracy", "All questions")] + asked.prefix(3) + [
            loss.aiming(at: 3), MetricDefinition.ratio("wer", "Transcription: word error rate", "errors", by: "words").aiming(at: 6),
        ] + asked.dropFirst(3) + [
            dropped.aiming(at: 60), extractor.aiming(at: 2), moment,
            MetricDefinition.heard("recogniser", "word", "Spoken answers: words an independent recogniser hears").aiming(at: 90),
            MetricDefinition.heard("model", "word", "Spoken answers: words our own encoder hears").aiming(at: 95),
            absence.aiming(at: 90),
            MetricDefinition.mean("mentions", "Replies that hold an accepted answer", of: "mentions"),
        ]
    }()

    /// "That is not there", said where it is true and nowhere else.
    private static let absence = MetricDefinition(
        "absent_f1", "“Not in the picture / recording”: F1", applies: { $0.counts["is_absent"] != nil }
    ) { records in
        func count(_ said: Double, _ holds: Double) -> Double {
            Double(records.count { $0.counts["said_absent"] == said && $0.counts["is_absent"] == holds })
        }
        let (right, wrong, missed) = (count(1, 1), count(1, 0), count(0, 1))
        return right + missed > 0 ? 100 * 2 * right / (2 * right + wrong + missed) : nil
    }

    private static func isNeedle(_ record: ItemRecord) -> Bool { record.slices["ability"]?.hasPrefix("needle") == true }

    private static func difference(_ records: [ItemRecord], slice: String, _ a: String, _ b: String) -> Double? {
        let parts = [a, b].map { value in MetricDefinition.meanScore(records.filter { $0.slices[slice] == value }) }
        guard let x = parts[0], let y = parts[1] else { return nil }
        return x - y
    }

    // MARK: Items

    private struct Line: Decodable {
        struct Turn: Decodable { var from, value: String }
        var id: TextOrNumber?
        var image: OneOrMore?
        var video: OneOrMore?
        var speech: OneOrMore?
        var long_speech: OneOrMore?
        var conversations: [Turn]?
        var ability: String?
        var kind: String?
        var answers: [String]?
        var voice: String?
        var fact_seconds: Seconds?
        var seconds: Double?
    }

    private struct Seconds: Decodable {
        let values: [Double]
        init(from decoder: any Decoder) throws {
            let value = try decoder.singleValueContainer()
            values = try (try? value.decode([Double].self)) ?? [value.decode(Double.self)]
        }
    }

    private static func items(_ request: BenchmarkRequest) throws -> [EvaluationItem] {
        let folder = Files.exists(request.path("test")) ? request.path("test") : request.folder
        let wanted = request.options["abilities"].map { Set($0.split(separator: ",").map(String.init)) }
        var items: [EvaluationItem] = []
        for name in Files.names(in: folder) where name.hasSuffix(".jsonl") || name.hasSuffix(".json") {
            for (number, line) in try DataLines.read("\(folder)/\(name)", as: Line.self) {
                guard let line = try? line.get() else {
                    if case .failure(let error) = line { items.append(.unusable("\(name):\(number)", error.localizedDescription)) }
                    continue
                }
                // Other lists lie beside the tests, such as that of all utterances.
                guard let ability = line.ability, wanted?.contains(ability) ?? true else { continue }
                do {
                    items += try asked(line, ability, id: line.id?.text ?? "\(name):\(number)", folder, request)
                } catch {
                    items.append(.unusable(line.id?.text ?? "\(name):\(number)", error.localizedDescription))
                }
            }
        }
        return items
    }

    private static func asked(
        _ line: Line, _ ability: String, id: String, _ folder: String, _ request: BenchmarkRequest
    ) throws -> [EvaluationItem] {
        var turns = line.conversations ?? []
        guard turns.count >= 2, turns.count % 2 == 0, let answer = turns.popLast(), let question = turns.popLast() else {
            throw EvaluationError.invalid("its conversation does not end with a question and an answer")
        }
        var media = MarkedMedia(
            images: line.image?.texts ?? [], videos: line.video?.texts ?? [], speeches: line.speech?.texts ?? line.long_speech?.texts ?? [],
            folder: folder)
        var history: [(said: [EvaluationItem.Piece], answer: String)] = []
        for place in stride(from: 0, to: turns.count, by: 2) {
            history.append((try media.pieces(of: turns[place].value), turns[place + 1].value))
        }
        let pieces = try media.pieces(of: question.value)
        try media.finish()
        let words = pieces.compactMap { if case .text(let text) = $0 { text } else { nil } }.joined(separator: " ")
        var item = EvaluationItem(
            id: id, turns: [pieces], question: words.isEmpty ? "(spoken)" : words, truth: line.answers ?? [answer.value])
        item.history = history
        item.slices = ["ability": ability]
        item.slices["kind"] = line.kind
        item.slices["voice"] = line.voice
        item.maximumTokens = ability == "transcription" ? 128 : 64
        item.speaks = request.speaks || ability == "spoken_answer"
        if let facts = line.fact_seconds?.values, facts.count == 1 {
            // Facts are short sentences.
            item.fact = facts[0]...(facts[0] + 4)
            // Depths in recordings of seconds tell nothing.
            if let length = line.seconds, length >= 60 {
                item.slices["depth"] = "\(min(9, Int(10 * facts[0] / length)) * 10)"
                item.slices["length"] = "\(Int((length / 60).rounded())) min"
            }
        }
        item.extracts = ability.contains("needle")
        guard ability.hasPrefix("needle"), request.extracts else { return [item] }
        // Drawn together, since they ask the same.
        return [true, false].map { extracts in
            var copy = item
            (copy.extracts, copy.group) = (extracts, id)
            copy.id += extracts ? "/on" : "/off"
            copy.slices["extractor"] = extracts ? "on" : "off"
            return copy
        }
    }

    // MARK: Scores

    func score(_ record: ItemRecord, _ item: EvaluationItem) -> ItemScore {
        if item.slices["ability"] == "transcription" { return LibriSpeech.score(record.answer, item.truth.first ?? "") }
        var counts = ["mentions": AnswerScore.mentions(record.answer, accepted: item.truth) ? 1.0 : 0]
        if let kind = item.slices["kind"] {
            counts["is_absent"] = kind == "absent" ? 1 : 0
            counts["said_absent"] = Self.saysAbsent(record.answer) ? 1 : 0
        }
        return ItemScore(AnswerScore.isExactly(record.answer, accepted: item.truth) ? 1 : 0, counts: counts)
    }

    static func saysAbsent(_ reply: String) -> Bool {
        AnswerScore.mentions(
            reply, accepted: ["picture", "image", "recording", "video"].flatMap { ["not in the \($0)", "not in this \($0)"] })
    }
}

/// Media of a conversation whose markers stand for them, in order.
struct MarkedMedia {
    private var images, videos, speeches: ArraySlice<String>
    private let folder: String

    init(images: [String], videos: [String], speeches: [String], folder: String) {
        (self.images, self.videos, self.speeches, self.folder) = (images[...], videos[...], speeches[...], folder)
    }

    /// What is said in a turn. A single picture or video moves to the front, as in training; line breaks around markers only set
    /// them apart.
    mutating func pieces(of text: String) throws -> [EvaluationItem.Piece] {
        var pieces: [EvaluationItem.Piece] = [], rest = text[...], visions: [Int] = []
        func add(_ words: Substring) {
            let words = words.trimmingCharacters(in: .newlines)
            if !words.isEmpty { pieces.append(.text(words)) }
        }
        while let marker = rest.firstMatch(of: /<(image|video|speech)>/) {
            add(rest[..<marker.range.lowerBound])
            let path: String?
            switch marker.1 {
            case "speech":
                path = speeches.popFirst()
                pieces.append(.speech(Files.join(folder, path ?? "")))
            case "image" where !images.isEmpty:
                path = images.popFirst()
                visions.append(pieces.count)
                pieces.append(.image(Files.join(folder, path ?? "")))
            default:
                path = videos.popFirst()
                visions.append(pieces.count)
                pieces.append(.video(Files.join(folder, path ?? "")))
            }
            guard path != nil else { throw EvaluationError.invalid("there are more markers than media") }
            rest = rest[marker.range.upperBound...]
        }
        add(rest)
        if visions.count == 1 { pieces.insert(pieces.remove(at: visions[0]), at: 0) }
        return pieces
    }

    func finish() throws {
        guard images.isEmpty, videos.isEmpty, speeches.isEmpty else { throw EvaluationError.invalid("there are more media than markers") }
    }
}
