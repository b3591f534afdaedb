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

    /// Whisper's encoder on one window, with both convolutions and the projector.
    static func speechWindow(_ w: WhisperConfiguration, _ c: LyraConfiguration) -> Double {
        let n = Double(w.positions), d = Double(w.width), f = Double(w.intermediateSize)
        let convolutions = 2 * 3 * Double(w.melBins) * d * 2 * n + 2 * 3 * d * d * n
        let stack = Double(c.speechStack), inner = Double(c.projectorInnerSize), tokens = (n / stack).rounded(.down)
        let projector = 2 * tokens * inner * (stack * d + Double(c.hiddenSize))
        return convolutions + Double(w.layers) * encoderLayer(n: n, d: d, f: f) + projector
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
        let n = Double(tokens), d = Double(c.hiddenSize), f = Double(c.intermediateSize)
        let k = Double(c.keyValueHeads * c.headDimension)
        let layer = 4 * n * d * d + 4 * n * d * k + 2 * n * n * d + 6 * n * d * f
        return Double(c.layers) * layer + 2 * d * Double(c.vocabularySize)
    }
}
