// Whole runs of the stages that train one network: they learn what they can, go on where they were, and write what loads.
import Foundation
import Lyra
import LyraMedia
@testable import LyraModel
import LyraText
@testable import LyraTraining
import MLX
import Testing

@Suite struct PartRunTests {
    /// A checkpoint small enough to learn in seconds, and recordings of tones that stand for letters.
    struct Place {
        let path: String
        let model: String

        init() throws {
            path = FileManager.default.temporaryDirectory.appendingPathComponent("lyra-part-\(UUID().uuidString)").path
            var system = Preset.tiny.configurations
            system.whisper = WhisperConfiguration(width: 64, layers: 2, heads: 2, intermediateSize: 128, melBins: 20, positions: 100)
            system.language.speechHiddenSize = 64
            system.vocoder = VocoderConfiguration(
                upsampleRates: [8, 8, 5], upsampleKernelSizes: [16, 16, 11], initialChannels: 16, residualKernelSizes: [3],
                residualDilations: [[1, 3]], units: 8, embeddingSize: 8, durationHiddenSize: 8)
            model = try RandomCheckpoint.write(system, seed: 1, to: path + "/model", dtype: .float32)
        }

        func remove() { try? FileManager.default.removeItem(atPath: path) }

        /// A letter is a tone of 0.1 s with a pause after it: as good as speech, to a network.
        @discardableResult
        func writeTones(_ name: String, count: Int, seed: UInt64) throws -> String {
            try FileManager.default.createDirectory(atPath: path + "/\(name)", withIntermediateDirectories: true)
            var random = SplitMix64(state: seed), lines = ""
            for number in 0..<count {
                let text = (0..<Int.random(in: 2...4, using: &random)).map { _ in "abcd".randomElement(using: &random) ?? "a" }
                var samples: [Float] = [], words: [String] = []
                for letter in text {
                    let start = Double(samples.count) / 16_000
                    words.append(#"{"word": "\#(letter)", "start": \#(start), "end": \#(start + 0.1)}"#)
                    let frequency: Double = 400 * Foundation.pow(1.7, Double(letter.asciiValue ?? 97) - 97)
                    let turn = 2 * Double.pi * frequency / 16_000
                    samples += (0..<1600).map { index -> Float in Float(0.3 * Foundation.sin(turn * Double(index))) }
                    samples += [Float](repeating: 0, count: 1600)
                }
                try AudioFile.write(samples, sampleRate: 16_000, to: "\(path)/\(name)/\(number).wav")
                lines += #"{"id": "\#(number)", "speech": "\#(name)/\#(number).wav", "speech_asr": "\#(String(text))", "voice": "tone", "words": [\#(words.joined(separator: ", "))], "conversations": [{"from": "human", "value": "<speech>"}, {"from": "gpt", "value": "\#(String(text))"}]}"# + "\n"
            }
            try lines.write(toFile: "\(path)/\(name).jsonl", atomically: true, encoding: .utf8)
            return "\(path)/\(name).jsonl"
        }

        /// A square of one of four colours in one of the four tokens of each picture.
        @discardableResult
        func writePictures(_ name: String, count: Int, seed: UInt64) throws -> String {
            let colours: [(name: String, rgb: [UInt8])] = [("red", [220, 30, 30]), ("green", [30, 160, 60]), ("blue", [40, 60, 220]), ("black", [10, 10, 10])]
            var random = SplitMix64(state: seed), lines = ""
            for number in 0..<count {
                let (token, colour) = (Int.random(in: 0..<4, using: &random), colours[Int.random(in: 0..<4, using: &random)])
                let (x0, y0) = (token % 2 * 28 + 6, token / 2 * 28 + 6)
                var pixels = [UInt8](repeating: 240, count: 56 * 56 * 3)
                for y in y0..<(y0 + 16) { for x in x0..<(x0 + 16) { pixels.replaceSubrange((y * 56 + x) * 3..<(y * 56 + x) * 3 + 3, with: colour.rgb) } }
                try RGBImage(width: 56, height: 56, pixels: pixels).write(png: "\(path)/\(name)-\(number).png")
                lines += #"{"id": "\#(number)", "image": "\#(name)-\#(number).png", "regions": [{"box": [\#(x0), \#(y0), \#(x0 + 16), \#(y0 + 16)], "labels": ["box", "\#(colour.name)"]}]}"# + "\n"
            }
            return try write("\(name).jsonl", lines)
        }

        func write(_ name: String, _ json: String) throws -> String {
            try json.write(toFile: "\(path)/\(name)", atomically: true, encoding: .utf8)
            return "\(path)/\(name)"
        }

        func metrics(_ run: String) throws -> [PartMetrics] {
            try String(contentsOfFile: "\(path)/\(run)/metrics.jsonl", encoding: .utf8).split(separator: "\n")
                .map { try JSONDecoder().decode(PartMetrics.self, from: Data($0.utf8)) }
        }
    }

