// From random weights to a model that knows its training data by heart: for every kind of sample, through the whole of a run.
// Minutes of computing, so only where LYRA_TRAIN_CHECK is set: `make train-check`.
import Foundation
import Lyra
import LyraMedia
import LyraModel
import LyraTraining
import MLX
import Testing

@Suite(.enabled(if: ProcessInfo.processInfo.environment["LYRA_TRAIN_CHECK"] != nil, "set LYRA_TRAIN_CHECK, or run make train-check"))
struct MemorisationTests {
    /// 200 random answers, which nothing but the sample's own media tells apart.
    @Test(arguments: [SampleKind.speechText, .imageSpeech, .longSpeech])
    func answers(kind: SampleKind) async throws {
        let folder = try TemporaryRun()
        defer { folder.remove() }
        _ = try await learnAnswers(kind, folder)
    }

    /// Answers to pictures, and then their sound: three units a letter, said by the finished model as it is used.
    @Test func spokenAnswers() async throws {
        let folder = try TemporaryRun()
        defer { folder.remove() }
        let learnt = try await learnAnswers(.imageText, folder)
        var configuration = TrainingConfiguration(
            stage: .speechGenerator, model: learnt.output + "/model", output: folder.path + "/spoken", data: learnt.data)
        (configuration.batchSize, configuration.epochs, configuration.learningRate) = (20, 60, 5e-3)
        configuration.optimizer = .muon
        (configuration.precision, configuration.gradientCheckpointing) = (.f32, false)
        configuration.checkpointEvery = 1_000_000
        let began = ContinuousClock.now
        let summary = try await Trainer(configuration, resume: false).run()

        var options = LyraOptions()
        options.precision = .f32
        let lyra = try await Lyra.open(configuration.output + "/model", options: options)
        var answer = ReplyOptions()
        (answer.speaks, answer.maximumTokens) = (true, 16)
        var wrong = 0, units = 0, right = 0
        for line in try String(contentsOfFile: learnt.data[0].path, encoding: .utf8).split(separator: "\n") {
            let sample = try JSONDecoder().decode(WrittenSample.self, from: Data(line.utf8))
            let reply = try await lyra.conversation().respond(
                to: [.image(.file(folder.path + "/" + (sample.image ?? ""))), .text("Name?")], options: answer)
            right += reply.text == sample.conversations[1].value ? 1 : 0
            wrong += Self.distance(reply.units ?? [], sample.units)
            units += sample.units.count
        }
        let share = Double(wrong) / Double(units)
        print(
            "memorised units: loss \(summary.last?.losses.total ?? .nan), edit distance \(100 * share) % of \(units) units in 200 spoken "
                + "answers, \(right) of them right word for word, after \(summary.steps) steps, \((ContinuousClock.now - began) / .seconds(1)) s")
        #expect(share < 0.02)
        #expect(right >= 196)
    }

    /// Levenshtein's: insertions, deletions and replacements from one list to the other.
    private static func distance(_ a: [Int32], _ b: [Int32]) -> Int {
        var row = Array(0...b.count)
        for (i, x) in a.enumerated() {
            var corner = row[0]
            row[0] = i + 1
            for (j, y) in b.enumerated() {
                let replaced = corner + (x == y ? 0 : 1)
                corner = row[j + 1]
                row[j + 1] = min(replaced, row[j] + 1, row[j + 1] + 1)
            }
        }
        return row[b.count]
    }

    /// Trains on 200 samples of a kind and expects the model to know them; returns what it was configured with.
    private func learnAnswers(_ kind: SampleKind, _ folder: TemporaryRun) async throws -> TrainingConfiguration {
        var configuration = try folder.configuration(kind, count: 200, epochs: kind.hasImage ? 40 : 75)
        (configuration.learningRate, configuration.optimizer) = (5e-3, .muon)
        if kind == .longSpeech { configuration.extractor = ExtractorOptions(blocks: 2, keepRate: 0.5, layers: 4) }
        configuration.cache = folder.path + "/cache"
        let began = ContinuousClock.now
        let trainer = try await Trainer(configuration, resume: false)
        let summary = try await trainer.run()
        let result = try trainer.validate()
        print(
            "memorised \(kind): loss \(result.losses.total), token accuracy \(100 * result.accuracy) % of 200 samples "
                + "after \(summary.steps) steps, \((ContinuousClock.now - began) / .seconds(1)) s")
        #expect(result.accuracy > 0.99)
        return configuration
    }
}

