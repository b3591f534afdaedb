// Whisper's encoder (Hugging Face layout): two convolutions, sinusoidal positions, pre-norm transformer layers.
import MLX

/// Log-mel windows -> hidden frames.
public struct WhisperEncoder {
    public let configuration: WhisperConfiguration
    let convolution1, convolution2: (weight: MLXArray, bias: MLXArray)
    /// [positions, width], float32
    let positions: MLXArray
    let layers: [Layer]
    let norm: LayerNorm
    private let computeType: DType

    /// `prefix` is what stands before "conv1": "model.encoder." in a full Whisper checkpoint.
    public init(_ parameters: Parameters, _ configuration: WhisperConfiguration, prefix: String) {
        self.configuration = configuration
        let width = configuration.width
        convolution1 = (
            parameters.matrix("\(prefix)conv1.weight", [width, configuration.melBins, 3]),
            parameters.vector("\(prefix)conv1.bias", [width])
        )
        convolution2 = (
            parameters.matrix("\(prefix)conv2.weight", [width, width, 3]), parameters.vector("\(prefix)conv2.bias", [width])
        )
        positions = parameters.exact("\(prefix)embed_positions.weight", [configuration.positions, width])
        layers = (0..<configuration.layers).map { Layer(parameters, configuration, "\(prefix)layers.\($0)") }
        norm = LayerNorm(parameters, "\(prefix)layer_norm", width, epsilon: 1e-5)
        computeType = parameters.computeType
    }

    /// The prefix under which a checkpoint keeps the encoder.
    public static func prefix(in source: any TensorSource) -> String {
        ["model.encoder.", "encoder."].first { source.describe($0 + "conv1.weight") != nil } ?? ""
    }

    /// mel: [windows, bins, frames] -> [windows, frames / 2, width], in the compute type.
    public func callAsFunction(_ mel: MLXArray) -> MLXArray {
        norm(states(mel))
    }

    /// The same before the final norm, float32; `inspect` sees every stage.
    package func states(_ mel: MLXArray, inspect: (String, MLXArray) -> Void = { _, _ in }) -> MLXArray {
        let frames = Kernel.convert(mel.transposed(0, 2, 1), to: computeType)  // [windows, frames, bins]
        var x = Kernel.conv1d(
            frames, weight: convolution1.weight, bias: convolution1.bias, stride: 1, padding: 1, dilation: 1, activation: .gelu)
        x = Kernel.conv1d(
            x, weight: convolution2.weight, bias: convolution2.bias, stride: 2, padding: 1, dilation: 1, activation: .gelu)
        inspect("convolutions", x)
        // Whisper always sees whole windows; a shorter run of frames takes the first positions.
        var hidden = x.asType(.float32) + positions[..<x.dim(1)]
        inspect("embedded", hidden)
        for (i, layer) in layers.enumerated() {
            hidden = layer(hidden)
            inspect("layer.\(i)", hidden)
        }
        return hidden
    }

    struct Layer {
        let heads: Int
        let query, key, value, output: Linear
        let attentionNorm, finalNorm: LayerNorm
        let expand, contract: Linear

        init(_ parameters: Parameters, _ configuration: WhisperConfiguration, _ name: String) {
            let width = configuration.width
            heads = configuration.heads
            query = Linear(parameters, "\(name).self_attn.q_proj", in: width, out: width, bias: true)
            key = Linear(parameters, "\(name).self_attn.k_proj", in: width, out: width, bias: false)
            value = Linear(parameters, "\(name).self_attn.v_proj", in: width, out: width, bias: true)
            output = Linear(parameters, "\(name).self_attn.out_proj", in: width, out: width, bias: true)
            attentionNorm = LayerNorm(parameters, "\(name).self_attn_layer_norm", width, epsilon: 1e-5)
            finalNorm = LayerNorm(parameters, "\(name).final_layer_norm", width, epsilon: 1e-5)
            expand = Linear(parameters, "\(name).fc1", in: width, out: configuration.intermediateSize, bias: true)
            contract = Linear(parameters, "\(name).fc2", in: configuration.intermediateSize, out: width, bias: true)
        }

        /// x: [windows, frames, width] float32, the residual stream.
        func callAsFunction(_ x: MLXArray) -> MLXArray {
            let (windows, frames, width) = (x.dim(0), x.dim(1), x.dim(2))
            let normed = attentionNorm(x)
            func split(_ a: MLXArray) -> MLXArray { a.reshaped([windows, frames, heads, width / heads]) }
            let maps = [query, key, value](normed, adapter: nil).map(split)
            let attended = Kernel.attention(
                maps[0], maps[1], maps[2], scale: 1 / Float(width / heads).squareRoot(), causal: false,
                int8: query.usesInt8)
            let h = output(attended.reshaped([windows, frames, width]), residual: x, outputType: .float32)
            return contract(expand(finalNorm(h), activation: .gelu), residual: h, outputType: .float32)
        }
    }
}
