import LyraModel
import MLX
struct CrossModality {
    enum Alignment { case softDTW(gamma: Float), truncated }
    var alignment = Alignment.softDTW(gamma: 0.1), temperature: Float = 0.06, trainsText = false
    func callAsFunction(speech: MLXArray, text: MLXArray) -> MLXArray { MLXArray(Float(0)) }
}
struct SpeechGeneratorLoss { var compatible = false; func callAsFunction(_ g: SpeechGenerator, _ h: MLXArray, units: [Int32]) -> MLXArray { MLXArray(Float(0)) } }
