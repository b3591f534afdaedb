// From random weights to a model that knows its training data by heart: for every kind of sample, through the whole of a run.
// Minutes of computing, so only where LYRA_TRAIN_CHECK is set: `make train-check`.
import Foundation
import LyraMedia
import LyraModel
import LyraTraining
import MLX
import Testing

@Suite(.enabled(if: ProcessInfo.processInfo.environment["LYRA_TRAIN_CHECK"] != nil, "set LYRA_TRAIN_CHECK, or run make train-check"))
struct MemorisationTests {
    /// 200 random answers, which nothing but the sample's own media tells apart.
    @Test(arguments: [SampleKind.imageText, .speechText, .imageSpeech, .longSpeech])
    func answers(kind: SampleKind) async throws {
        let folder = try TemporaryRun()
        defer { folder.remove() }
        var configuration = try folder.configuration(kind, count: 200, epochs: kind == .longSpeech ? 30 : 60)
        if kind == .longSpeech { configuration.extractor = ExtractorOptions(blocks: 2, keepRate: 0.5, layers: 4) }
        let began = ContinuousClock.now
        let trainer = try await Trainer(configuration, resume: false)
        let summary = try await trainer.run()
        let result = try trainer.validate()
        print(
            "memorised \(kind): loss \(result.losses.total), token accuracy \(100 * result.accuracy) % of 200 samples "
                + "after \(summary.steps) steps, \((ContinuousClock.now - began) / .seconds(1)) s")
        #expect(result.accuracy > 0.99)
    }
}

/// What a sample holds besides its answer.
enum SampleKind: String, CaseIterable, Sendable {
    case imageText, speechText, imageSpeech, longSpeech
    var hasImage: Bool { self == .imageText || self == .imageSpeech }
    var seconds: Double? {
        switch self {
        case .imageText: nil
        case .speechText, .imageSpeech: 1.5
        case .longSpeech: 31
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
        let model = try RandomCheckpoint.write(preset: .tiny, seed: 7, to: path + "/model", dtype: .float32)
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
            let answer = String((0..<6).map { _ in Character(Unicode.Scalar(UInt8(97 + random.next() % 26))) })
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
