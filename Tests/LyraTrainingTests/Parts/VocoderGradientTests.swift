// Losses and gradients of the vocoder in training against PyTorch's float64 (Tests/Fixtures/vocoder/make.py).
import Foundation
@testable import LyraModel
@testable import LyraTraining
import MLX
import Testing

@Suite struct VocoderGradientTests {
    struct Expected: Decodable {
        var lengths: [Int], melLength: Int, melBins: Int, runs: [[[Int]]]
        var convergence, magnitude, mel, duration: Float
        var spectral: [Float]
    }

    let expected: Expected
    let file: SafetensorsFile
    let configuration: VocoderConfiguration

    init() throws {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../../Fixtures/vocoder").standardizedFileURL
        expected = try JSONDecoder().decode(Expected.self, from: Data(contentsOf: folder.appendingPathComponent("expected.json")))
        file = try SafetensorsFile(folder.appendingPathComponent("training.safetensors"))
        configuration = try VocoderConfiguration.load(folder.appendingPathComponent("config.json").path)
    }

    private func network(_ weights: [String: MLXArray]) throws -> Vocoder {
        let parameters = Parameters(DictionarySource(weights), isTraced: true)
        let network = Vocoder(parameters, configuration)
        try parameters.finish()
        return network
    }

    /// Largest difference, as a share of the largest expected value.
    private func difference(_ a: MLXArray, _ b: MLXArray) -> Float {
        (abs(a - b).max() / abs(b).max()).item(Float.self)
    }

    @Test func everyGradientOfOneStepIsPyTorchs() throws {
        let names = file.tensors.keys.filter { !$0.hasPrefix("grad/") && !$0.hasPrefix("spectral/") && !["wave", "target", "frames"].contains($0) }
            .sorted()
        #expect(names.count > 40)
        let weights = try names.map { try file.array(named: $0) }
        let frames = try file.array(named: "frames"), target = try file.array(named: "target")
        let spectral = SpectralLoss(lengths: expected.lengths, melBins: expected.melBins, melLength: expected.melLength)
        let runs = expected.runs.map { (units: $0[0].map(Int32.init), lengths: $0[1]) }
        let (values, gradients) = try valueAndGrad(
            { (arrays: [MLXArray]) throws in
                let network = try network(Dictionary(uniqueKeysWithValues: zip(names, arrays)))
                let wave = network.waves(frames)
                let (convergence, magnitude, mel) = spectral(wave, target)
                let duration = VocoderTraining.durationLoss(network, runs)
                return [convergence + magnitude * 0.7 + mel * 2 + duration * 0.5, convergence, magnitude, mel, duration, wave]
            }, argumentNumbers: Array(names.indices))(weights)
        for (value, wanted) in zip(values[1...4], [expected.convergence, expected.magnitude, expected.mel, expected.duration]) {
            #expect(abs(value.item(Float.self) - wanted) < 2e-5 * wanted)
        }
        #expect(abs(values[5] - (try file.array(named: "wave"))).max().item(Float.self) < 1e-5)
        for (name, gradient) in zip(names, gradients) {
            #expect(difference(gradient, try file.array(named: "grad/\(name)")) < 2e-4, "\(name)")
        }
    }

    @Test func spectralLossesAndTheirGradientArePyTorchs() throws {
        let ours = try file.array(named: "spectral/ours").asType(.float32), theirs = try file.array(named: "spectral/theirs").asType(.float32)
        var parts: [Float] = []
        let (_, gradient) = valueAndGrad { (wave: MLXArray) -> MLXArray in
            let (convergence, magnitude, mel) = SpectralLoss()(wave, theirs)
            return convergence + magnitude + mel
        }(ours)
        let (convergence, magnitude, mel) = SpectralLoss()(ours, theirs)
        parts = [convergence, magnitude, mel].map { $0.item(Float.self) }
        for (part, wanted) in zip(parts, expected.spectral) { #expect(abs(part - wanted) < 2e-5 * wanted) }
        #expect(difference(gradient[0..., .stride(by: 8)], try file.array(named: "spectral/grad")) < 2e-4)
    }

    @Test func equalWavesDifferInNothing() {
        let wave = MLXRandom.normal([1, 4096], key: MLXRandom.key(5))
        let (convergence, magnitude, mel) = SpectralLoss()(wave, wave)
        #expect(convergence.item(Float.self) == 0 && magnitude.item(Float.self) == 0 && mel.item(Float.self) == 0)
    }
}
