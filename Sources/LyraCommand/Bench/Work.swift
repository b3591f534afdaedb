// How much there is to compute and to read, counted from the configurations.
//
// A multiplication and an addition count as two operations (FLOPs); norms, activations, softmax and biases are left out,
// as is usual. n tokens or frames, d width, f feed-forward width.
import LyraModel

enum Work {
    /// A transformer layer with full attention and a plain feed-forward: 4 products d x d, scores and their use over n x n,
    /// and 2 products d x f.
    ///
    ///     8 n d² + 4 n² d + 4 n d f
    static func encoderLayer(n: Double, d: Double, f: Double) -> Double { 8 * n * d * d + 4 * n * n * d + 4 * n * d * f }

    /// Whisper's encoder on one window, with both convolutions.
    private static func speechEncoder(_ w: WhisperConfiguration) -> Double {
        let n = Double(w.positions), d = Double(w.width), f = Double(w.intermediateSize)
        let convolutions = 2 * 3 * Double(w.melBins) * d * 2 * n + 2 * 3 * d * d * n
        return convolutions + Double(w.layers) * encoderLayer(n: n, d: d, f: f)
    }

    /// The same with the projector.
    static func speechWindow(_ w: WhisperConfiguration, _ c: LyraConfiguration) -> Double {
        let stack = Double(c.speechStack), inner = Double(c.projectorWidth)
        let tokens = (Double(w.positions) / stack).rounded(.down)
        return speechEncoder(w) + 2 * tokens * inner * (stack * Double(w.width) + Double(c.hiddenSize))
    }

    /// The vision tower on a grid of patches: attention reaches over one frame pair.
    static func vision(_ v: VisionConfiguration, _ grid: PatchGrid) -> Double {
        let frames = Double(grid.time), n = Double(grid.height * grid.width), d = Double(v.width)
        let merge = Double(v.mergeSize * v.mergeSize), merged = merge * d
        let patches = 2 * n * Double(v.patchValues) * d
        let merger = 2 * (n / merge) * merged * (merged + Double(v.outputSize))
        return frames * (patches + Double(v.depth) * encoderLayer(n: n, d: d, f: Double(v.intermediateSize)) + merger)
    }

    /// The language model on n new tokens after an empty cache; causal attention counts half of n². Logits of one token.
    ///
    ///     layers (4 n d² + 4 n d k + 2 n² d + 6 n d f) + 2 d v, with k the width of keys and v the vocabulary
    static func prefill(_ c: LyraConfiguration, tokens: Int) -> Double {
        products(c, tokens: tokens) + attention(c, tokens: tokens) + head(c)
    }

    private static func products(_ c: LyraConfiguration, tokens: Int) -> Double {
        let n = Double(tokens), d = Double(c.hiddenSize), f = Double(c.intermediateSize)
        let k = Double(c.keyValueHeads * c.headDimension)
        return Double(c.layers) * (4 * n * d * d + 4 * n * d * k + 6 * n * d * f)
    }

    private static func attention(_ c: LyraConfiguration, tokens: Int) -> Double {
        2 * Double(c.layers) * Double(tokens) * Double(tokens) * Double(c.hiddenSize)
    }

    /// Logits of one token.
    private static func head(_ c: LyraConfiguration) -> Double { 2 * Double(c.hiddenSize) * Double(c.vocabularySize) }

    /// A low-rank adapter of every map of the layers.
    private static func adapter(_ c: LyraConfiguration, rank: Int, tokens: Int) -> Double {
        let d = Double(c.hiddenSize), f = Double(c.intermediateSize), k = Double(c.keyValueHeads * c.headDimension)
        return 2 * Double(tokens * rank * c.layers) * (9 * d + 2 * k + 3 * f)
    }

    /// Patches of a picture as training is measured with.
    static func patches(_ v: VisionConfiguration) -> PatchGrid {
        PatchGrid(time: 1, height: TrainCase.side / v.patchSize, width: TrainCase.side / v.patchSize)
    }

    /// A sample forward and backward. Backward, a product costs one for its input's gradient, and one more for its weight's
    /// where that trains. Encoders that are frozen have been computed before; the last layer goes on with supervised tokens alone.
    static func trainingSample(_ t: TrainCase) -> Double {
        let c = t.system.language, w = t.system.whisper, v = t.system.vision, grid = patches(v)
        let merged = grid.count / (v.mergeSize * v.mergeSize)
        let tokens = merged + w.positions / c.speechStack + TrainCase.text
        let answer = Double(TrainCase.targets) * head(c)
        let d = Double(c.hiddenSize), f = Double(c.intermediateSize), left = Double(tokens - TrainCase.targets)
        let products = products(c, tokens: tokens) - left * (2 * d * d + 6 * d * f)
        guard t.trainsEverything else {
            let projector = speechWindow(w, c) - speechEncoder(w)
            let rank = t.system.loraRank, adapter = adapter(c, rank: rank, tokens: tokens) - 2 * left * Double(rank) * (5 * d + 3 * f)
            return 2 * (products + answer) + 3 * (attention(c, tokens: tokens) + projector + adapter)
        }
        // What sound and picture enter by needs no gradient of its input.
        let entries = 2 * Double(grid.count * v.patchValues * v.width) + 2 * 3 * Double(w.melBins * w.width * 2 * w.positions)
        return 3 * (products + attention(c, tokens: tokens) + answer + speechWindow(w, c) + vision(v, grid)) - entries
    }
}
