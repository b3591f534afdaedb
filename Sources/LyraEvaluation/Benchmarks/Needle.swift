// A needle in a haystack of speech: a sentence spoken once somewhere in a long recording, and a question about it, for every length
// and depth of a grid, with the extractor and without.
import Foundation
import LyraMedia

struct Needle: Benchmark {
    /// A sentence to be found.
    struct Fact: Codable, Sendable {
        var id: String
        /// Its recording, relative to the list.
        var speech: String
        /// What is said.
        var text: String?
        var question: String
        var answers: [String]
    }

    static let info = BenchmarkInfo(
        name: "needle", title: "Needle in long speech",
        metrics: [
            .mean("accuracy", "Accuracy"),
            .mean("accuracy_extractor_on", "Accuracy with the extractor", where: "extractor", is: "on"),
            .mean("accuracy_extractor_off", "Accuracy without the extractor", where: "extractor", is: "off"),
            MetricDefinition("fact_kept", "Tokens of the needle that the extractor keeps", applies: { $0.evidence?.factKept != nil }) {
                let kept = $0.compactMap { $0.evidence?.factKept }
                return kept.isEmpty ? nil : 100 * kept.reduce(0, +) / Double(kept.count)
            },
            .retention,
        ],
        bands: [PaperBand("Base", 96, 98)],
        folders: ["Lyra_needle_in_a_haystack"], marks: ["needles.jsonl", "needles/needles.jsonl"],
        source: "https://huggingface.co/datasets/zszhong/Lyra-Eval (recordings); needles are made by lyra data needle",
        layout: """
            Lyra_needle_in_a_haystack/*.mp3    (long recordings, any format)
            Lyra_needle_in_a_haystack/needles/needles.jsonl    ({"id", "speech", "text", "question", "answers"} a line)
            Lyra_needle_in_a_haystack/needles/*.wav
            """,
        options: [
            ("lengths", "seconds, e.g. 450,900,1800,3600"), ("depths", "percent, e.g. 0,25,50,75,100"),
            ("needles", "how many needles for each cell of the grid; default: all"),
            ("extractor", "both (default where --extract is given), on or off"),
        ],
        load: { request in (Needle(), try items(request)) })

    static let defaultLengths = [450.0, 900, 1_800, 2_700, 3_600, 4_500], defaultDepths = [0.0, 25, 50, 75, 100]

    private static func items(_ request: BenchmarkRequest) throws -> [EvaluationItem] {
        let list = Files.first([request.path("needles/needles.jsonl"), request.path("needles.jsonl")])
        let place = (list as NSString).deletingLastPathComponent
        let haystacks = Files.names(in: request.folder).filter { AudioFormat(path: $0) != nil || $0.hasSuffix(".m4a") }
            .map { request.path($0) }.filter { path in !path.hasSuffix(".pcm") }
        guard !haystacks.isEmpty else { throw EvaluationError.noItems("\(request.folder) (no recordings to hide needles in)") }
        let lengths = try request.numbers("lengths", default: defaultLengths)
        let depths = try request.numbers("depths", default: defaultDepths)
        guard lengths.allSatisfy({ $0 > 0 }), depths.allSatisfy({ (0...100).contains($0) }) else {
            throw EvaluationError.invalid("lengths are seconds above 0, depths percents from 0 to 100")
        }
        var facts = try DataLines.read(list, as: Fact.self)
        if let count = try request.options["needles"].map({ _ in Int(try request.numbers("needles", default: [0])[0]) }) {
            facts = Array(facts.prefix(max(1, count)))
        }
        let runs: [Bool] =
            switch request.options["extractor"] {
            case "on": [true]
            case "off": [false]
            default: request.extracts ? [true, false] : [false]
            }
        var items: [EvaluationItem] = []
        for length in lengths {
            for (row, depth) in depths.enumerated() {
                for (number, line) in facts.enumerated() {
                    // Every needle meets every recording sooner or later.
                    let haystack = haystacks[(row + number) % haystacks.count]
                    for extracts in runs {
                        items.append(item(line.item, place, haystack, length: length, depth: depth, extracts: extracts, number: line.number))
                    }
                }
            }
        }
        return items
    }

    private static func item(
        _ fact: Result<Fact, EvaluationError>, _ place: String, _ haystack: String, length: Double, depth: Double, extracts: Bool,
        number: Int
    ) -> EvaluationItem {
        let cell = "\(NumberText.plain(length))s-\(NumberText.plain(depth))%"
        let mode = extracts ? "on" : "off"
        switch fact {
        case .failure(let error): return .unusable("\(cell)-\(number)-\(mode)", error.localizedDescription)
        case .success(let fact):
            let needle = Files.join(place, fact.speech)
            let name = "\((haystack as NSString).lastPathComponent), \(NumberText.plain(length)) s, needle at \(NumberText.plain(depth)) %"
            let plan = Haystack(haystack: haystack, needle: needle, seconds: length, depth: depth / 100)
            var item = EvaluationItem(
                id: "\(cell)-\(fact.id)-\(mode)",
                turns: [[.sound(name: name) { try plan.make() }, .text(fact.question)]], question: fact.question,
                truth: fact.answers)
            item.slices = ["length": NumberText.plain(length), "depth": NumberText.plain(depth), "extractor": mode]
            item.extracts = extracts
            item.maximumTokens = 64
            return item
        }
    }

