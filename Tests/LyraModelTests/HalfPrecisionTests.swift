// How far bfloat16 is from the original's float32, stated as numbers: the weights of these packs are random, so logits lie
// close together and a small error flips a token more easily than it would with a trained model.
import Foundation
@testable import LyraModel
import MLX
import Testing

@Suite(.serialized) struct HalfPrecisionTests {
    @Test(arguments: OraclePack.available.map(\.name)) func bfloat16AgainstFloat32(pack name: String) throws {
        let found = try #require(OraclePack.available.first { $0.name == name })
        let run = try OracleRun(try OraclePack(found.name, folder: found.folder), precision: .bf16)
        try run.audio()
        try run.images()
        try run.video()
        var steps = 0, agreeing = 0, worst: Float = 0, total = 0.0, scale = 0.0, count = 0
        for (_, entry) in run.json["cases"].object {
            for (setting, expected) in entry["runs"].object {
                let result = try run.forced(entry, setting: setting, ids: expected["greedy_ids"].ids)
                steps += result.count
                agreeing += zip(result, expected["greedy_ids"].ids).count { $0.best == $1 }
                let reference = try run.pack.tensors.array(named: expected["prefill_logits"]["key"].string ?? "").asArray(Float.self)
                for (a, b) in zip(result.first?.logits ?? [], reference) {
                    worst = max(worst, abs(a - b))
                    total += Double(abs(a - b))
                    scale += Double(abs(b))
                    count += 1
                }
            }
        }
        let agreement = Double(agreeing) / Double(max(1, steps))
        print(
            """
            bf16 against the original's f32, \(name): the same next token at \(agreeing) of \(steps) steps \
            (\(String(format: "%.1f", 100 * agreement)) %), logits off by \(String(format: "%.4f", total / Double(max(1, count)))) \
            on average and \(worst) at most, where they measure \(String(format: "%.3f", scale / Double(max(1, count)))) on average
            """)
        #expect(total < 0.05 * scale)
        #expect(agreement > 0.8)
    }
}

extension OracleRun {
    /// Best token and logits at every step when the expected tokens are fed back.
    func forced(_ entry: JSON, setting: String, ids: [Int32]) throws -> [(best: Int32, logits: [Float])] {
        var state = model.decoder.newState()
        let (input, _) = try model.decoder.assemble(entry["input_ids"].ids, media: media(entry, setting: setting), after: state)
        var hidden = try model.decoder(input, state: &state, adapter: adapter(setting)).hidden
        var result: [(Int32, [Float])] = []
        for id in ids {
            let logits = model.decoder.logits(hidden).asArray(Float.self)
            result.append((Sampler.argMax(logits), logits))
            var positions = Positions(startingAt: state.nextPosition)
            positions.appendRun(1)
            let next = Decoder.Input(embeddings: model.decoder.embed([id]), positions: positions, isContext: [false])
            hidden = try model.decoder(next, state: &state, adapter: adapter(setting)).hidden
        }
        return result
    }
}
