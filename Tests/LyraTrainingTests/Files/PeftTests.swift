// Adapters as Python's peft reads them. Runs where LYRA_PYTHON names a Python with torch, transformers and peft.
import Foundation
@testable import LyraModel
@testable import LyraTraining
import MLX
import Testing

@Suite struct PeftTests {
    static let python = ProcessInfo.processInfo.environment["LYRA_PYTHON"]

    private struct Answer: Decodable {
        struct Tensor: Decodable {
            var shape: [Int]
            var sum: Double
        }
        var base: [Float]
        var adapted: [Float]
        var trainables: [String: Tensor]
    }

    private func ask(_ arguments: [String]) throws -> Answer {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: try #require(Self.python))
        process.arguments = [DataPack.root + "/scripts/peft_logits.py"] + arguments
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return try JSONDecoder().decode(Answer.self, from: data)
    }

    @Test(.enabled(if: python != nil, "LYRA_PYTHON names no Python"), arguments: DataPack.available, [true, false])
    func peftComputesTheSame(pack: DataPack, releaseLayout: Bool) throws {
        let folder = try DataFolder()
        var (location, configuration) = try ModelLocation.resolve(pack.folder)
        // A new adapter of some of the maps, with numbers that make a difference.
        let hidden = configuration.hiddenSize, rank = 3
        var arrays: [String: MLXArray] = [:]
        for layer in 0..<configuration.layers {
            for (map, out) in [("self_attn.q_proj", hidden), ("mlp.gate_proj", configuration.intermediateSize)] {
                let name = "base_model.model.model.layers.\(layer).\(map)"
                arrays[name + ".lora_A.weight"] = MLXArray((0..<rank * hidden).map { sin(Float($0 + layer) * 0.7) * 0.2 }, [rank, hidden])
                arrays[name + ".lora_B.weight"] = MLXArray((0..<out * rank).map { cos(Float($0 - layer) * 0.3) * 0.2 }, [out, rank])
            }
        }
        let recorder = Parameters(nil)
        _ = SpeechProjector(recorder, configuration, prefix: "model.")
        for request in recorder.requests { arrays[request.name] = MLXArray.zeros(request.shape) + 0.25 }
        var settings = AdapterConfiguration(rank: rank, alpha: 7.5)
        settings.targetModules = ["q_proj", "gate_proj"]
        (settings.dropout, settings.baseModel) = (0.05, location.model)
        let path = folder.file("speech_lora")
        try AdapterFiles(arrays, configuration: settings).write(to: path, releaseLayout: releaseLayout)

        let ids: [Int32] = [5, 80, 3, 44, 210, 7, 7, 99]
        let answer = try ask([location.model, path] + ids.map(String.init))
        location.adapters = [.speech: path]
        let model = try LyraModel(location, configuration, precision: .f32)
        for (adapter, expected) in [(nil, answer.base), (.speech, answer.adapted)] as [(Adapter?, [Float])] {
            var positions = Positions(startingAt: 0)
            positions.appendRun(ids.count)
            var state = model.decoder.newState()
            let input = Decoder.Input(embeddings: model.decoder.embed(ids), positions: positions, isContext: ids.map { _ in false })
            let hidden = try model.decoder(input, state: &state, adapter: adapter, allRows: true).hidden
            let logits = model.decoder.logits(hidden).asArray(Float.self)
            let error = zip(logits, expected).reduce(0) { max($0, abs($1.0 - $1.1)) }
            print("peft \(pack.name) \(adapter?.rawValue ?? "base"): \(logits.count) logits, largest difference \(error)")
            #expect(logits.count == expected.count && error < 2e-4)
        }
        #expect(zip(answer.base, answer.adapted).contains { abs($0 - $1) > 0.1 })
        #expect(answer.trainables.count == 4)
        for request in recorder.requests {
            let tensor = try #require(answer.trainables[request.name])
            #expect(tensor.shape == request.shape)
            #expect(tensor.sum == 0.25 * Double(request.shape.reduce(1, *)))
        }
    }
}
