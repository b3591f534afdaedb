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
    /// What the answer of each turn rests on, in their order (one for a sequence without turns), where the extractor is to be taught;
    /// empty: it is not.
    package var evidence: [Evidence?]

    /// Tokens of a recording, and those among them that tell what is asked.
    package struct Evidence {
        package var recording: Range<Int32>
        package var stated: [Int32]

        package init(recording: Range<Int32>, stated: [Int32]) { (self.recording, self.stated) = (recording, stated) }
    }

    package init(
        embeddings: MLXArray, positions: Positions, lengths: [Int], turns: [Int] = [], isContext: [Bool], isQuery: [Bool],
        evidence: [Evidence?] = []
    ) {
        (self.embeddings, self.positions, self.lengths) = (embeddings, positions, lengths)
        (self.turns, self.isContext, self.isQuery, self.evidence) = (turns, isContext, isQuery, evidence)
    }
}

/// What ``Decoder`` makes of packed sequences.
package struct PackedStates {
    /// Before the last norm, [rows, hidden] float32.
    package var states: MLXArray
    /// Which token each row is.
    package var tokens: [Int32]
    /// What the extractor's attention costs, summed over turns whose evidence is known, the mean of all extractions; nil where there
    /// was none. See ``Decoder/evidenceLoss``.
    package var evidence: MLXArray?
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
    /// - Returns: the states of all that are wanted, but for context that the extractor dropped; gradients flow through the survivors,
    ///   not through the choice.
    package func callAsFunction(
        _ input: PackedSequences, adapter: Adapter?, extractor: ExtractorOptions? = nil, wanted: Set<Int32>? = nil,
        layer runLayer: LayerRunner
    ) -> PackedStates {
        var x = input.embeddings.expandedDimensions(axis: 0)
        var tokens = (0..<Int32(input.positions.count)).map { $0 }
        var (lengths, turns, positions) = (input.lengths, input.turns, input.positions)
        var rotation = rotary(positions)
        let boundaries = Set(extractor?.boundaries(layers: layers.count) ?? [])
        var evidence: MLXArray?
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
            let questions = Self.questions(lengths: lengths, turns: turns)
            // Each [rows, heads, headDim].
            let queries = layers[index].queries(before, turned, adapter: adapter)[0], keys = layers[index].keys(before, turned, adapter: adapter)[0]
            if let cost = evidenceLoss(queries, keys, scale: layers[index].scale, questions.flatMap(\.self), tokens, input) {
                let share = cost / Float(boundaries.count)
                evidence = evidence.map { $0 + share } ?? share
            }
            let kept = survivors(stopGradient(queries), stopGradient(keys), scale: layers[index].scale, questions, tokens, turns: turns, input, extractor)
            guard kept.rows.count != tokens.count || kept.lengths.count != lengths.count else { continue }
            x = x[0][MLXArray(kept.rows, [kept.rows.count])].expandedDimensions(axis: 0)
            tokens = kept.rows.map { tokens[Int($0)] }
            (lengths, turns) = (kept.lengths, kept.turns)
            positions = positions.selecting(kept.rows)
            rotation = rotary(positions)
        }
        return PackedStates(states: x[0], tokens: tokens, evidence: evidence)
    }

    /// For every sequence, the rows that each of its turns sees; one list where there are no turns.
    private static func questions(lengths: [Int], turns: [Int]) -> [[[Int32]]] {
        var start = 0, following = turns[...]
        return lengths.map { length in
            let end = start + length, own = following.prefix { $0 < end }
            defer { (start, following) = (end, following.dropFirst(own.count)) }
            let shared = Int32(start)..<Int32(own.first ?? end)
            guard !own.isEmpty else { return [Array(shared)] }
            return zip(own, own.dropFirst() + [end]).map { Array(shared) + Array(Int32($0)..<Int32($1)) }
        }
    }

    /// Which rows go on. Turns that drop something choose each for itself, so they become sequences of their own, each with what it
    /// keeps of what all of them see: up to here that was computed once.
    private func survivors(
        _ queries: MLXArray, _ keys: MLXArray, scale: Float, _ questions: [[[Int32]]], _ tokens: [Int32], turns: [Int],
        _ input: PackedSequences, _ options: ExtractorOptions
    ) -> (rows: [Int32], lengths: [Int], turns: [Int]) {
        /// What goes on of the rows that a question sees; nil: all.
        func survivors(_ seen: [Int32]) -> [Int32]? {
            let context = seen.indices.filter { input.isContext[Int(tokens[Int(seen[$0])])] }
            let asking = seen.filter { input.isQuery[Int(tokens[Int($0)])] }
            let count = options.kept(of: context.count)
            guard count < context.count, !asking.isEmpty else { return nil }
            let scores = Kernel.attentionScores(
                queries[MLXArray(asking, [asking.count])], keys[MLXArray(seen, [seen.count])], scale: scale
            ).asArray(Float.self)
            var goesOn = [Bool](repeating: true, count: seen.count)
            for place in context { goesOn[place] = false }
            for place in Extraction.top(context.map { scores[$0] }, count: count) { goesOn[context[place]] = true }
            return zip(seen, goesOn).compactMap { $1 ? $0 : nil }
        }
        var kept: (rows: [Int32], lengths: [Int], turns: [Int]) = ([], [], [])
        var start = 0, following = turns[...]
        for questions in questions {
            let chosen = questions.map(survivors), end = Int((questions.last?.last ?? -1) + 1)
            let own = following.prefix { $0 < end }
            if chosen.allSatisfy({ $0 == nil }) {
                kept.turns += own.map { kept.rows.count + $0 - start }
                kept.rows += Int32(start)..<Int32(end)
                kept.lengths.append(end - start)
            } else {
                for (seen, chosen) in zip(questions, chosen) {
                    kept.rows += chosen ?? seen
                    kept.lengths.append((chosen ?? seen).count)
                }
            }
            (start, following) = (end, following.dropFirst(own.count))
        }
        return kept
    }

    /// How far the attention by which the extractor chooses is from one that is spread evenly over what the answer rests on, and looks
    /// nowhere else in the recording: -1/|F| Σ_{t in F} log(s_t / Σ_{t in recording} s_t), s the scores of equation 4, summed over turns.
    /// nil where no turn's evidence is known.
    private func evidenceLoss(
        _ queries: MLXArray, _ keys: MLXArray, scale: Float, _ questions: [[Int32]], _ tokens: [Int32], _ input: PackedSequences
    ) -> MLXArray? {
        var sum: MLXArray?
        for (seen, evidence) in zip(questions, input.evidence) {
            guard let evidence else { continue }
            let stated = Set(evidence.stated)
            let recording = seen.indices.filter { evidence.recording.contains(tokens[Int(seen[$0])]) }
            let places = recording.filter { stated.contains(tokens[Int(seen[$0])]) }
            let asking = seen.filter { input.isQuery[Int(tokens[Int($0)])] }
            guard !places.isEmpty, !asking.isEmpty else { continue }
            let q = queries[MLXArray(asking, [asking.count])].asType(.float32), k = keys[MLXArray(seen, [seen.count])].asType(.float32)
            let (heads, size) = (k.dim(1), k.dim(2))
            // [keyHeads, queryHeads / keyHeads * asking, seen]
            let weights = softmax(
                matmul(q.transposed(axes: [1, 0, 2]).reshaped([heads, -1, size]), k.transposed(axes: [1, 2, 0])) * scale, axis: -1)
            let all = weights.mean(axes: [0, 1])
            func scores(of places: [Int]) -> MLXArray { all[MLXArray(places.map(Int32.init), [places.count])] }
            let cost = log(scores(of: recording).sum()) - log(scores(of: places) + 1e-12).mean()
            sum = sum.map { $0 + cost } ?? cost
        }
        return sum
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
