// Every benchmark in miniature, in the release's layout: drawn pictures, tones, grey videos, and answers that the caller chooses.
import Foundation
import LyraMedia

/// Evaluation data in a folder.
struct MiniData {
    let root: String
    /// Accepted answer of an item, by benchmark and number.
    var answer: (_ benchmark: String, _ number: Int) -> String = { "answer \($1)" }
    /// Items of each benchmark.
    var count = 3

    private func path(_ name: String) throws -> String {
        let path = "\(root)/\(name)"
        try FileManager.default.createDirectory(
            at: URL(fileURLWithPath: path).deletingLastPathComponent(), withIntermediateDirectories: true)
        return path
    }

    func write(_ name: String, _ text: String) throws { try Data(text.utf8).write(to: URL(fileURLWithPath: path(name))) }

    func lines(_ name: String, _ objects: [[String: Any]]) throws {
        let lines = try objects.map { String(decoding: try JSONSerialization.data(withJSONObject: $0, options: .sortedKeys), as: UTF8.self) + "\n" }
        try write(name, lines.joined())
    }

    func json(_ name: String, _ value: Any) throws { try JSONSerialization.data(withJSONObject: value).write(to: URL(fileURLWithPath: path(name))) }

    func picture(_ name: String, seed: Int) throws {
        let pixels = (0..<56 * 56).flatMap { i -> [UInt8] in
            [UInt8(truncatingIfNeeded: 40 * seed), UInt8(truncatingIfNeeded: i * (seed + 1)), i % 56 < 28 ? 30 : 220]
        }
        try RGBImage(width: 56, height: 56, pixels: pixels).write(png: path(name))
    }

    func sound(_ name: String, seed: Int, seconds: Double = 0.6) throws {
        let samples = (0..<Int(seconds * 16_000)).map { 0.3 * sin(Float($0) * (0.02 + 0.013 * Float(seed))) }
        try AudioFile.write(samples, sampleRate: 16_000, to: path(name))
    }

    /// Grey frames that get lighter; raw, whatever the ending.
    func video(_ name: String, seed: Int) throws {
        var file = Array("YUV4MPEG2 W56 H56 F4:1 Ip A1:1 C444\n".utf8)
        for frame in 0..<6 {
            file += Array("FRAME\n".utf8) + [UInt8](repeating: UInt8(30 + 12 * frame + 20 * seed), count: 56 * 56)
            file += [UInt8](repeating: 128, count: 2 * 56 * 56)
        }
        try Data(file).write(to: URL(fileURLWithPath: path(name)))
    }

    // MARK: Benchmarks

    func all() throws {
        try librispeech()
        try textVQA()
        for (folder, list, name) in [("Docvqa_val", "lyra_docvqa_audio", "docvqa-speech"), ("Chartvqa_human", "lyra_chartvqa_audio", "chartqa-speech")] {
            try spokenQuestions(folder, list, name)
        }
        try mmVet()
        try mme()
        try videoMME()
        try mvBench()
        try egoSchema()
        try needle()
        try nano()
    }

    /// As unpacked: test-clean/SPEAKER/CHAPTER.
    func librispeech() throws {
        let folder = "LibriSpeech/test-clean/12/345"
        try write("\(folder)/12-345.trans.txt", (0..<count).map { "12-345-000\($0) \(answer("librispeech", $0).uppercased())\n" }.joined())
        for i in 0..<count { try sound("\(folder)/12-345-000\(i).flac", seed: i) }
    }

    func textVQA() throws {
        let folder = "TextVQA_speech"
        try json("\(folder)/TextVQA_0.5.1_val.json", ["data": (0..<count).map { i in
            ["question": "What is on sign \(i)?", "image_id": "img\(i)", "question_id": 100 + i,
             "answers": Array(repeating: answer("textvqa", i), count: 8) + ["no", "nothing"]] as [String: Any]
        }])
        try lines("\(folder)/lyra_textvqa_val_v051_ocr_withspeechid.jsonl", (0..<count).map { i in
            ["question_id": "img\(i)", "image": "img\(i).jpg", "speech": "textvqa_\(i)",
             "text": "<speech>\nReference OCR token: STOP\nAnswer the question using a single word or phrase.",
             "prompt": "What is on sign \(i)?\nReference OCR token: STOP\nAnswer the question using a single word or phrase."]
        })
        for i in 0..<count {
            try picture("\(folder)/train_images/img\(i).png", seed: i)
            try sound("\(folder)/lyra_audios/textvqa_\(i).wav", seed: i)
        }
    }

    func spokenQuestions(_ folder: String, _ list: String, _ name: String) throws {
        try lines("\(folder)/\(list).jsonl", (0..<count).map { i in
            ["question_id": i, "image": "png/\(i).png", "text": "How much is \(i)?", "answer": [answer(name, i)]]
        })
        for i in 0..<count {
            try picture("\(folder)/png/\(i).png", seed: i)
            try sound("\(folder)/lyra_audios/\(i).mp3", seed: i)
        }
    }

    func mmVet() throws {
        try lines("MM_vet_speech/lyra_mm_vet.jsonl", (0..<count).map { i in
            ["question_id": "v1_\(i)", "image": "v1_\(i).png", "text": "What is funny in \(i)?"]
        })
        try json("MM_vet_speech/mm-vet.json", Dictionary(uniqueKeysWithValues: (0..<count).map { i in
            ("v1_\(i)", ["imagename": "v1_\(i).png", "question": "?", "answer": answer("mmvet", i), "capability": ["ocr", i == 0 ? "rec" : "gen"]] as [String: Any])
        }))
        for i in 0..<count {
            try picture("MM_vet_speech/images/v1_\(i).png", seed: i)
            try sound("MM_vet_speech/lyra_audios/v1_\(i).mp3", seed: i)
        }
    }

