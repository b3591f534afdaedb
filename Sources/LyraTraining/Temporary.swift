import LyraModel
import MLX
struct CrossModality { func callAsFunction(speech: MLXArray, text: MLXArray) -> MLXArray { MLXArray(Float(0)) } }
struct SpeechGeneratorLoss { func callAsFunction(_ g: SpeechGenerator, _ h: MLXArray, units: [Int32]) -> MLXArray { MLXArray(Float(0)) } }
extension Kernel {
    static func crossEntropy(_ logits: MLXArray, targets: MLXArray) -> MLXArray {
        logSumExp(logits, axis: -1) - takeAlong(logits, targets.expandedDimensions(axis: -1), axis: -1).squeezed(axis: -1)
    }
}
