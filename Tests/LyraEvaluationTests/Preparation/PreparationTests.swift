// Lists from data sets as they are unpacked, and questions spoken by a program.
import Foundation
@testable import LyraEvaluation
import LyraMedia
import Testing

@Suite struct PreparationTests {
    private func objects(_ path: String) throws -> [[String: Any]] {
        try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").compactMap {
            try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any]
        }
    }

    @Test func libriSpeech() throws {
        let folder = try TemporaryFolder()
        try MiniData(root: folder.path, answer: { "THE HOUSE HAS \(["TWO", "THREE", "FOUR"][$1]) DOORS" }).librispeech()
        try FileManager.default.removeItem(atPath: folder.file("LibriSpeech/test-clean/12/345/12-345-0001.flac"))
        let list = folder.file("LibriSpeech/test-clean.jsonl")
        let result = try Transcriptions.libriSpeech(folder.file("LibriSpeech"), splits: ["test-clean"], purpose: .evaluation, to: list)
        #expect(result.items == 2 && result.leftOut == ["no recording": 1])
        #expect(try objects(list).map { $0["audio"] as? String } == ["test-clean/12/345/12-345-0000.flac", "test-clean/12/345/12-345-0002.flac"])
        #expect(try objects(list).map { $0["text"] as? String } == ["the house has 2 doors", "the house has 4 doors"])
        // The benchmark reads it back.
        #expect(try load("librispeech", folder.path).1.map(\.id) == ["12-345-0000", "12-345-0002"])
        let training = try Transcriptions.libriSpeech(folder.path, splits: ["test-clean"], purpose: .training, to: folder.file("train.jsonl"))
        let sample = try #require(try objects(training.path).first)
        #expect(sample["speech"] as? String == "LibriSpeech/test-clean/12/345/12-345-0000.flac" && sample["speech_asr"] as? String == "the house has 2 doors")
        let turns = try #require(sample["conversations"] as? [[String: String]])
        #expect(turns[0]["value"]?.hasPrefix("<speech>\n") == true && turns[1]["value"] == "the house has 2 doors")
        #expect(throws: EvaluationError.self) { try Transcriptions.libriSpeech(folder.path, splits: ["dev"], purpose: .training, to: folder.file("x.jsonl")) }
        #expect(!folder.names.contains { $0.hasPrefix("x.jsonl") })
    }

    @Test func commonVoice() throws {
        let folder = try TemporaryFolder(), mini = MiniData(root: folder.path)
        for name in ["a", "b", "c"] { try mini.sound("cv/clips/\(name).mp3", seed: 1) }
        try mini.write("cv/train.tsv", "client_id\tpath\tsentence\tup_votes\tdown_votes\nx\ta.mp3\t“Hello,” she said.\t2\t0\nx\tb.mp3\tBad\t0\t3\nx\tc\tLong one\t2\t1\nx\td.mp3\tGone\t2\t0\nx\te\n")
        try mini.write("cv/clip_durations.tsv", "clip\tduration[ms]\na.mp3\t1200\nc.mp3\t31000\n")
        let result = try Transcriptions.commonVoice(folder.file("cv/train.tsv"), longest: 30, purpose: .evaluation, to: folder.file("cv/list.jsonl"))
        #expect(result.items == 1 && result.leftOut == ["refused by listeners": 1, "too long": 1, "no recording": 1, "incomplete row": 1])
        #expect(try objects(result.path).first?["text"] as? String == "hello she said")
        try mini.write("cv/other.tsv", "a\tb\n1\t2\n")
        #expect(throws: EvaluationError.self) { try Transcriptions.commonVoice(folder.file("cv/other.tsv"), longest: 30, purpose: .training, to: folder.file("o.jsonl")) }
    }

    /// A speaker that is a shell script: a sound file for every text but one.
    private func speaker(_ folder: TemporaryFolder) throws -> SpeechCommand {
        try MiniData(root: folder.path).sound("voice.wav", seed: 2, seconds: 0.3)
        let command = "read -r line; echo \"{voice}|$line\" >> '\(folder.file("log"))'; case \"$line\" in *broken*) exit 3;; esac; cp '\(folder.file("voice.wav"))' {output}"
        return try SpeechCommand(command, voices: ["anna", "bob's $HOME"])
    }

    @Test func spokenQuestions() async throws {
        let folder = try TemporaryFolder()
        func sample(_ id: String, _ question: String, _ more: [String: Any] = [:]) -> [String: Any] {
            ["id": id, "conversations": [["from": "human", "value": question], ["from": "gpt", "value": "x"]]].merging(more) { $1 }
        }
        try MiniData(root: folder.path).json("train.json", [
            sample("one", "<image>\nWhich is it?\nA. Red\nB. Blue", ["image": "i.png", "extra": 7]),
            sample("two/2", "What `does` $(it) say?\nReference OCR token: STOP"), sample("three", "It is broken"),
            sample("four", "Was ist größer?"), sample("five", "<speech>", ["speech": "s.wav"]), ["id": "six"],
        ])
        let result = try await SpeechFromText.run(folder.file("train.json"), speaker(folder), into: folder.file("out"))
        #expect(result.items == 3 && result.leftOut == ["unsuitable": 2, "not spoken": 1])
        let samples = try objects(result.path)
        #expect(samples.map { $0["id"] as? String } == ["one", "two/2", "five"])
        func question(_ place: Int) -> String? { (samples[place]["conversations"] as? [[String: String]])?[0]["value"] }
        #expect(question(0) == "<image>\n<speech>" && question(1) == "<speech>\nReference OCR token: STOP" && question(2) == "<speech>")
        #expect(samples[0]["speech_asr"] as? String == "Which is it?. Option A: Red. Option B: Blue" && samples[0]["extra"] as? Int == 7)
        #expect(try AudioReader.readAll(.file(folder.file("out/\(samples[1]["speech"] as? String ?? "")"))).count == 4_800)
        let log = try String(contentsOfFile: folder.file("log"), encoding: .utf8).split(separator: "\n")
        #expect(log.count == 3 && log.contains { $0.hasSuffix("|What `does` $(it) say?") })
        #expect(log.allSatisfy { $0.hasPrefix("anna|") || $0.hasPrefix("bob's $HOME|") })
        // What has been spoken is not spoken again.
        _ = try await SpeechFromText.run(folder.file("train.json"), speaker(folder), into: folder.file("out"))
        let again = try String(contentsOfFile: folder.file("log"), encoding: .utf8).split(separator: "\n")
        #expect(again.count == 4 && again.last?.hasSuffix("It is broken") == true)
        #expect(FileManager.default.enumerator(atPath: folder.file("out"))?.allObjects.count == 4)
    }

    @Test func wrongCommands() async throws {
        #expect(throws: EvaluationError.self) { try SpeechCommand("say {text}", voices: ["a"]) }
        #expect(throws: EvaluationError.self) { try SpeechCommand("say {voice} {output}", voices: []) }
        let folder = try TemporaryFolder()
        for command in ["true {output}", "echo nothing > {output}", "exit 1; {output}"] {
            await #expect(throws: (any Error).self, "\(command)") {
                try await SpeechCommand(command, voices: []).speak("x", voice: "", to: folder.file("s/x.wav"))
            }
        }
        #expect(FileManager.default.enumerator(atPath: folder.file("s"))?.allObjects.isEmpty == true)
    }

    @Test func needles() async throws {
        let folder = try TemporaryFolder()
        let facts = NeedlePreparation.facts(12, seed: 3)
        #expect(facts == NeedlePreparation.facts(12, seed: 3) && Set(facts.map(\.question)).count == 12)
        for fact in facts { #expect(AnswerScore.mentions(fact.text, accepted: fact.answers), "\(fact)") }
        let made = try await NeedlePreparation.write(Array(facts.prefix(2)), speaker(folder), into: folder.file("needles"))
        #expect(try objects(made.path).count == 2)
        try MiniData(root: folder.path).sound("talk.wav", seed: 1, seconds: 9)
        let hidden = try NeedlePreparation.hide(made.path, in: [folder.file("talk.wav")], lengths: [12], depths: [0, 100], into: folder.file("hidden"), format: "wav")
        let samples = try objects(hidden.path)
        #expect(samples.count == 4 && samples.allSatisfy { $0["ability"] as? String == "needle_0" })
        #expect(samples.map { ($0["fact_seconds"] as? Double ?? -1) > 6 } == [false, false, true, true])
        #expect(try AudioReader.readAll(.file(folder.file("hidden/\(samples[0]["long_speech"] as? String ?? "")"))).count == 12 * 16_000)
    }
}
