// Heads that random decoders to be trained begin with.
import Foundation
@testable import LyraModel
import MLX
import Testing

@Suite struct InductionHeadsTests {
    /// In rows of random tokens that end with one they had before: how many of the vocabulary the model finds less probable than
    /// what followed then, on average; 0.5 by chance.
    private func rank(_ system: SystemConfiguration) throws -> Double {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("heads-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let model = try RandomCheckpoint.write(system, seed: 3, to: folder, dtype: .float32)
        let decoder = Decoder(Parameters(try WeightFiles.open(model), computeType: .float32), system.language)
        var random = SplitMix64(state: 5), total = 0.0
        let rows = 40, length = 24
        for _ in 0..<rows {
            var tokens: [Int32] = []
            while tokens.count < length {
                let token = Int32(random.next() % UInt64(system.language.vocabularySize))
                if !tokens.contains(token) { tokens.append(token) }
            }
            let place = Int(random.next() % UInt64(length - 4))
            tokens.append(tokens[place])
            var state = decoder.newState(), positions = Positions()
            positions.appendRun(tokens.count)
            let input = Decoder.Input(
                embeddings: decoder.embed(tokens), positions: positions, isContext: tokens.map { _ in false })
            let hidden = try decoder(input, state: &state).hidden
            let logits = decoder.logits(hidden).asArray(Float.self)
            let follower = logits[Int(tokens[place + 1])]
            total += Double(logits.count { $0 < follower }) / Double(logits.count)
        }
        return total / Double(rows)
    }

    @Test func whatFollowedBeforeIsExpected() throws {
        let nano = Preset.nano.configurations
        var plain = nano
        plain.hasInductionHeads = false
        let (with, without) = (try rank(nano), try rank(plain))
        #expect(with > 0.9 && (0.3...0.7).contains(without), "\(with), \(without)")
    }

    @Test func decodersWithTooFewHeadsHaveNone() {
        func has(_ change: (inout LyraConfiguration) -> Void) -> Bool {
            var language = Preset.nano.configurations.language
            change(&language)
            return InductionHeads(language, seed: 1) != nil
        }
        #expect(has { _ in } && !has { $0.keyValueHeads = 1 } && !has { $0.queryHeads = 2 } && !has { $0.layers = 2 })
    }
}
