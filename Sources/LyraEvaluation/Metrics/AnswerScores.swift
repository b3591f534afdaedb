// Scores of single answers, 0...1, each by the rule of the benchmark that made it known.

/// How well an answer agrees with what people answered.
public enum AnswerScore {
    /// VQA accuracy: an answer counts a third for each person who gave it, at most one, averaged over leaving one person out.
    /// With a single person, whether it is that person's.
    public static func vqaAccuracy(_ answer: String, people: [String]) -> Double {
        let given = people.map(AnswerProcessor.process), answer = AnswerProcessor.process(answer)
        guard given.count > 1 else { return given.first == answer ? 1 : 0 }
        let total = given.count(where: { $0 == answer })
        guard total > 0 else { return 0 }
        let scores = given.map { min(1, Double(total - ($0 == answer ? 1 : 0)) / 3) }
        return scores.reduce(0, +) / Double(scores.count)
    }

    /// Whether the answer is one of those accepted, both processed as for VQA. The release scores its spoken DocVQA and ChartQA
    /// so.
    public static func processedMatch(_ answer: String, accepted: [String]) -> Double {
        let answer = AnswerProcessor.process(answer)
        return accepted.contains { AnswerProcessor.process($0) == answer } ? 1 : 0
    }

    /// Normalised Levenshtein similarity to the nearest accepted answer, 0 below a half; its average is DocVQA's ANLS.
    public static func levenshteinSimilarity(_ answer: String, accepted: [String], threshold: Double = 0.5) -> Double {
        let differences = accepted.map { truth -> Double in
            let (a, b) = (folded(truth), folded(answer))
            let length = max(truth.uppercased().unicodeScalars.count, answer.uppercased().unicodeScalars.count)
            return length == 0 ? 0 : Double(Alignment.distance(a, b)) / Double(length)
        }
        guard let least = differences.min(), 1 - least >= threshold else { return 0 }
        return 1 - least
    }

    /// Lower case, words apart by one space.
    private static func folded(_ text: String) -> Scalars {
        Scalars(PythonText.words(PythonText.lower(PythonText.strip(text))).joined(separator: " ").unicodeScalars)
    }

    /// ChartQA's relaxed accuracy: numbers within 5 % of the truth, anything else equal but for case.
    public static func relaxedMatch(_ answer: String, truth: String, tolerance: Double = 0.05) -> Bool {
        if let value = number(answer), let target = number(truth), target != 0 {
            return abs(value - target) / abs(target) <= tolerance
        }
        let (a, b) = (PythonText.lower(answer), PythonText.lower(truth))
        return a.unicodeScalars.elementsEqual(b.unicodeScalars)
    }

    /// A number; with a percent sign at its end, that share.
    private static func number(_ text: String) -> Double? {
        guard text.unicodeScalars.last == "%" else { return PythonText.float(text) }
        let bare = text.unicodeScalars.reversed().drop { $0 == "%" }.reversed()
        return PythonText.float(String(bare)).map { $0 / 100 }
    }

    /// What a reply says to a yes-or-no question: its word if it is one, else what its first four letters hold (MME's rule).
    public static func yesOrNo(_ reply: String) -> Bool? {
        let text = String(Scalars(PythonText.strip(PythonText.lower(reply)).unicodeScalars).replacing(".", with: ""))
        if text == "y" || text == "n" { return text == "y" }
        let beginning = String(text.unicodeScalars.prefix(4))
        return beginning.contains("yes") ? true : beginning.contains("no") ? false : nil
    }

    /// Whether a free answer holds one of the accepted ones as words, both normalised.
    public static func mentions(_ reply: String, accepted: [String]) -> Bool {
        let words = EnglishNormalizer.words(reply)
        return accepted.contains { answer in
            let wanted = EnglishNormalizer.words(answer)
            guard !wanted.isEmpty, wanted.count <= words.count else { return false }
            return (0...(words.count - wanted.count)).contains { words[$0..<($0 + wanted.count)] == wanted[...] }
        }
    }

    /// Whether a free answer is one of the accepted ones, both normalised.
    public static func isExactly(_ reply: String, accepted: [String]) -> Bool {
        let words = EnglishNormalizer.words(reply)
        return accepted.contains { EnglishNormalizer.words($0) == words }
    }
}
