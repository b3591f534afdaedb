import LyraModel
import MLX
struct CrossModality { init(_ s: RegulariserSettings) {}; func callAsFunction(speech: MLXArray, text: MLXArray) -> MLXArray { MLXArray(Float(0)) } }
struct SpeechGeneratorLoss { var compatible = false; func callAsFunction(_ g: SpeechGenerator, _ h: MLXArray, units: [Int32]) -> MLXArray { MLXArray(Float(0)) } }
