// The decoder as training runs it: several sequences end to end without padding or caches, differentiable.
import Foundation
import MLX

/// Sequences laid end to end.
package struct PackedSequences {
    /// [total, hidden] float32
    package var embeddings: MLXArray
    /// Of all tokens; every sequence begins its own count.
    package var positions: Positions
    /// Tokens of each sequence.
    package var lengths: [Int]
    /// Tokens, of all, at which turns begin that see what stands before their sequence's first turn, and themselves.
    package var turns: [Int]
    /// Which tokens are context (image, video, speech).
    package var isContext: [Bool]
    /// Which tokens the extractor asks by: text after the first context token that is not supervised.
    package var isQuery: [Bool]

    package init(embeddings: MLXArray, positions: Positions, lengths: [Int], turns: [Int] = [], isContext: [Bool], isQuery: [Bool]) {
        (self.embeddings, self.positions, self.lengths) = (embeddings, positions, lengths)
        (self.turns, self.isContext, self.isQuery) = (turns, isContext, isQuery)
    }
}

extension Decoder {
    /// Runs one layer: its number, the residual stream [1, rows, hidden], and how to run it. Training recomputes layers
    /// instead of keeping what they computed by wrapping this.
    package typealias LayerRunner = (
        _ index: Int, _ x: MLXArray, _ run: @escaping (DecoderLayer, MLXArray) -> MLXArray
    ) -> MLXArray

    /// All sequences through all layers.
    ///
    /// - Parameter wanted: tokens whose states are asked for; the last layer computes no others. nil: all.
    /// - Returns: states before the last norm, [rows, hidden] float32, and which token each row is. All that are wanted, but
    ///   for context that the extractor dropped; gradients flow through the survivors, not through the choice.
    package func callAsFunction(
        _ input: PackedSequences, adapter: Adapter?, extractor: ExtractorOptions? = nil, wanted: Set<Int32>? = nil,
        layer runLayer: LayerRunner
    ) -> (states: MLXArray, tokens: [Int32]) {
        var x = input.embeddings.expandedDimensions(axis: 0)
        var tokens = (0..<Int32(input.positions.count)).map { $0 }
        var (lengths, turns, positions) = (input.lengths, input.turns, input.positions)
        var rotation = rotary(positions)
        let boundaries = Set(extractor?.boundaries(layers: layers.count) ?? [])
        for index in layers.indices {
            // What the layer sees is bound here: it may run again for its gradients, when these have changed.
            let before = x, turned = rotation, asked = turns
            var rows: MLXArray?
            if let wanted, index == layers.count - 1 {
                let chosen = tokens.indices.filter { wanted.contains(tokens[$0]) }
                tokens = chosen.map { tokens[$0] }
                rows = MLXArray(chosen.map(Int32.init), [chosen.count])
            }
            let segments = lengths.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1) }
            x = runLayer(index, x) { layer, x in
                layer(x, turned, adapter: adapter, rows: rows) { q, k, v in
                    Kernel.attention(q, k, v, scale: layer.scale, causal: true, segments: segments, turns: asked)
                }
            }
            guard let extractor, boundaries.contains(index + 1) else { continue }
            let kept = survivors(
                of: index, stopGradient(before), rotation, tokens: tokens, lengths: lengths, turns: turns, input, extractor, adapter)
            guard kept.rows.count != tokens.count || kept.lengths.count != lengths.count else { continue }
            x = x[0][MLXArray(kept.rows, [kept.rows.count])].expandedDimensions(axis: 0)
            tokens = kept.rows.map { tokens[Int($0)] }
            (lengths, turns) = (kept.lengths, kept.turns)
            positions = positions.selecting(kept.rows)
            rotation = rotary(positions)
        }
        return (x[0], tokens)
    }

    /// Which rows go on after layer `index`, whose input was `x`. Turns that drop something choose each for itself, so they become
    /// sequences of their own, each with what it keeps of what all of them see: up to here that was computed once.
    private func survivors(
        of index: Int, _ x: MLXArray, _ rotation: (cosine: MLXArray, sine: MLXArray), tokens: [Int32], lengths: [Int], turns: [Int],
        _ input: PackedSequences, _ options: ExtractorOptions, _ adapter: Adapter?
    ) -> (rows: [Int32], lengths: [Int], turns: [Int]) {
        let layer = layers[index]
        let queries = layer.queries(x, rotation, adapter: adapter)[0]  // [rows, heads, headDim]
        let keys = layer.keys(x, rotation, adapter: adapter)[0]
        /// What goes on of the rows that a question sees; nil: all.
        func survivors(_ seen: [Int32]) -> [Int32]? {
            let context = seen.indices.filter { input.isContext[Int(tokens[Int(seen[$0])])] }
            let asking = seen.filter { input.isQuery[Int(tokens[Int($0)])] }
            let count = options.kept(of: context.count)
            guard count < context.count, !asking.isEmpty else { return nil }
            let scores = Kernel.attentionScores(
                queries[MLXArray(asking, [asking.count])], keys[MLXArray(seen, [seen.count])], scale: layer.scale
            ).asArray(Float.self)
            var goesOn = [Bool](repeating: true, count: seen.count)
            for place in context { goesOn[place] = false }
            for place in Extraction.top(context.map { scores[$0] }, count: count) { goesOn[context[place]] = true }
            return zip(seen, goesOn).compactMap { $1 ? $0 : nil }
        }
        var kept: (rows: [Int32], lengths: [Int], turns: [Int]) = ([], [], [])
        var start = 0, following = turns[...]
        for length in lengths {
            let end = start + length
            let own = following.prefix { $0 < end }
            following = following.dropFirst(own.count)
            let shared = Int32(start)..<Int32(own.first ?? end)
            let asked = own.isEmpty ? [shared.upperBound..<shared.upperBound] : zip(own, own.dropFirst() + [end]).map { Int32($0)..<Int32($1) }
            let seen = asked.map { Array(shared) + Array($0) }, chosen = seen.map(survivors)
            if chosen.allSatisfy({ $0 == nil }) {
                kept.turns += own.map { kept.rows.count + $0 - start }
                kept.rows += Int32(start)..<Int32(end)
                kept.lengths.append(length)
            } else {
                for (seen, chosen) in zip(seen, chosen) {
                    kept.rows += chosen ?? seen
                    kept.lengths.append((chosen ?? seen).count)
                }
            }
            start = end
        }
        return kept
    }

    /// Runs the layer as it is.
    package func run(layer index: Int, _ x: MLXArray, _ run: (DecoderLayer, MLXArray) -> MLXArray) -> MLXArray {
        run(layers[index], x)
    }

    /// One layer by itself, without adapters.
    package static func layer(_ index: Int, _ parameters: Parameters, _ configuration: LyraConfiguration) -> DecoderLayer {
        DecoderLayer(parameters, "model.layers.\(index)", DecoderLayerShape(configuration))
    }

    /// States -> logits of the rows given, after the last norm.
    package func logits(of states: MLXArray, rows: [Int32]) -> MLXArray {
        logits(norm(states[MLXArray(rows, [rows.count])]))
    }

    /// The last norm, float32.
    package func normed(_ states: MLXArray) -> MLXArray { norm(states, outputType: .float32) }
}
