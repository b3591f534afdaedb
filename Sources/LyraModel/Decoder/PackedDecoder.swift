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
    /// Tokens, of all, at which turns begin that see what stands before their sequence's first turn, and themselves. Not
    /// together with the extractor.
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
        var lengths = input.lengths
        var positions = input.positions
        var rotation = rotary(positions)
        let boundaries = Set(extractor?.boundaries(layers: layers.count) ?? [])
        for index in layers.indices {
            let before = x, turned = rotation
            var rows: MLXArray?
            if let wanted, index == layers.count - 1 {
                let chosen = tokens.indices.filter { wanted.contains(tokens[$0]) }
                tokens = chosen.map { tokens[$0] }
                rows = MLXArray(chosen.map(Int32.init), [chosen.count])
            }
            let segments = lengths.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1) }
            x = runLayer(index, x) { layer, x in
                layer(x, turned, adapter: adapter, rows: rows) { q, k, v in
                    Kernel.attention(q, k, v, scale: layer.scale, causal: true, segments: segments, turns: input.turns)
                }
            }
            guard let extractor, boundaries.contains(index + 1) else { continue }
            let kept = survivors(
                of: index, stopGradient(before), rotation, tokens: tokens, lengths: lengths, input, extractor, adapter)
            guard kept.rows.count < tokens.count else { continue }
            x = x[0][MLXArray(kept.rows, [kept.rows.count])].expandedDimensions(axis: 0)
            tokens = kept.rows.map { tokens[Int($0)] }
            lengths = kept.lengths
            positions = positions.selecting(kept.rows)
            rotation = rotary(positions)
        }
        return (x[0], tokens)
    }

    /// Which rows go on after layer `index`, whose input was `x`.
    private func survivors(
        of index: Int, _ x: MLXArray, _ rotation: (cosine: MLXArray, sine: MLXArray), tokens: [Int32], lengths: [Int],
        _ input: PackedSequences, _ options: ExtractorOptions, _ adapter: Adapter?
    ) -> (rows: [Int32], lengths: [Int]) {
        let layer = layers[index]
        let queries = layer.queries(x, rotation, adapter: adapter)[0]  // [rows, heads, headDim]
        let keys = layer.keys(x, rotation, adapter: adapter)[0]
        var rows: [Int32] = [], kept: [Int] = [], start = 0
        for length in lengths {
            let range = Int32(start)..<Int32(start + length)
            let context = range.filter { input.isContext[Int(tokens[Int($0)])] }
            let asking = range.filter { input.isQuery[Int(tokens[Int($0)])] }
            let count = options.kept(of: context.count)
            var chosen = Set(context)
            if count < context.count, !asking.isEmpty {
                let scores = Kernel.attentionScores(
                    queries[MLXArray(asking, [asking.count])], keys[start..<(start + length)], scale: layer.scale
                ).asArray(Float.self)
                chosen = Set(Extraction.top(context.map { scores[Int($0) - start] }, count: count).map { context[$0] })
            }
            let survivors = range.filter { !input.isContext[Int(tokens[Int($0)])] || chosen.contains($0) }
            rows += survivors
            kept.append(survivors.count)
            start += length
        }
        return (rows, kept)
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