    /// The heat maps as pictures of their own.
    func submissions(_ records: [ItemRecord]) throws -> [String: Data] {
        let maps = ["on", "off"].compactMap { mode in
            HeatMap(records, title: "Needle in long speech, extractor \(mode)", where: "extractor", is: mode).map {
                ("needle-extractor-\(mode).svg", Data($0.svg().utf8))
            }
        }
        return Dictionary(uniqueKeysWithValues: maps)
    }

    func score(_ record: ItemRecord, _ item: EvaluationItem) -> ItemScore {
        ItemScore(AnswerScore.mentions(record.answer, accepted: item.truth) ? 1 : 0)
    }
}

extension MetricDefinition {
    /// Share of media tokens that survives the extractor.
    static let retention = MetricDefinition(
        "kept", "Media tokens that the extractor keeps", applies: { $0.evidence != nil }
    ) { records in
        let shares = records.compactMap { $0.evidence?.keptShare }
        return shares.isEmpty ? nil : 100 * shares.reduce(0, +) / Double(shares.count)
    }
}

/// A long recording with a sentence put in.
public struct Haystack: Sendable {
    public var haystack: String
    public var needle: String
    /// Length of the whole.
    public var seconds: Double
    /// Where the sentence stands, 0...1 of what is before and after it.
    public var depth: Double

    static let rate = 16_000
    /// Silence around the sentence, so that it is no part of others.
    static let pause = 0.4
    /// How far the place may move to where the recording is quiet.
    static let search = 1.5

    public init(haystack: String, needle: String, seconds: Double, depth: Double) {
        (self.haystack, self.needle, self.seconds, self.depth) = (haystack, needle, seconds, depth)
    }

    /// The samples at 16 kHz, and where the sentence is in them, in seconds.
    /// - Throws: `MediaError`, or `EvaluationError` if there is no sound or it does not fit.
    public func make() throws -> (samples: [Float], fact: ClosedRange<Double>?) {
        let rate = Self.rate, pause = Int(Self.pause * Double(rate))
        var sentence = try AudioReader.readAll(.file(needle), sampleRate: rate)
        guard !sentence.isEmpty else { throw EvaluationError.unreadable(path: needle, reason: "it has no sound") }
        let total = Int(seconds * Double(rate)), wanted = total - sentence.count - 2 * pause
        guard wanted >= 0 else {
            throw EvaluationError.invalid("\(needle) takes longer than the \(NumberText.plain(seconds)) s that it is to be hidden in")
        }
        let base = try read(wanted)
        sentence = Self.levelled(sentence, to: base)
        let place = Self.quietest(base, near: Int(depth * Double(wanted)))
        let silence = [Float](repeating: 0, count: pause)
        let samples = base[..<place] + silence + sentence + silence + base[place...]
        let start = Double(place + pause) / Double(rate)
        return (Array(samples), start...(start + Double(sentence.count) / Double(rate)))
    }

    /// So many samples of the recording, which begins anew where it ends too soon.
    private func read(_ count: Int) throws -> [Float] {
        var samples: [Float] = []
        while samples.count < count {
            let reader = try AudioReader(.file(haystack), sampleRate: Self.rate), before = samples.count
            while samples.count < count, case let piece = try reader.read(maximumCount: min(1 << 20, count - samples.count)), !piece.isEmpty {
                samples += piece
            }
            guard samples.count > before else { throw EvaluationError.unreadable(path: haystack, reason: "it has no sound") }
        }
        return samples
    }

    private static func loudness(_ samples: some Collection<Float>) -> Double {
        samples.isEmpty ? 0 : (samples.reduce(0.0) { $0 + Double($1 * $1) } / Double(samples.count)).squareRoot()
    }

    /// As loud as the recording, as far as that does not clip it.
    private static func levelled(_ samples: [Float], to base: [Float]) -> [Float] {
        let (own, other) = (loudness(samples), loudness(base)), peak = samples.reduce(Float(1e-6)) { max($0, abs($1)) }
        guard own > 1e-5, other > 1e-5 else { return samples }
        let gain = min(Float(other / own), 0.99 / peak)
        return samples.map { $0 * gain }
    }

    /// The middle of the quietest fifth of a second around a place; the ends stay what they are.
    private static func quietest(_ samples: [Float], near place: Int) -> Int {
        let span = rate / 5, reach = Int(search * Double(rate))
        guard place > 0, place < samples.count, samples.count > 2 * span else { return min(place, samples.count) }
        let first = max(0, place - reach), last = min(samples.count - span, place + reach)
        guard last > first else { return place }
        let starts = stride(from: first, to: last, by: rate / 50)
        let best = starts.min { loudness(samples[$0..<($0 + span)]) < loudness(samples[$1..<($1 + span)]) } ?? place
        return best + span / 2
    }
}

enum NumberText {
    /// Without decimals where there are none.
    static func plain(_ value: Double) -> String { value == value.rounded() && abs(value) < 1e15 ? "\(Int(value))" : "\(value)" }
}