    func mme() throws {
        for (category, nested) in [("existence", false), ("landmark", true)] {
            for i in 0..<count {
                let folder = "MME_Benchmark_release_version/\(category)"
                try write("\(folder)\(nested ? "/questions_answers_YN" : "")/p\(i).txt", "Is it \(i)? Please answer yes or no.\tYes\nIs it not? Please answer yes or no.\tNo\n")
                try picture("\(folder)\(nested ? "/images" : "")/p\(i).png", seed: i)
            }
        }
    }

    private func options(_ name: String, _ i: Int) -> [String] { ["A. \(answer(name, i))", "B. blue", "C. a river", "D. none of these"] }

    func videoMME() throws {
        let list = (0..<count).map { i -> [String: Any] in
            ["video_id": "00\(i)", "videoID": "vid\(i)", "duration": i == 0 ? "short" : "long", "domain": "Knowledge",
             "questions": [["question_id": "00\(i)-1", "task_type": "Counting", "question": "What is it?", "options": options("videomme", i), "answer": "A"]]]
        }
        for folder in ["VideoMME", "VideoMME_speech"] { try json("\(folder)/videomme.json", list) }
        for i in 0..<count {
            try video("VideoMME/videos/vid\(i).mp4", seed: i)
            try sound("VideoMME_speech/audios/vid\(i).mp3", seed: i)
        }
    }

    func mvBench() throws {
        for task in ["action_count", "scene_transition"] {
            try json("MVBench/json/\(task).json", (0..<count).map { i in
                ["video": "\(task)\(i).mp4", "question": "What happens?", "candidates": ["nothing", answer("mvbench", i), "rain"], "answer": answer("mvbench", i)] as [String: Any]
            })
            for i in 0..<count { try video("MVBench/video/perception/videos/\(task)\(i).mp4", seed: i) }
        }
    }

    func egoSchema() throws {
        try json("EgoSchema/questions.json", (0..<count).map { i -> [String: Any] in
            var line: [String: Any] = ["q_uid": "ego\(i)", "question": "What does C do?"]
            for (number, option) in (options("egoschema", i) + ["E. sleep"]).enumerated() { line["option \(number)"] = String(option.dropFirst(3)) }
            return line
        })
        // One answer is secret.
        try json("EgoSchema/subset_answers.json", Dictionary(uniqueKeysWithValues: (0..<(count - 1)).map { ("ego\($0)", 0) }))
        for i in 0..<count { try video("EgoSchema/videos/ego\(i).mp4", seed: i) }
    }

    func needle() throws {
        try sound("Lyra_needle_in_a_haystack/talk.wav", seed: 1, seconds: 20)
        try lines("Lyra_needle_in_a_haystack/needles/needles.jsonl", (0..<2).map { i in
            ["id": "n\(i)", "speech": "n\(i).wav", "text": "The code is \(i).", "question": "What is the code of place \(i)?", "answers": [answer("needle", i)]]
        })
        for i in 0..<2 { try sound("Lyra_needle_in_a_haystack/needles/n\(i).wav", seed: 5 + i, seconds: 1) }
    }

    func nano() throws {
        func line(_ ability: String, _ i: Int, _ kind: String, _ question: String, _ media: [String: Any]) -> [String: Any] {
            var line: [String: Any] = [
                "id": "\(ability)-\(i)", "ability": ability, "kind": i == 0 ? "absent" : kind, "answers": [answer("nano", i)],
                "conversations": [["from": "human", "value": question], ["from": "gpt", "value": answer("nano", i)]],
            ]
            line.merge(media) { $1 }
            return line
        }
        try lines("nano/test/picture_text.jsonl", (0..<count).map { line("picture_text", $0, "colour", "<image>\nWhat is it?", ["image": "p\($0).png"]) })
        try lines("nano/test/picture_speech_seen.jsonl", (0..<count).map { line("picture_speech_seen", $0, "colour", "<image>\n<speech>", ["image": "p\($0).png", "speech": "s\($0).wav", "voice": "anna"]) })
        try lines("nano/test/transcription.jsonl", (0..<count).map { line("transcription", $0, "transcription", "<speech>\nWrite it down.", ["speech": "s\($0).wav"]) })
        try lines("nano/test/video.jsonl", (0..<count).map { line("video", $0, "way", "<video>\nWhich way?", ["video": "v\($0).mp4"]) })
        try lines("nano/test/needle_5.jsonl", (0..<count).map { line("needle_5", $0, "needle", "<speech>\nWhat was said?", ["long_speech": "s\($0).wav", "fact_seconds": [0.2], "seconds": 0.6]) })
        try lines("nano/test/spoken_answer.jsonl", [line("spoken_answer", 0, "colour", "<image>\nSay it.", ["image": "p0.png"])])
        // Other lists lie there, too.
        try lines("nano/test/speech.jsonl", [["id": "u1", "speech": "s0.wav", "speech_asr": "hello"]])
        for i in 0..<count {
            try picture("nano/test/p\(i).png", seed: i)
            try sound("nano/test/s\(i).wav", seed: i)
            try video("nano/test/v\(i).mp4", seed: i)
        }
    }
}