    /// Squares of four colours in one of the four tokens of a picture; where and what is to be named.
    @Test func theVisionTowerLearnsToNameWhatIsWhere() async throws {
        let place = try Place()
        defer { place.remove() }
        _ = (try place.writePictures("train", count: 60, seed: 3), try place.writePictures("test", count: 30, seed: 4))
        func configuration(_ output: String, _ more: String = "") throws -> String {
            try place.write("\(output).json", """
                {"stage": "vision_tower", "model": "\(place.model)", "output": "\(output)", "data": [{"path": "train.jsonl"}], \(more)
                 "validation": [{"path": "test.jsonl"}], "batch_size": 8, "steps": 120, "learning_rate": 5e-3, "optimizer": "muon",
                 "precision": "f32", "validate_every": 60, "checkpoint_every": 60}
                """)
        }
        let written = try await PartTrainer.run(.visionTower, configuration("naming"), resume: false)
        #expect(try place.metrics("naming").last?.validation == ["precision": 1, "recall": 1, "macro_recall": 1])
        // The tower is one, and what it says is what training left.
        let tower = try VisionConfiguration.load(place.path + "/naming/vision_tower/config.json")
        let source = try WeightFiles.open(place.path + "/naming/vision_tower")
        _ = VisionTransformer(Parameters(source), tower, prefix: VisionTransformer.prefix(in: source))
        #expect(written.contains(place.path + "/naming/vision_tower"))
        let names = try JSONDecoder().decode([String].self, from: Data(contentsOf: URL(fileURLWithPath: place.path + "/naming/naming.json")))
        #expect(names == ["black", "blue", "box", "green", "red"])

        // Stopped half way and gone on with: the same losses, with Muon's momenta from the checkpoint.
        try FileManager.default.createDirectory(atPath: place.path + "/resumed/checkpoints", withIntermediateDirectories: true)
        try FileManager.default.copyItem(
            atPath: place.path + "/naming/checkpoints/step-00000060", toPath: place.path + "/resumed/checkpoints/step-00000060")
        _ = try await PartTrainer.run(.visionTower, configuration("resumed"), resume: true)
        let losses = try place.metrics("naming").suffix(60).map(\.losses), again = try place.metrics("resumed").map(\.losses)
        #expect(losses == again)

        // In the words of the language model, which then finds in its tokens what it would find in text.
        let spoken = try await PartTrainer.run(.visionTower, configuration("words", #""language_model": "\#(place.model)","#), resume: false)
        let said = try place.metrics("words").compactMap(\.validation)
        #expect(said.last == ["recall": 1, "macro_recall": 1], "\(said)")
        #expect(!spoken.contains { $0.hasSuffix("naming.json") })

        // A box over a token's edge leaves open what is beside it; one far outside is not in the picture.
        let edge = try place.write("edge.jsonl", #"{"id": "8", "image": "train-0.png", "regions": [{"box": [6, 6, 31, 22], "labels": ["a"]}, {"box": [-1e300, 1e299, 1e300, 1e300], "labels": ["b"]}]}"# + "\n")
        let media = MediaPreparation(vision: Preset.tiny.configurations.vision, processor: ImageProcessorConfiguration())
        #expect(try LabelledPictures([DataSource(edge)], media).item(0, side: 28).labels == [[0], nil, [], []])

        // Labels stand in their region in reading order; what is made of several takes as many places, what of none leaves its place open.
        let whole = try place.write("whole.jsonl", #"{"id": "9", "image": "train-0.png", "regions": [{"box": [0, 0, 56, 56], "labels": ["a", "bc"]}, {"box": [0, 28, 56, 56], "labels": ["-"]}]}"# + "\n")
        func labels(_ parts: (String) -> [String]) throws -> [[Int]?] {
            let pictures = try LabelledPictures([DataSource(whole)], media, parts: parts), found = try pictures.item(0, side: 28).labels
            #expect(pictures.labels.count == Set(found.flatMap { $0 ?? [] }).count)
            return found
        }
        #expect(try labels { $0 == "-" ? [] : [$0] } == [[0], [0], [1], [1]])
        #expect(try labels { $0 == "-" ? [] : $0.map(String.init) } == [[0], [0], [1], [2]])
        #expect(try LabelledPictures([DataSource(edge)], media) { $0 == "a" ? [] : [$0] }.item(0, side: 28).labels == [nil, nil, [], []])
        let vocabulary = try WordEmbeddings(of: place.model, width: tower.outputSize)
        #expect(LabelWords.names(of: "letter h", vocabulary).isEmpty)
        for word in ["letter box", "go", "7"] {
            let ids = LabelWords.names(of: word, vocabulary).compactMap { Int32($0) }
            #expect(vocabulary.tokenizer.decode(ids).filter { $0 != " " } == word.filter { $0 != " " })
        }

        // What is not a box is named with its place.
        let bad = try place.write("bad.jsonl", #"{"id": "7", "image": "train-0.png", "regions": [{"box": [3, 2, 1], "labels": ["a"]}]}"# + "\n")
        var overrides = PartOverrides()
        (overrides.data, overrides.output) = ([bad], place.path + "/bad")
        await #expect { try await PartTrainer.run(.visionTower, configuration("unused"), overrides: overrides, resume: false) } throws: {
            "\($0.localizedDescription)".contains("regions[0].box")
        }
    }

    /// Encoder and projector learn to say tones in the words of a language model that does not run, at the time they are heard.
    @Test func speechTokensLearnToBeWords() async throws {
        let place = try Place()
        defer { place.remove() }
        _ = (try place.writeTones("train", count: 60, seed: 1), try place.writeTones("valid", count: 12, seed: 2))
        let file = try place.write(
            "run.json",
            """
            {"stage": "speech_words", "model": "\(place.model)", "output": "run", "data": [{"path": "train.jsonl"}],
             "validation": [{"path": "valid.jsonl"}], "steps": 200, "batch_size": 8, "learning_rate": 3e-3, "short_steps": 20, "optimizer": "muon",
             "packed_share": 0.3, "validate_every": 200, "masks": {"time_masks": 0, "frequency_masks": 0}, "precision": "f32"}
            """)
        let stage = try #require(try PartStage(of: file))
        #expect(stage == .speechWords)
        let written = try await PartTrainer.run(stage, file, resume: false)
        let last = try #require(try place.metrics("run").last)
        print("speech in words: \(last.validation ?? [:])")
        #expect((last.validation?["right"] ?? 0) > 0.95)

        // The checkpoint is whole; encoder and projector alone are others. Adapters, which hold the old projector, stay behind.
        #expect(written.contains(place.path + "/run/model"))
        let (before, after) = (try ModelLocation.resolve(place.model).0, try ModelLocation.resolve(place.path + "/run/model").0)
        #expect(before.adapters.count == 2 && after.adapters.isEmpty)
        func tensors(_ folder: String?) throws -> [String: [Float]] {
            let source = try WeightFiles.open(try #require(folder))
            return try Dictionary(uniqueKeysWithValues: source.names.map { ($0, try source.array($0).asType(.float32).asArray(Float.self)) })
        }
        let (old, new) = (try tensors(before.model), try tensors(after.model))
        #expect(old.keys == new.keys && old.filter { new[$0.key] != $0.value }.keys.sorted() == old.keys.filter { $0.contains("mm_speech_projector") }.sorted())
        let (ears, trained) = (try tensors(before.speech), try tensors(after.speech))
        #expect(ears.keys == trained.keys && ears.contains { trained[$0.key] != $0.value })
        #expect(try tensors(before.vision) == tensors(after.vision))

        // Recordings whose words have no times cannot be learnt from, and say so.
        var overrides = PartOverrides()
        overrides.data = [try place.write("bare.jsonl", #"{"speech": "train/0.wav", "speech_asr": "abc"}"# + "\n")]
        overrides.output = place.path + "/bare"
        await #expect { try await PartTrainer.run(stage, file, overrides: overrides, resume: false) } throws: {
            "\($0.localizedDescription)".contains("lyra data align")
        }
    }

    @Test func utterancesOfAStepAreAboutAsLong() throws {
        let place = try Place()
        defer { place.remove() }
        let recordings = try Recordings([DataSource(place.writeTones("train", count: 60, seed: 1))])
        var configuration = SpeechEncoderConfiguration()
        configuration.settings.batchSize = 8
        let maker = try SpeechWindowMaker(recordings, configuration, melBins: 20, windowSamples: 32_000)
        let steps = (0..<16).map { Array(maker.utterances($0)) }
        let lengths = try steps.map { step in try step.map { try #require(recordings.item($0).transcript).count } }
        // Two, three or four letters: in order of length, at most two steps have some of both sides.
        #expect(lengths.allSatisfy { $0.count == 8 } && lengths.count { Set($0).count > 1 } <= 2)
        #expect(Set(lengths.joined()) == [2, 3, 4] && Set(steps.joined()).count > 40)
        #expect(lengths.map { $0[0] } != lengths.map { $0[0] }.sorted(), "steps themselves are in no order of length")
        #expect(Array(maker.utterances(3)) == steps[3] && Array(maker.utterances(19)) != steps[3])

        // Of several processes each makes its own windows of the batch, the same as one would, packed ones too.
        configuration.shortSteps = 0
        for packed in [0.0, 1] {
            configuration.packedShare = packed
            let maker = try SpeechWindowMaker(recordings, configuration, melBins: 20, windowSamples: 32_000)
            let whole = try maker.batch(3).windows
            for rank in 0..<2 {
                let part = try maker.batch(3, BatchShare(rank: rank, size: 2)).windows
                #expect(part.map(\.samples) == stride(from: rank, to: 8, by: 2).map { whole[$0].samples })
                #expect(part.map(\.targets) == stride(from: rank, to: 8, by: 2).map { whole[$0].targets })
            }
        }
    }

    @Test func theSpeechEncoderLearnsToSpell() async throws {
        let place = try Place()
        defer { place.remove() }
        try place.writeTones("train", count: 60, seed: 1)
        let heldOut = try place.writeTones("valid", count: 12, seed: 2)
        let file = try place.write(
            "run.json",
            """
            {"stage": "speech_encoder", "model": "\(place.model)", "output": "run", "data": [{"path": "train.jsonl"}],
             "validation": [{"path": "valid.jsonl"}], "steps": 600, "batch_size": 8, "learning_rate": 3e-3, "short_steps": 100,
             "packed_share": 0.3, "validate_every": 600, "masks": {"time_masks": 0, "frequency_masks": 1}, "precision": "f32"}
            """)
        let stage = try #require(try PartStage(of: file))
        let written = try await PartTrainer.run(stage, file, resume: false)
        let last = try #require(try place.metrics("run").last)
        #expect(last.step == 600)
        // By chance of initial weights, 300 steps leave one letter in five wrong for some seeds and none for others.
        #expect((last.validation?["cer"] ?? 1) < 0.1)

        // What is written says the same on its own, over recordings longer than a window too.
        let encoder = try SpellingEncoder(tower: place.path + "/run/speech_encoder", head: place.path + "/run/spelling.safetensors")
        var rate = ErrorRate()
        let recordings = try Recordings([DataSource(heldOut)])
        for index in 0..<recordings.count {
            let item = try recordings.item(index)
            rate.add(heard: encoder.transcribe(try Recordings.samples(item)), said: try #require(item.transcript))
        }
        #expect(abs(rate.cer - (last.validation?["cer"] ?? 1)) < 0.05)
        #expect(written.allSatisfy { FileManager.default.fileExists(atPath: $0) })
        // The folder is a speech tower.
        let (location, _) = try ModelLocation.resolve(place.model, speech: place.path + "/run/speech_encoder")
        #expect(location.speech?.hasSuffix("run/speech_encoder") == true)
    }

    @Test func aResumedRunIsTheSameRun() async throws {
        let place = try Place()
        defer { place.remove() }
        try place.writeTones("train", count: 10, seed: 1)
        let file = try place.write(
            "run.json",
            """
            {"stage": "speech_encoder", "model": "\(place.model)", "output": "run", "data": [{"path": "train.jsonl"}], "steps": 12,
             "batch_size": 2, "short_steps": 4, "checkpoint_every": 5, "keep_checkpoints": 9}
            """)
        _ = try await PartTrainer.run(.speechEncoder, file, resume: false)
        let whole = try place.metrics("run")
        await #expect(throws: TrainingError.self) { _ = try await PartTrainer.run(.speechEncoder, file, resume: false) }
        for step in ["step-00000010", "step-00000012"] {
            try FileManager.default.removeItem(atPath: "\(place.path)/run/checkpoints/\(step)")
        }
        _ = try await PartTrainer.run(.speechEncoder, file, resume: true)
        let again = try place.metrics("run")
        #expect(again.map(\.step) == Array(1...12) && again.map(\.losses) == whole.map(\.losses))
        var other = PartOverrides()
        other.batchSize = 3
        await #expect(throws: TrainingError.self) { _ = try await PartTrainer.run(.speechEncoder, file, overrides: other, resume: true) }
        // But it may end elsewhere: later, and where it is.
        let result = "\(place.path)/run/speech_encoder/model.safetensors"
        for steps in [14, 3] {
            try FileManager.default.removeItem(atPath: result)
            other = PartOverrides()
            other.steps = steps
            #expect(try await PartTrainer.run(.speechEncoder, file, overrides: other, resume: true).contains { $0.contains("speech_encoder") })
            #expect(try place.metrics("run").map(\.step) == Array(1...14) && FileManager.default.fileExists(atPath: result))
        }
    }

    @Test func theVocoderLearnsAVoice() async throws {
        let place = try Place()
        defer { place.remove() }
        let data = try place.writeTones("train", count: 12, seed: 1), recordings = try Recordings([DataSource(data)])
        let extractor = try UnitFeatureExtractor(.mel, tower: nil)
        let features = try (0..<recordings.count).map { try extractor(try Recordings.samples(try recordings.item($0))) }
        let codebook = try UnitCodebook(features: .mel, clusters: KMeans.fit(concatenated(features), clusters: 8, seed: 0))
        try codebook.save(place.path + "/codebook.safetensors")
        let loaded = try UnitCodebook.load(place.path + "/codebook.safetensors")
        #expect(loaded.features == .mel && loaded.clusters.assign(features[0]) == codebook.clusters.assign(features[0]))
        let lines = try features.enumerated().map { UnitFrames.line(try recordings.item($0.offset).id, codebook.clusters.assign($0.element)) }
        try lines.joined().write(toFile: place.path + "/units.txt", atomically: true, encoding: .utf8)

        let source = #"[{"path": "train.jsonl", "units_file": "units.txt"}]"#
        let file = try place.write(
            "run.json",
            """
            {"stage": "vocoder", "model": "\(place.model)", "output": "run", "data": \(source), "validation": \(source), "steps": 60,
             "batch_size": 4, "segment_frames": 16, "validate_every": 60, "validation_limit": 3, "learning_rate": 3e-3}
            """)
        // What two processes take is what one would.
        let loader = try VocoderTraining(.load(file)).loader, whole = try loader(5, BatchShare())
        let shares = try (0..<2).map { try loader(5, BatchShare(rank: $0, size: 2)) }
        let pieces = (0..<4).map { whole.frames[$0 * 16..<($0 + 1) * 16] }
        #expect(shares.map(\.frames) == [Array(pieces[0] + pieces[2]), Array(pieces[1] + pieces[3])] && pieces[0] != pieces[1])
        #expect(shares.allSatisfy { $0.samples.count == 2 * 16 * 320 } && shares.reduce(0) { $0 + $1.runs.count } == whole.runs.count)
        let written = try await PartTrainer.run(.vocoder, file, resume: false)
        let metrics = try place.metrics("run")
        let (first, last) = (try #require(metrics.first?.losses), try #require(metrics.last?.losses))
        #expect((last["mel"] ?? 9) < 0.6 * (first["mel"] ?? 0) && (last["duration"] ?? 9) < 0.7 * (first["duration"] ?? 0))
        // It is a vocoder of the released layout.
        let folder = try #require(written.first { $0.hasSuffix("/vocoder") })
        let parameters = Parameters(try WeightFiles.openVocoder(folder))
        let vocoder = Vocoder(parameters, try VocoderConfiguration.load(folder + "/config.json"))
        try parameters.finish()
        #expect(vocoder([1, 2, 3]).count % 320 == 0 && FileManager.default.fileExists(atPath: folder + "/g_00000060"))
        #expect(try FileManager.default.contentsOfDirectory(atPath: place.path + "/run/samples").count == 3)
    }

    @Test func whatCannotBeTrainedIsNamed() async throws {
        let place = try Place()
        defer { place.remove() }
        let data = try place.writeTones("train", count: 2, seed: 1)
        func run(_ json: String) async -> String {
            do {
                let file = try place.write("bad.json", json)
                let stage = try #require(try PartStage(of: file))
                _ = try await PartTrainer.run(stage, file, resume: false)
                return "no error"
            } catch { return error.localizedDescription }
        }
        let head = #""model": "\#(place.model)", "output": "bad""#
        #expect(await run(#"{"stage": "speech_encoder", \#(head), "data": [{"path": "none.jsonl"}]}"#).contains("none.jsonl"))
        #expect(await run(#"{"stage": "speech_encoder", \#(head), "data": [{"path": "\#(data)"}], "stepz": 1}"#).contains("stepz"))
        #expect(await run(#"{"stage": "speech_encoder", \#(head), "data": [{"path": "\#(data)"}], "packed_share": 2}"#).contains("packed_share"))
        #expect(await run(#"{"stage": "vocoder", \#(head), "data": [{"path": "\#(data)"}]}"#).contains("units_file"))
        try "0|1 2 99\n1|1 1\n".write(toFile: place.path + "/far.txt", atomically: true, encoding: .utf8)
        let far = await run(#"{"stage": "vocoder", \#(head), "segment_frames": 8, "data": [{"path": "\#(data)", "units_file": "far.txt"}]}"#)
        #expect(far.contains("no sample") || far.contains("99"))
        try "0|\(Array(repeating: "99", count: 20).joined(separator: " "))\n".write(toFile: place.path + "/far.txt", atomically: true, encoding: .utf8)
        #expect(await run(#"{"stage": "vocoder", \#(head), "segment_frames": 8, "data": [{"path": "\#(data)", "units_file": "far.txt"}]}"#).contains("unit 99"))
        #expect(try PartStage(of: try place.write("other.json", #"{"stage": "joint"}"#)) == nil)
    }
}
