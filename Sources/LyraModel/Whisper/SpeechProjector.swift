// From encoder frames to tokens of the language model: 5 frames stacked, Linear, ReLU, Linear.
import MLX

/// Encoder frames -> speech tokens (LYRA.md section 1). The adapters bring projectors of their own.
public struct SpeechProjector {
    static let name = "model.mm_speech_projector"
    /// Frames stacked into one token.
    let stack: Int
    let linear1, linear2: Linear

    /// `prefix` stands before "model.mm_speech_projector".
    package init(_ parameters: Parameters, _ configuration: LyraConfiguration, prefix: String = "") {
        stack = configuration.speechStack
        linear1 = Linear(
            parameters, "\(prefix)\(Self.name).linear1", in: stack * configuration.speechHiddenSize,
            out: configuration.projectorWidth, bias: true)
        linear2 = Linear(
            parameters, "\(prefix)\(Self.name).linear2", in: configuration.projectorWidth,
            out: configuration.hiddenSize, bias: true)
    }

    /// frames: [windows, frames, width] -> [windows, frames / stack, hidden] float32; left-over frames are dropped.
    public func callAsFunction(_ frames: MLXArray) -> MLXArray {
        let (windows, count, width) = (frames.dim(0), frames.dim(1) / stack, frames.dim(2))
        let whole = frames.dim(1) == count * stack ? frames : frames[0..., ..<(count * stack)]
        let stacked = whole.reshaped([windows, count, width * stack])
        return linear2(linear1(stacked, activation: .relu), outputType: .float32)
    }
}