/// What the test reads of a line it has written.
private struct WrittenSample: Decodable {
    struct Turn: Decodable { var value: String }
    var image: String?
    var units: [Int32]
    var conversations: [Turn]
}

/// What a sample holds besides its answer.
enum SampleKind: String, CaseIterable, Sendable {
    case imageText, speechText, imageSpeech, longSpeech
    var hasImage: Bool { self == .imageText || self == .imageSpeech }
    var seconds: Double? {
        switch self {
        case .imageText: nil
        case .speechText, .imageSpeech: 1.5
        case .longSpeech: 9
        }
    }
}

/// A folder with a tiny checkpoint and made-up data.
struct TemporaryRun {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("lyra-training-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path + "/media", withIntermediateDirectories: true)
    }

    func remove() { try? FileManager.default.removeItem(atPath: path) }

    /// Everything but the encoders trains, on `count` samples of this kind.
    func configuration(_ kind: SampleKind, count: Int, epochs: Int) throws -> TrainingConfiguration {
        var system = Preset.tiny.configurations
        system.whisper.positions = 100  // windows of two seconds, about as long as what is said
        let model = try RandomCheckpoint.write(system, seed: 7, to: path + "/model", dtype: .float32)
        var configuration = TrainingConfiguration(
            stage: .pretrain, model: model, output: path + "/run", data: [DataSource(try writeData(kind, count))])
        configuration.trainable = [ParameterGroup("model/model.*")]
        (configuration.batchSize, configuration.epochs, configuration.learningRate) = (20, epochs, 3e-3)
        (configuration.precision, configuration.gradientCheckpointing) = (.f32, false)
        configuration.tokensPerPass = 8_192
        configuration.checkpointEvery = 1_000_000
        return configuration
    }

    /// Random pictures and sounds with random answers; the same every time.
    func writeData(_ kind: SampleKind, _ count: Int) throws -> String {
        var random = SplitMix(state: 11)
        var lines = ""
        for i in 0..<count {
            var sample: [String: Any] = ["id": "\(kind.rawValue)-\(i)"]
            var prompt = ""
            if kind.hasImage {
                let name = "media/\(kind.rawValue)-\(i).png"
                try picture(&random).write(png: "\(path)/\(name)")
                sample["image"] = name
                prompt += "<image>\n"
            }
            if let seconds = kind.seconds {
                let name = "media/\(kind.rawValue)-\(i).wav"
                try AudioFile.write(sound(seconds, &random), sampleRate: 16_000, to: "\(path)/\(name)")
                sample["speech"] = name
                sample["speech_asr"] = "sample \(i)"
                prompt += "<speech>\n"
            }
            let letters = (0..<6).map { _ in UInt8(97 + random.next() % 26) }
            // Frames of an answer's first token all see the same, so they can become one unit at most: it has no sound here.
            let answer = "0" + String(decoding: letters, as: UTF8.self)
            // Three units a letter; those of other letters differ.
            sample["units"] = letters.flatMap { letter in (0..<3).map { (Int(letter) * 31 + $0 * 347) % 1_000 } }
            sample["conversations"] = [["from": "human", "value": prompt + "Name?"], ["from": "gpt", "value": answer]]
            lines += String(decoding: try JSONSerialization.data(withJSONObject: sample), as: UTF8.self) + "\n"
        }
        let file = "\(path)/\(kind.rawValue).jsonl"
        try lines.write(toFile: file, atomically: true, encoding: .utf8)
        return file
    }

    /// 56 x 56 pixels in 16 patches of random colours.
    private func picture(_ random: inout SplitMix) throws -> RGBImage {
        let colors = (0..<16).map { _ in (0..<3).map { _ in UInt8(truncatingIfNeeded: random.next()) } }
        var pixels: [UInt8] = []
        for y in 0..<56 {
            for x in 0..<56 { pixels += colors[y / 14 * 4 + x / 14] }
        }
        return try RGBImage(width: 56, height: 56, pixels: pixels)
    }

    /// A row of random tones.
    private func sound(_ seconds: Double, _ random: inout SplitMix) -> [Float] {
        let count = Int(seconds * 16_000), tones = 8
        let frequencies = (0..<tones).map { _ in 200 + Double(random.next() % 3_000) }
        return (0..<count).map { i in
            let tone = frequencies[min(tones - 1, i * tones / count)]
            return Float(0.4 * sin(2 * .pi * tone * Double(i) / 16_000))
        }
    }
}

/// A small generator with a fixed sequence.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
