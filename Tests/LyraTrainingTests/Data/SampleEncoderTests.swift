// Samples against the original's numbers, and against files that cannot be used.
import Foundation
import LyraMedia
import LyraModel
import LyraText
@testable import LyraTraining
import Testing

@Suite struct SampleEncoderTests {
    // MARK: The original's numbers

    @Test(arguments: DataPack.available) func idsAndLabelsOfTheBatch(pack: DataPack) throws {
        let train = try #require(try pack.expected()["train"] as? [String: Any])
        let batch = try #require(train["batch"] as? [String: Any])
        let samples = try #require(batch["samples"] as? [[String: Any]])
        let folder = try DataFolder()
        let path = try folder.write("batch.json", JSONSerialization.data(withJSONObject: samples))
        let data = try TrainingData([DataSource(path, mediaFolder: pack.folder + "/inputs")])
        let encoder = try pack.encoder()
        let lengths = try #require(batch["expanded_lengths"] as? [Int])
        for index in samples.indices {
            let (sample, tokens) = try data.measuredSample(index, encoder)
            #expect(sample.ids.map(Int.init) == (batch["input_ids"] as? [[Int]])?[index])
            #expect(sample.labels.map(Int.init) == (batch["labels"] as? [[Int]])?[index])
            #expect(tokens == lengths[index])
            #expect(try data.length(index, encoder) == lengths[index])
            let transcripts = sample.media.compactMap { medium -> [Int]? in
                if case .speech(let speech) = medium { speech.transcript?.map(Int.init) } else { nil }
            }
            #expect(transcripts.first == (batch["speech_asr_ids"] as? [[Int]])?[index])
        }
    }

    @Test(arguments: DataPack.available) func labelsOfDialogues(pack: DataPack) throws {
        let train = try #require(try pack.expected()["train"] as? [String: Any])
        let masks = try #require(train["label_masks"] as? [[String: Any]])
        let encoder = try pack.encoder()
        var same = 0
        for mask in masks {
            let texts = try #require(mask["turns"] as? [String])
            let joined = texts.joined()
            let example = Example(
                images: joined.contains("<image>") ? ["i"] : [],
                speeches: (0..<(joined.components(separatedBy: "<speech>").count - 1)).map { "s\($0)" },
                turns: texts.enumerated().map { .init($0 % 2 == 0 ? .user : .assistant, $1) })
            let text = try encoder.text(example)
            if (mask["warning"] as? String) == "" {
                #expect(text.ids.map(Int.init) == mask["input_ids"] as? [Int], "\(texts)")
                #expect(text.labels.map(Int.init) == mask["labels"] as? [Int], "\(texts)")
                same += 1
            } else {
                // The original drops a third medium, and all labels of a sample with an empty answer. We do not.
                let theirs = try #require(mask["input_ids"] as? [Int])
                #expect(text.ids.count > theirs.count)
                let answers = texts.count / 2
                let ends = zip(text.ids, text.labels).count { try! $0 == encoder.tokenizer.special("<|im_end|>") && $1 == $0 }
                #expect(ends == answers)
            }
        }
        #expect(same == 6)
    }

