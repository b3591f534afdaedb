// Word and character error rates: how many edits it takes from what was said to what was written down.

/// Counts of edits; those of several texts add up.
public struct ErrorCounts: Sendable, Codable, Equatable {
    public var hits = 0
    public var substitutions = 0
    public var deletions = 0
    public var insertions = 0

    public init() {}

    public var errors: Int { substitutions + deletions + insertions }
    /// Words, or characters, of the reference.
    public var length: Int { hits + substitutions + deletions }
    /// Errors per word of the reference. Where that is empty: how many were inserted, as jiwer has it.
    public var rate: Double { length == 0 ? Double(insertions) : Double(errors) / Double(length) }

    public static func + (a: ErrorCounts, b: ErrorCounts) -> ErrorCounts {
        var sum = a
        sum.hits += b.hits
        sum.substitutions += b.substitutions
        sum.deletions += b.deletions
        sum.insertions += b.insertions
        return sum
    }
}

/// What was heard instead of what; an empty side stands for nothing.
public struct Mistake: Hashable, Sendable, Codable {
    public var said: String
    public var heard: String

    public init(said: String, heard: String) { (self.said, self.heard) = (said, heard) }
}

/// A text compared with what it should be.
public struct TextErrors: Sendable {
    public let counts: ErrorCounts
    public let edits: [Edit]
    public let reference: [String]
    public let hypothesis: [String]

    /// By words, as white space divides them. Normalise before.
    public static func words(_ reference: String, _ hypothesis: String) -> TextErrors {
        TextErrors(PythonText.words(reference), PythonText.words(hypothesis))
    }

    /// By characters (code points), without white space at the ends.
    public static func characters(_ reference: String, _ hypothesis: String) -> TextErrors {
        TextErrors(
            PythonText.strip(reference).unicodeScalars.map { String($0) },
            PythonText.strip(hypothesis).unicodeScalars.map { String($0) })
    }

    init(_ reference: [String], _ hypothesis: [String]) {
        // Numbers compare faster than strings, and canonically equivalent ones stay apart.
        var numbers: [[UInt8]: Int] = [:]
        func number(_ word: String) -> Int {
            let key = Array(word.utf8)
            if let known = numbers[key] { return known }
            numbers[key] = numbers.count
            return numbers.count - 1
        }
        edits = Alignment.edits(reference.map(number), hypothesis.map(number))
        var counts = ErrorCounts()
        for edit in edits {
            switch edit {
            case .keep: counts.hits += 1
            case .substitute: counts.substitutions += 1
            case .delete: counts.deletions += 1
            case .insert: counts.insertions += 1
            }
        }
        (self.counts, self.reference, self.hypothesis) = (counts, reference, hypothesis)
    }

    /// The mistakes, one for each edit.
    public var mistakes: [Mistake] {
        edits.compactMap { edit in
            switch edit {
            case .keep: nil
            case .substitute(let r, let h): Mistake(said: reference[r], heard: hypothesis[h])
            case .delete(let r): Mistake(said: reference[r], heard: "")
            case .insert(let h): Mistake(said: "", heard: hypothesis[h])
            }
        }
    }
}

extension Mistake {
    /// The most frequent of many, in a fixed order.
    public static func mostFrequent(_ mistakes: some Sequence<Mistake>, limit: Int) -> [(mistake: Mistake, count: Int)] {
        let counts = mistakes.reduce(into: [Mistake: Int]()) { $0[$1, default: 0] += 1 }
        return counts.sorted { a, b in
            (b.value, a.key.said, a.key.heard) < (a.value, b.key.said, b.key.heard)
        }.prefix(limit).map { ($0.key, $0.value) }
    }
}
