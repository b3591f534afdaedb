// Where an answer looked, against the definition written out: one softmax after the other.
@testable import LyraModel
import Foundation
import MLX
import Testing

@Suite struct AnswerAttentionTests {
    private func decoder() throws -> Decoder {
        let folder = OraclePack.available.first { $0.name == "pack_c" } ?? OraclePack.available[0]
        let (location, configuration) = try ModelLocation.resolve(OraclePack(folder.name, folder: folder.folder).path("MODEL"))
        return try LyraModel(location, configuration, precision: .f32).decoder
    }

    private func input(_ decoder: Decoder, _ ids: [Int32], from start: Int32) -> Decoder.Input {
        var positions = Positions(startingAt: start)
        positions.appendRun(ids.count)
        return Decoder.Input(embeddings: decoder.embed(ids), positions: positions, isContext: ids.map { _ in false })
    }

    @Test(arguments: [1, 5]) func agreesWithTheDefinition(count: Int) throws {
        let decoder = try decoder(), configuration = decoder.configuration
        let context = (0..<40).map { Int32(($0 * 37 + 11) % 200) }, text = (0..<count).map { Int32(30 + 7 * $0) }
        var state = decoder.newState()
        let answer = input(decoder, text, from: 40)
        _ = try decoder(input(decoder, context, from: 0), state: &state)
        let found = decoder.attention(of: answer, state: &state)
        #expect(state.tokens == 40 + count && state.nextPosition == Int32(40 + count) && state.lengths == Array(repeating: 40 + count, count: configuration.layers))

        var again = decoder.newState()
        _ = try decoder(input(decoder, context, from: 0), state: &again)
        var x = answer.embeddings.expandedDimensions(axis: 0)
        let rotation = decoder.rotary(answer.positions), heads = configuration.queryHeads, width = configuration.headDimension
        for (number, layer) in decoder.layers.enumerated() {
            let queries = layer.queries(x, rotation, adapter: nil).asArray(Float.self)
            x = layer(x, rotation, cache: &again.caches[number])
            let keys = try #require(again.caches[number].keys).asArray(Float.self)
            var most = [Double](repeating: 0, count: 40)
            for token in 0..<count {
                for head in 0..<heads {
                    let keyHead = head * configuration.keyValueHeads / heads
                    let weights = (0...(40 + token)).map { row in
                        exp((0..<width).reduce(0.0) { sum, i in
                            let q = queries[(token * heads + head) * width + i], k = keys[(row * configuration.keyValueHeads + keyHead) * width + i]
                            return sum + Double(q) * Double(k)
                        } / Double(width).squareRoot())
                    }
                    let sum = weights.reduce(0, +)
                    for row in 0..<40 { most[row] = max(most[row], weights[row] / sum) }
                }
            }
            #expect(found[number].count == 40 && zip(found[number], most).allSatisfy { abs(Double($0) - $1) < 1e-5 })
        }
    }
}