    @Test func whatIsSupervised() throws {
        let encoder = try tinyEncoder()
        let text = try encoder.text(
            Example(turns: [.init(.system, "Be brief."), .init(.user, "Hi"), .init(.assistant, "A"), .init(.user, "B"), .init(.assistant, "")]))
        let supervised = text.labels.filter { $0 != TrainingSample.ignored }
        #expect(encoder.tokenizer.decode(supervised) == "A<|im_end|><|im_end|>")
        #expect(
            encoder.tokenizer.decode(text.ids)
                == "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nA<|im_end|>\n"
                + "<|im_start|>user\nB<|im_end|>\n<|im_start|>assistant\n<|im_end|>\n")
        // Control tokens that someone wrote into the text are text.
        let forged = try encoder.text(Example(turns: [.init(.user, "a<|im_end|>"), .init(.assistant, "<|im_end|>b")]))
        let end = try encoder.tokenizer.special("<|im_end|>")
        #expect(forged.ids.count { $0 == end } == 3)
    }

    @Test func interleavedMedia() throws {
        let encoder = try tinyEncoder()
        let example = Example(
            images: ["1", "2", "3"], speeches: ["a", "b"], transcripts: [nil, "hello"],
            turns: [
                .init(.user, "See <image> and <image>,\n<speech>"), .init(.assistant, "An <image> is shown."),
                .init(.user, "What?\n<image>"), .init(.assistant, "C"), .init(.user, "<speech>\nSay"), .init(.assistant, "D"),
            ])
        let text = try encoder.text(example)
        #expect(
            text.media == [
                .image("1"), .image("2"), .speech("a", transcript: nil), .image("3"),
                .speech("b", transcript: encoder.tokenizer.encode("hello")),
            ])
        #expect(text.ids.filter { $0 < 0 } == [-200, -200, -500, -200, -500])
        let words = encoder.tokenizer.decode(text.ids)
        #expect(words.contains("See <|vision_start|><|vision_end|> and <|vision_start|><|vision_end|>,\n<|im_end|>"))
        #expect(words.contains("<|vision_start|><|vision_end|>What?<|im_end|>"))  // a single picture first, as the original does
        #expect(words.contains("An <image> is shown."))
        let asWritten = try tinyEncoder { $0.pictureOrder = .asWritten }.text(example)
        #expect(encoder.tokenizer.decode(asWritten.ids).contains("What?<|vision_start|><|vision_end|><|im_end|>"))
    }

    @Test func videosAndTheirMarkers() throws {
        let encoder = try tinyEncoder()
        func text(_ question: String, images: [String] = [], videos: [String] = []) throws -> EncodedText {
            try encoder.text(Example(images: images, videos: videos, turns: [.init(.user, question), .init(.assistant, "A")]))
        }
        #expect(try text("<image>\nWhat?", videos: ["v"]).media == [.video("v")])  // as the release writes it
        #expect(try text("<video>\nWhat?", videos: ["v"]).ids == text("<image>\nWhat?", videos: ["v"]).ids)
        #expect(try text("<video> <image>", images: ["i"], videos: ["v"]).media == [.video("v"), .image("i")])
        // HTML's own tag.
        #expect(try text("What does <video> do?").ids.allSatisfy { $0 >= 0 })
        #expect(try encoder.tokenizer.decode(text("<image>What does <video> do?", images: ["i"]).ids).contains("<video> do"))
    }

    @Test func conversationsThatAreNone() throws {
        let encoder = try tinyEncoder()
        func fault(_ turns: Example.Turn...) -> SampleFault? {
            do { _ = try encoder.text(Example(turns: turns)); return nil } catch { return error as? SampleFault }
        }
        for (turns, words) in [
            ([], "no question"), ([.init(.assistant, "A")], "no question"), ([.init(.user, "Q")], "has no answer"),
            ([.init(.user, "Q"), .init(.user, "Q"), .init(.assistant, "A")], "two turns of human"),
            ([.init(.user, "Q"), .init(.assistant, "A"), .init(.assistant, "A")], "two turns of gpt"),
            ([.init(.user, "Q"), .init(.assistant, "A"), .init(.user, "Q")], "has no answer"),
            ([.init(.user, "Q"), .init(.system, "S"), .init(.assistant, "A")], "may only come first"),
            ([.init(.system, "S")], "no question"),
        ] as [([Example.Turn], String)] {
            let found = { () -> SampleFault? in
                do { _ = try encoder.text(Example(turns: turns)); return nil } catch { return error as? SampleFault }
            }()
            #expect(found?.reason == .conversation)
            #expect(found?.detail.contains(words) == true, "\(found?.detail ?? "accepted")")
        }
        // An answer to nothing is left out, as in the original.
        let asked = Example(turns: [.init(.user, "Q"), .init(.assistant, "A")])
        #expect(try encoder.text(Example(turns: [.init(.assistant, "Hello.")] + asked.turns)) == encoder.text(asked))
        #expect(fault(.init(.user, "<image>"), .init(.assistant, "A"))?.reason == .placeholders)
    }

    // MARK: Media

    @Test func mediaAsInferenceReadsThem() throws {
        let pack = DataPack.committed
        let pictures = try #require(try pack.expected()["image"] as? [String: [String: Any]])
        let encoder = try pack.encoder()
        var compared = 0
        for entry in pictures.values where entry["after_cli_preprocess_wh"] as? [Int] == ["width", "height"].compactMap({ entry[$0] as? Int }) {
            let picture = try encoder.media.image(#require(entry["file"] as? String), in: pack.folder)
            #expect([picture.height, picture.width] == entry["resized_hw"] as? [Int])
            compared += 1
        }
        #expect(compared >= 3)
        let samples = try encoder.media.speech("greeting.wav", in: pack.folder + "/inputs", room: nil)
        #expect(samples == (try AudioReader.readAll(.file(pack.folder + "/inputs/greeting.wav"))))
        let clip = try encoder.media.video("clip.mp4", in: DataPack.root + "/examples")
        #expect(clip.count == 4 || clip.count == 6, "\(clip.count)")
        let reader = try VideoReader(.file(DataPack.root + "/examples/clip.mp4"))
        let indices = ImageGeometry.frameIndices(total: reader.info.frameCount, count: clip.count)
        #expect(clip == (try reader.frames(at: indices).map { $0.resizedAntialiased(width: clip[0].width, height: clip[0].height) }))
        let tokens = try encoder.media.count(.video("clip.mp4"), in: MediaFolders(pictures: DataPack.root + "/examples", speech: ""))
        #expect(tokens == clip.count / 2 * (clip[0].width / 28) * (clip[0].height / 28))
    }

    @Test func mediaThatCannotBeUsed() throws {
        let folder = try DataFolder()
        try folder.picture("good.png")
        try folder.picture("large.png", 640, 480)
        try folder.cut("large.png", to: 0.5, as: "cut.png")
        try folder.write("text.png", "this is no picture")
        try folder.write("empty.wav", "")
        try folder.picture("narrow.png", 900, 2)
        try folder.sound("good.wav")
        try folder.sound("long.wav", seconds: 31)
        try folder.sound("good.flac", seconds: 3)
        try folder.cut("good.wav", to: 0.4, as: "cut.wav")
        try folder.floatSound("nan.wav", [0, 0.1, .nan, 0.2])
        try folder.floatSound("infinite.wav", [0, .infinity])
        try folder.floatSound("none.wav", [])
        #expect(mkfifo(folder.file("pipe.wav"), 0o600) == 0)
        #expect(mkfifo(folder.file("pipe.png"), 0o600) == 0)
        try FileManager.default.createDirectory(atPath: folder.file("folder.png"), withIntermediateDirectories: true)
        let cases: [(String, String, BadSample.Reason)] = [
            ("image", "absent.png", .missingFile), ("image", "good.png/x.png", .missingFile), ("image", "cut.png", .unreadable),
            ("image", "text.png", .unreadable), ("image", "pipe.png", .unreadable), ("image", "folder.png", .unreadable),
            ("image", "narrow.png", .unreadable), ("image", "good.wav", .unreadable), ("speech", "absent.wav", .missingFile),
            ("speech", "cut.wav", .damaged), ("speech", "nan.wav", .invalidSound), ("speech", "infinite.wav", .invalidSound),
            ("speech", "none.wav", .emptySound), ("speech", "empty.wav", .unreadable), ("speech", "pipe.wav", .unreadable),
            ("speech", "good.png", .unreadable), ("speech", "long.wav", .tooLong), ("video", "text.png", .unreadable),
            ("video", "absent.mp4", .missingFile),
        ]
        let items = cases.map { key, name, _ in #"{"id":"\#(name)","\#(key)":"\#(name)","conversations":\#(turns("<\(key)>", "A"))}"# }
        let data = try TrainingData([DataSource(folder.write("data.json", "[\(items.joined(separator: ","))]"))])
        let encoder = try tinyEncoder { $0.maximumTokens = 400 }
        for (index, (key, name, reason)) in cases.enumerated() {
            let bad = badSample { _ = try data.sample(index, encoder) }
            #expect(bad?.reason == reason, "\(name): \(bad?.localizedDescription ?? "accepted")")
            #expect(bad?.key == key && bad?.id == name && bad?.index == index)
        }
    }

    @Test func longSamplesAreRefusedWhole() throws {
        let folder = try DataFolder()
        try folder.sound("s.wav")
        let data = try TrainingData([
            DataSource(
                folder.write(
                    "data.json",
                    #"[{"speech":"s.wav","conversations":\#(turns("<speech>", "A"))},{"conversations":\#(turns("Q", "A"))}]"#))
        ])
        let exact = try data.measuredSample(0, tinyEncoder()).tokens
        #expect(exact == (try data.text(0, tinyEncoder()).ids.count - 1 + 300))
        #expect(try data.measuredSample(0, tinyEncoder { $0.maximumTokens = exact }).tokens == exact)
        #expect(badSample { _ = try data.sample(0, tinyEncoder { $0.maximumTokens = exact - 1 }) }?.reason == .tooLong)
        #expect(badSample { _ = try data.sample(1, tinyEncoder { $0.maximumTokens = 3 }) }?.reason == .tooLong)
        #expect(try data.sample(1, tinyEncoder { $0.maximumTokens = 100 }).id == "data.json[1]")
    }

    @Test func picturesUnderAnotherExtension() throws {
        let folder = try DataFolder()
        try folder.picture("a.png")
        let data = try TrainingData([
            DataSource(folder.write("data.json", #"[{"image":"a.jpg","conversations":\#(turns("<image>", "A"))}]"#))
        ])
        guard case .image(let picture)? = try data.sample(0, tinyEncoder()).media.first else { Issue.record("no picture"); return }
        #expect(picture.width == 56)
    }

    @Test func placeholdersThatDoNotMatch() throws {
        let encoder = try tinyEncoder()
        for (example, words) in [
            (Example(images: ["a"], turns: []), "1 file for 0 <image>"),
            (Example(images: ["a", "b"], turns: [.init(.user, "<image>")]), "2 files for 1 <image>"),
            (Example(speeches: ["a"], turns: [.init(.user, "<speech><speech>")]), "1 file for 2 <speech>"),
            (Example(turns: [.init(.user, "<speech>")]), "0 files for 1 <speech>"),
            (Example(images: ["i"], videos: ["v"], turns: [.init(.user, "<image>")]), "1 file for 0 <video>"),
        ] {
            var example = example
            if example.turns.isEmpty { example.turns = [.init(.user, "Q")] }
            example.turns.append(.init(.assistant, "A"))
            let fault = #expect(throws: SampleFault.self) { try encoder.text(example) }
            #expect(fault?.reason == .placeholders)
            #expect(fault?.detail.contains(words) == true, "\(fault?.detail ?? "")")
        }
    }
}
