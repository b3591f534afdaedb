// The latent cross-modality regulariser (LYRA.md section 2): speech tokens are drawn to the embeddings of their transcript.
import LyraModel
import MLX

/// How far speech tokens are from the embeddings of what is said, in order.
///
/// With dist(l, s) = -log softmax over s of (speech[l] · text[s] / temperature) (eq. 1), the loss of a recording of L speech
/// tokens is D[L, S] / L, where D = dist + softmin of the three cells before (eq. 2). The paper divides by L + S, the
/// authors' release by L; this follows the release.
public struct CrossModality: Sendable, Equatable {
    /// How speech tokens find their text tokens.
    public enum Alignment: Sendable, Equatable {
        /// Soft dynamic time warping over all of them; gamma, above 0, is the smoothness of its minimum.
        case softDTW(gamma: Float)
        /// One to one at the end: cross-entropy of the last S speech tokens with the S text tokens, averaged. With fewer
        /// than S speech tokens, these meet the last text tokens.
        case truncated
    }

    public var alignment = Alignment.softDTW(gamma: 0.1)
    /// τ, what products are divided by.
    public var temperature: Float = 0.06
    /// Whether gradients flow into the text's embeddings too.
    public var trainsText = false
    /// Whether tokens are brought to unit length first.
    public var normalizes = false

    public init(
        alignment: Alignment = .softDTW(gamma: 0.1), temperature: Float = 0.06, trainsText: Bool = false,
        normalizes: Bool = false
    ) {
        (self.alignment, self.temperature) = (alignment, temperature)
        (self.trainsText, self.normalizes) = (trainsText, normalizes)
    }

    /// The transcript as the loss takes it: nil where there is nothing to align with. The original also takes one that
    /// consists of token 0 ("!") only for none; so does this where `compatible`.
    public static func transcript(_ ids: [Int32]?, compatible: Bool) -> [Int32]? {
        guard let ids, !ids.isEmpty, !compatible || ids.contains(where: { $0 != 0 }) else { return nil }
        return ids
    }

    /// The loss of one recording.
    ///
    /// - Parameters:
    ///   - speech: `[L, hidden]`, what the projector makes of it. L at least 1.
    ///   - text: `[S, hidden]`, embeddings of the transcript. S at least 1.
    /// - Returns: a scalar in `float32`.
    public func callAsFunction(speech: MLXArray, text: MLXArray) -> MLXArray {
        let distances = distances(speech, trainsText ? text : stopGradient(text))
        let (frames, tokens) = distances.shape2
        switch alignment {
        case .softDTW(let gamma):
            return Kernel.softDTW(distances, gamma: gamma) / Float(frames)
        case .truncated:
            let pairs = min(frames, tokens)
            let last = distances[(frames - pairs)...]  // [pairs, S]
            let partner = MLXArray((0..<Int32(pairs)).map { Int32(tokens - pairs) + $0 }, [pairs, 1])
            return takeAlong(last, partner, axis: 1).mean()
        }
    }

    /// The mean over the recordings that have a transcript; 0 where none has.
    public func callAsFunction(speech: [MLXArray], text: [MLXArray?]) -> MLXArray {
        let losses = zip(speech, text).compactMap { speech, text in text.map { self(speech: speech, text: $0) } }
        return losses.isEmpty ? MLXArray(Float(0)) : stacked(losses, axis: 0).mean()
    }

    /// dist: [L, S] float32.
    func distances(_ speech: MLXArray, _ text: MLXArray) -> MLXArray {
        let rows = [speech, text].map { x in
            let wide = x.asType(.float32)
            guard normalizes else { return wide }
            return wide * rsqrt(maximum((wide * wide).sum(axis: -1, keepDims: true), 1e-24))
        }
        let scores = Kernel.matmul(rows[0], rows[1], transposeB: true) / temperature
        return logSumExp(scores, axis: -1, keepDims: true) - scores
    }
}
