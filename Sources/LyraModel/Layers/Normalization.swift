// Layer normalisations. Statistics are taken in float32; the result has the type products are computed in.
import MLX

/// x / sqrt(mean(x²) + ε) · w
public struct RMSNorm {
    let weight: MLXArray
    let epsilon: Float
    let outputType: DType

    init(_ parameters: Parameters, _ name: String, _ width: Int, epsilon: Float) {
        weight = parameters.vector("\(name).weight", [width])
        self.epsilon = epsilon
        outputType = parameters.computeType
    }

    public func callAsFunction(_ x: MLXArray, outputType: DType? = nil) -> MLXArray {
        Kernel.rmsNorm(x, weight: weight, eps: epsilon, outputType: outputType ?? self.outputType)
    }
}

/// (x - mean) / sqrt(variance + ε) · w + b
public struct LayerNorm {
    let weight: MLXArray
    let bias: MLXArray
    let epsilon: Float
    let outputType: DType

    init(_ parameters: Parameters, _ name: String, _ width: Int, epsilon: Float) {
        weight = parameters.vector("\(name).weight", [width])
        bias = parameters.vector("\(name).bias", [width])
        self.epsilon = epsilon
        outputType = parameters.computeType
    }

    public func callAsFunction(_ x: MLXArray, outputType: DType? = nil) -> MLXArray {
        Kernel.layerNorm(x, weight: weight, bias: bias, eps: epsilon, outputType: outputType ?? self.outputType)
    }
}
