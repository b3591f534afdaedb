// The small world's test: abilities, targets, absence, what the extractor costs.
import Foundation
@testable import LyraEvaluation
import Testing

@Suite struct NanoTests {
    @Test func table() async throws {
        let data = try TemporaryFolder()
        try MiniData(root: data.path, answer: { $1 == 0 ? "that is not in the picture" : "a red circle" }, count: 4).nano()
        let (benchmark, items) = try load("nano", data.path) { $0.extracts = true }
        // Four of each of five, needles twice, and one spoken answer.
        #expect(items.count == 25)
        #expect(items.first { $0.id == "needle_5-0/on" }?.fact == 0.2...4.2)
        let responder = ScriptedResponder { item in
            switch item.slices["ability"] {
            case "picture_text": [item.id.hasSuffix("-3") ? "That is not in the picture." : item.truth[0].capitalized + "."]
            case "picture_speech_seen": [item.id.hasSuffix("-1") ? "A blue circle." : item.truth[0]]
            case "needle_5": [item.extracts || item.id.contains("-2") ? item.truth[0] : "I do not know."]
            case "transcription": [item.truth[0] + " too"]
            default: ["no idea"]
            }
        }
        let run = EvaluationRun(benchmark, items: items, responder: responder, folder: try RunFolder(data.file("run"), settings("nano"), resume: false))
        let summary = try await run.run()
        func value(_ key: String) -> Double? { summary.metrics.first { $0.key == key }?.value }
        func reached(_ key: String) -> Bool? { summary.metrics.first { $0.key == key }?.isReached }
        #expect(value("picture_text") == 75 && reached("picture_text") == false)
        #expect(value("picture_speech_seen") == 75 && value("speech_loss") == 0 && reached("speech_loss") == true)
        #expect(value("needle_5") == 100 && reached("needle_5") == true)
        #expect(value("needle_extractor_gain") == 75 && reached("needle_extractor_gain") == false)
        // A word too many for each sentence of six and three words of three.
        #expect(isClose(value("wer"), 400.0 / 15))
        #expect(value("video") == 0 && value("digits") == nil)
        // True of the first of each: said of three, missed of three, and said once where it is not true.
        #expect(value("absent_f1") == 60)
        #expect(value("model_word_accuracy") == 0)
    }

    @Test func conversations() throws {
        var media = MarkedMedia(images: ["a.png"], videos: [], speeches: ["s.wav", "/t.wav"], folder: "f")
        func text(_ pieces: [EvaluationItem.Piece]) -> [String] {
            pieces.map { piece in
                switch piece {
                case .text(let text): text
                case .image(let path), .video(let path), .speech(let path): path
                case .sound(let name, _): name
                }
            }
        }
        #expect(text(try media.pieces(of: "<speech>\nWhat is\n<image>\n")) == ["f/a.png", "f/s.wav", "What is"])
        #expect(throws: EvaluationError.self) { try media.finish() }
        #expect(text(try media.pieces(of: "and <speech>?")) == ["and ", "/t.wav", "?"])
        try media.finish()
        #expect(throws: EvaluationError.self) { try media.pieces(of: "<image>") }
    }

    @Test(arguments: [("That is not in the picture.", true), ("It's not in this recording", true), ("That is in the picture.", false), ("No.", false)])
    func absence(reply: String, says: Bool) { #expect(Nano.saysAbsent(reply) == says) }
}
