// Questions and answers: right, short, in the fixed style, and balanced.
import LyraMedia
import Testing

@testable import LyraSynthesis

struct QuestionTests {
    /// Answers as a reader of the scene's plain description would give them.
    @Test func countsAndColoursAgreeWithTheDescription() {
        var checked = 0
        for index in 0..<3_000 {
            var random = SeededRandom(1, index)
            let scene = index % 2 == 0 ? ShapeScene(mixed: &random) : ShapeScene(counting: &random)
            let question = scene.question(.train, &random)
            let words = question.text.lowercased().split { !$0.isLetter }.map(String.init)
            let items = scene.content.split(separator: ",").map { $0.split(separator: " ").map(String.init) }  // size colour kind place
            let colours = words.filter { Colour(rawValue: $0) != nil }
            let kinds = words.compactMap { word in ShapeKind.allCases.first { $0.rawValue == word || $0.plural == word } }
            switch question.kind {
            case "count":
                let count = items.count { item in
                    (colours.isEmpty || colours.contains(item[1])) && (kinds.isEmpty || item[2] == kinds[0].rawValue)
                }
                #expect(question.accepted.contains("\(count)"), "\(question) for \(scene.content)")
                checked += 1
            case "colour":
                #expect(items.filter { $0[2] == kinds[0].rawValue }.map { $0[1] } == [question.accepted[0]])
                checked += 1
            case "absent":
                #expect(!items.contains { $0[2] == kinds[0].rawValue })
                checked += 1
            case "existence":
                let isThere = items.contains { $0[1] == colours[0] && $0[2] == kinds[0].rawValue }
                #expect(question.answer == (isThere ? "Yes." : "No."))
                checked += 1
            case "bigger":
                // Of a red and a green ring one has to say which; of a red ring and a heart "it is the ring" is enough.
                let isEnough = Set(kinds).count == 2, answer = question.accepted[0].split(separator: " ").last ?? ""
                #expect(question.accepted.contains("it is the \(answer)") == isEnough, "\(question)")
                checked += 1
            default: break
            }
        }
        #expect(checked > 800)
    }

    /// "Yes" and "no" stand alone as answers, and within a sentence as words that are read or told.
    @Test func aWordMayBeYes() {
        #expect(Question("existence", "Is it there?", "yes").answer == "Yes.")
        #expect(Question("text", "What does it say?", "yes").answer == "It says yes.")
        #expect(Question("text", "What does it say?", "yes").accepted == ["yes", "it says yes"])
        #expect(Question("needle", "What is the password?", "no").answer == "It is no.")
        #expect(Question("needle", "What is the password?", Question.notInRecording).answer == "That is not in the recording.")
    }

    @Test func sumsAreRight() throws {
        let numbers = Dictionary(uniqueKeysWithValues: (0...40).map { (NumberWords.text($0), $0) })
        var checked = 0
        for index in 0..<2_000 {
            var random = SeededRandom(2, index)
            let question = Knowledge.arithmetic(.test, &random)
            let words = question.text.lowercased().split { !$0.isLetter && $0 != "-" }.map(String.init)
            let given = words.compactMap { numbers[$0] }
            guard given.count >= 2 else { continue }
            let (a, b) = (given[given.count - 2], given[given.count - 1])
            let expected: Int? =
                if words.contains("plus") || words.contains("sum") || words.contains("make") || words.contains("add") { a + b }
                else if words.contains("minus") { a - b }
                else if words.contains("times") { a * b }
                else if words.contains("larger") { max(a, b) }
                else if words.contains("smaller") { min(a, b) }
                else { nil }
            guard let expected else { continue }
            checked += 1
            #expect(question.accepted.contains("\(expected)"), "\(question)")
        }
        #expect(checked > 1_500)
    }

    /// Every answer is a capital, some words, a full stop; nothing is left to be filled in.
    @Test func style() {
        var answers: [String: Int] = [:], kinds: [String: Int] = [:]
        for index in 0..<6_000 {
            let split = Split.allCases[index % 3]
            var random = SeededRandom(3, index)
            let question =
                switch index % 5 {
                case 0: Knowledge.question(split, &random)
                case 1: VideoScene.random(split, &random).question(split, &random)
                case 2: Fact.random(split, &random).question
                default: SceneKind.random(&random).scene(split, &random).question(split, &random)
                }
            answers[question.answer, default: 0] += 1
            kinds[question.kind, default: 0] += 1
            for text in [question.text, question.answer] {
                #expect(!text.contains("{") && !text.contains("  ") && !text.isEmpty)
                #expect(text.first?.isUppercase == true || text.first?.isNumber == true, "\(text)")
            }
            #expect(question.answer.hasSuffix(".") && !question.answer.hasSuffix(".."))
            #expect(question.accepted.contains(question.answer.dropLast().lowercased()))
            #expect(!question.spokenAnswer.contains { $0.isNumber })
            #expect(question.text.hasSuffix("?") || question.text.hasSuffix("."), "\(question.text)")
        }
        let yes = answers["Yes.", default: 0], no = answers["No.", default: 0]
        #expect(yes > 100 && no > 100 && abs(yes - no) < (yes + no) / 4, "\(yes) yes, \(no) no")
        #expect(kinds["absent", default: 0] > 60)
    }

    @Test func dialogues() {
        var lengths: [Int: Int] = [:]
        for index in 0..<500 {
            var random = SeededRandom(4, index)
            let questions = Dialogues.scene(.train, &random).dialogue(.train, &random)
            lengths[questions.count, default: 0] += 1
            #expect(questions.allSatisfy { !$0.text.contains("{") && $0.kind == "dialogue" })
        }
        #expect(lengths.keys.allSatisfy { (1...4).contains($0) })
        #expect(lengths[1, default: 0] < 50)
    }

    @Test func words() {
        #expect([0, 13, 20, 42, 100, 305, 999].map(NumberWords.text) == [
            "zero", "thirteen", "twenty", "forty-two", "one hundred", "three hundred and five", "nine hundred and ninety-nine",
        ])
        #expect(NumberWords.digits("4071.") == "four zero seven one")
        #expect(listed(["a", "b", "c"]) == "a, b and c" && listed(["a"]) == "a" && listed([]) == "")
        #expect(Question("number", "?", "4071").spokenAnswer == "It is four zero seven one.")
        #expect(Question.count("dialogue", "?", 1).answer == "There is one." && Question.count("dialogue", "?", 3).answer == "There are three.")
    }
}
