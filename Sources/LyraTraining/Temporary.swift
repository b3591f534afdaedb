import LyraModel
import MLX
struct CrossModality { func callAsFunction(speech: MLXArray, text: MLXArray) -> MLXArray { MLXArray(Float(0)) } }
struct SpeechGeneratorLoss { func callAsFunction(_ g: SpeechGenerator, _ h: MLXArray, units: [Int32]) -> MLXArray { MLXArray(Float(0)) } }
