// Metrics against the programs that define them, on the pairs of Tests/Fixtures/metrics (scripts/make_metric_fixtures.py).
import Foundation
@testable import LyraEvaluation
import Testing

@Suite struct MetricOracleTests {
    private static func lines<Line: Decodable>(_ name: String, atLeast count: Int) throws -> [Line] {
        let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Fixtures/metrics/\(name).jsonl")
        let decoder = JSONDecoder()
        let lines = try Data(contentsOf: path).split(separator: 0x0A).map { try decoder.decode(Line.self, from: Data($0)) }
        #expect(lines.count >= count)
        return lines
    }

    /// Bytes, since Swift's strings are equal when they look the same.
    private static func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

    @Test func normaliserAgreesWithWhisper() throws {
        struct Line: Decodable { var text, expected: String }
        for line in try Self.lines("normaliser", atLeast: 500) as [Line] {
            let made = EnglishNormalizer.normalise(line.text)
            #expect(Self.bytes(made) == Self.bytes(line.expected), "\(line.text.debugDescription) -> \(made.debugDescription)")
        }
    }

    @Test(arguments: ["words", "characters"]) func errorsAgreeWithJiwer(name: String) throws {
        struct Line: Decodable {
            var reference, hypothesis: String
            var hits, substitutions, deletions, insertions: Int
            var rate: Double
            var chunks: [Chunk]
        }
        struct Chunk: Decodable {
            var kind: String, places: [Int]
            init(from decoder: any Decoder) throws {
                var values = try decoder.unkeyedContainer()
                kind = try values.decode(String.self)
                places = []
                while !values.isAtEnd { places.append(try values.decode(Int.self)) }
            }
            var edits: [Edit] {
                let (r, h) = (places[0]..<places[1], places[2]..<places[3])
                switch kind {
                case "equal": return zip(r, h).map { .keep(reference: $0, hypothesis: $1) }
                case "substitute", "replace": return zip(r, h).map { .substitute(reference: $0, hypothesis: $1) }
                case "delete": return r.map { .delete(reference: $0) }
                default: return h.map { .insert(hypothesis: $0) }
                }
            }
        }
        for line in try Self.lines(name, atLeast: 500) as [Line] {
            let make = name == "words" ? TextErrors.words : TextErrors.characters
            let made = make(line.reference, line.hypothesis), counts = made.counts
            let expected = [line.hits, line.substitutions, line.deletions, line.insertions]
            #expect([counts.hits, counts.substitutions, counts.deletions, counts.insertions] == expected, "\(line)")
            #expect(counts.rate == line.rate, "\(line)")
            #expect(made.edits == line.chunks.flatMap(\.edits), "\(line)")
        }
    }

    @Test func answersAgreeWithTheRelease() throws {
        struct Line: Decodable {
            var answer, processed: String
            var people: [String]?
            var accuracy, match: Double?
        }
        for line in try Self.lines("vqa", atLeast: 700) as [Line] {
            let processed = AnswerProcessor.process(line.answer)
            #expect(Self.bytes(processed) == Self.bytes(line.processed), "\(line.answer.debugDescription)")
            guard let people = line.people else { continue }
            #expect(AnswerScore.vqaAccuracy(line.answer, people: people) == line.accuracy, "\(line)")
            #expect(AnswerScore.processedMatch(line.answer, accepted: people) == line.match, "\(line)")
        }
    }

    @Test func similarityAgreesWithANLS() throws {
        struct Line: Decodable { var answer: String, accepted: [String], score: Double }
        for line in try Self.lines("anls", atLeast: 500) as [Line] {
            #expect(AnswerScore.levenshteinSimilarity(line.answer, accepted: line.accepted) == line.score, "\(line)")
        }
    }

    @Test func relaxedAgreesWithChartQA() throws {
        struct Line: Decodable { var answer, truth: String, score: Bool }
        for line in try Self.lines("relaxed", atLeast: 500) as [Line] {
            #expect(AnswerScore.relaxedMatch(line.answer, truth: line.truth) == line.score, "\(line)")
        }
    }

    @Test func scoreAgreesWithMME() throws {
        struct Line: Decodable { var answers: [Answer], total: Double }
        struct Answer: Decodable { var category, picture, reply, truth, parsed: String }
        let lines: [Line] = try Self.lines("mme", atLeast: 50)
        #expect(lines.reduce(0) { $0 + $1.answers.count } >= 500)
        for line in lines {
            let answers = line.answers.map { answer in
                let said = AnswerScore.yesOrNo(answer.reply)
                #expect(said.map { $0 ? "yes" : "no" } ?? "other" == answer.parsed, "\(answer)")
                return MMEScore.Answer(category: answer.category, picture: answer.picture, isRight: said == (answer.truth == "Yes"))
            }
            #expect(abs(MMEScore(answers).total - line.total) < 1e-9)
        }
    }
}
