// Speech tokens that spell their transcript among all tokens of the vocabulary.
import LyraModel
import MLX

/// Draws speech tokens to the language model's words, as the cross-modality regulariser does, but among the whole vocabulary instead of the
/// transcript's own tokens: connectionist temporal classification with their products with the embedding table, by the temperature, as
/// logits. Not the paper's.
public struct VocabularySpelling: Sendable, Equatable {
    /// A token of no transcript, for where nothing new is said.
    public var blank: Int32
    /// τ, what products are divided by.
    public var temperature: Float
    /// Whether gradients flow into the table too.
    public var trainsText: Bool

    public init(blank: Int32, temperature: Float = 0.2, trainsText: Bool = false) {
        (self.blank, self.temperature, self.trainsText) = (blank, temperature, trainsText)
    }

    /// The sum over recordings of minus the log probability of the transcript, each divided by its length. One that is too long for its
    /// recording contributes nothing.
    ///
    /// - Parameters:
    ///   - speech: `[L, hidden]` of each recording, what the projector makes of it.
    ///   - transcripts: ids of each, at least one.
    ///   - table: `[vocabulary, hidden]`
    /// - Returns: a scalar in `float32`.
    public func callAsFunction(speech: [MLXArray], transcripts: [[Int32]], table: MLXArray) -> MLXArray {
        guard !speech.isEmpty else { return MLXArray(Float(0)) }
        let tokens = concatenated(speech, axis: 0).asType(.float32), words = trainsText ? table : stopGradient(table)
        let losses = Kernel.ctcLoss(
            logits: Kernel.matmul(tokens, words.asType(.float32), transposeB: true) / temperature,
            segments: speech.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.dim(0)) }, targets: transcripts,
            blank: Int(blank), zeroInfinity: true)
        return (losses / MLXArray(transcripts.map { Float($0.count) }, [transcripts.count])).sum()
    }
}
