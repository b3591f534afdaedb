// Unit HiFi-GAN: discrete units -> waveform, with a predictor of how many frames each unit lasts.
import Foundation
import MLX

/// Units -> sound, 16 kHz mono for the release's vocoder. Computed in float32: it is small, and listened to.
public struct Vocoder {
    public let configuration: VocoderConfiguration
    /// [units, embedding]
    let table: MLXArray
    let preConvolution, postConvolution: Convolution
    let upsamplings: [Convolution]
    /// One per upsampling and kernel size.
    let residuals: [ResidualBlock]
    let durationPredictor: DurationPredictor?

    /// A convolution with its weight norm resolved: w = g v / ‖v‖.
    struct Convolution {
        let weight: MLXArray
        let bias: MLXArray
        var stride = 1
        var padding = 0
        var dilation = 1

        /// `shape`: torch's weight layout; the norm is taken over all axes but the first.
        init(_ parameters: Parameters, _ name: String, _ shape: [Int], channels: Int, stride: Int = 1, padding: Int, dilation: Int = 1) {
            (self.stride, self.padding, self.dilation) = (stride, padding, dilation)
            bias = parameters.vector("\(name).bias", [channels])
            if parameters.has("\(name).weight_v") {
                let v = parameters.exact("\(name).weight_v", shape)
                let g = parameters.exact("\(name).weight_g", [shape[0], 1, 1])
                weight = v.size == 0 || g.size == 0 ? v : v * (g / sqrt(sum(v * v, axes: [1, 2], keepDims: true)))
                eval(weight)
            } else {
                weight = parameters.exact("\(name).weight", shape)
            }
        }

        func callAsFunction(_ x: MLXArray) -> MLXArray {
            Kernel.conv1d(x, weight: weight, bias: bias, stride: stride, padding: padding, dilation: dilation)
        }
        func transposed(_ x: MLXArray) -> MLXArray {
            Kernel.convTransposed1d(x, weight: weight, bias: bias, stride: stride, padding: padding)
        }
    }

    /// x + Conv(lrelu(Conv(lrelu(x)))) for each dilation.
    struct ResidualBlock {
        let pairs: [(Convolution, Convolution)]

        init(_ parameters: Parameters, _ name: String, channels: Int, kernel: Int, dilations: [Int]) {
            pairs = dilations.enumerated().map { i, dilation in
                let shape = [channels, channels, kernel]
                return (
                    Convolution(
                        parameters, "\(name).convs1.\(i)", shape, channels: channels, padding: (kernel - 1) * dilation / 2,
                        dilation: dilation),
                    Convolution(parameters, "\(name).convs2.\(i)", shape, channels: channels, padding: (kernel - 1) / 2)
                )
            }
        }

        func callAsFunction(_ input: MLXArray) -> MLXArray {
            var x = input
            for (first, second) in pairs {
                x = Kernel.add(second(Kernel.leakyRelu(first(Kernel.leakyRelu(x, slope: 0.1)), slope: 0.1)), x)
            }
            return x
        }
    }

    /// Conv, ReLU, LayerNorm, twice, then a linear map to log(duration + 1).
    struct DurationPredictor {
        let convolution1, convolution2: (weight: MLXArray, bias: MLXArray)
        let norm1, norm2: (weight: MLXArray, bias: MLXArray)
        let projection: Linear
        let padding: Int

        init(_ parameters: Parameters, _ sizes: VocoderConfiguration.DurationPredictor) {
            let name = "dur_predictor", hidden = sizes.hiddenSize, kernel = sizes.kernelSize
            func convolution(_ i: Int, _ input: Int) -> (MLXArray, MLXArray) {
                (
                    parameters.exact("\(name).conv\(i).0.weight", [hidden, input, kernel]),
                    parameters.vector("\(name).conv\(i).0.bias", [hidden])
                )
            }
            func norm(_ i: Int) -> (MLXArray, MLXArray) {
                (parameters.vector("\(name).ln\(i).weight", [hidden]), parameters.vector("\(name).ln\(i).bias", [hidden]))
            }
            (convolution1, convolution2) = (convolution(1, sizes.inputSize), convolution(2, hidden))
            (norm1, norm2) = (norm(1), norm(2))
            projection = Linear(parameters, "\(name).proj", in: hidden, out: 1, bias: true)
            padding = (kernel - 1) / 2
        }

        /// embeddings: [units, width] -> [units]
        func callAsFunction(_ embeddings: MLXArray) -> MLXArray {
            func stage(
                _ x: MLXArray, _ c: (weight: MLXArray, bias: MLXArray), _ n: (weight: MLXArray, bias: MLXArray), _ padding: Int
            ) -> MLXArray {
                let y = Kernel.conv1d(
                    x, weight: c.weight, bias: c.bias, stride: 1, padding: padding, dilation: 1, activation: .relu)
                return Kernel.layerNorm(y, weight: n.weight, bias: n.bias, eps: 1e-5)
            }
            var x = embeddings.expandedDimensions(axis: 0)
            x = stage(x, convolution1, norm1, padding)
            x = stage(x, convolution2, norm2, 1)  // the original pads the second by 1 whatever the kernel
            return projection(x).reshaped([-1])
        }
    }

    public init(_ parameters: Parameters, _ configuration: VocoderConfiguration) {
        self.configuration = configuration
        let c = configuration
        table = parameters.exact("dict.weight", [c.units, c.embeddingSize])
        preConvolution = Convolution(
            parameters, "conv_pre", [c.initialChannels, c.embeddingSize, 7], channels: c.initialChannels, padding: 3)
        var ups: [Convolution] = [], blocks: [ResidualBlock] = []
        for (i, (rate, kernel)) in zip(c.upsampleRates, c.upsampleKernelSizes).enumerated() {
            let (input, output) = (c.initialChannels >> i, c.initialChannels >> (i + 1))
            ups.append(
                Convolution(
                    parameters, "ups.\(i)", [input, output, kernel], channels: output, stride: rate, padding: (kernel - rate) / 2))
            for (j, (size, dilations)) in zip(c.residualKernelSizes, c.residualDilations).enumerated() {
                let index = i * c.residualKernelSizes.count + j
                blocks.append(
                    ResidualBlock(parameters, "resblocks.\(index)", channels: output, kernel: size, dilations: dilations))
            }
        }
        upsamplings = ups
        residuals = blocks
        let last = c.initialChannels >> c.upsampleRates.count
        postConvolution = Convolution(parameters, "conv_post", [1, last, 7], channels: 1, padding: 3)
        durationPredictor = c.durationPredictor.map { DurationPredictor(parameters, $0) }
    }

    /// log(frames + 1) each unit lasts: [units]. nil without a predictor.
    package func logDurations(_ units: [Int32]) -> MLXArray? {
        guard let durationPredictor, !units.isEmpty else { return nil }
        return durationPredictor(table[MLXArray(units, [units.count])])
    }

    /// Frames (20 ms) each unit lasts, at least 1; 1 each without a predictor.
    public func durations(_ units: [Int32]) -> [Int] {
        guard let log = logDurations(units) else { return units.map { _ in 1 } }
        return log.asArray(Float.self).map { value in
            let frames = (Foundation.exp(value) - 1).rounded(.toNearestOrEven)
            return frames.isFinite ? max(1, min(Int(frames), Self.longestUnit)) : 1
        }
    }

    /// Frames no unit exceeds (10 s): a broken predictor must not ask for hours of sound.
    static let longestUnit = 500

    /// One unit a frame -> samples in -1...1, `samplesPerFrame` a frame.
    public func waveform(frames: [Int32]) -> [Float] {
        guard !frames.isEmpty else { return [] }
        return waves(MLXArray(frames, [1, frames.count])).asArray(Float.self)
    }

    /// The same for several runs of frames at once, differentiable: [runs, frames] int32 -> [runs, samples].
    package func waves(_ frames: MLXArray) -> MLXArray {
        var x = preConvolution(table[frames])
        let kernels = configuration.residualKernelSizes.count
        for (i, upsampling) in upsamplings.enumerated() {
            x = upsampling.transposed(Kernel.leakyRelu(x, slope: 0.1))
            let blocks = residuals[(i * kernels)..<((i + 1) * kernels)].map { $0(x) }
            x = blocks.dropFirst().reduce(blocks[0]) { Kernel.add($0, $1) } / Float(kernels)
        }
        return tanh(postConvolution(Kernel.leakyRelu(x, slope: 0.01))).squeezed(axis: 2)
    }

    /// Units -> samples; durations are predicted unless `durations` is given.
    public func callAsFunction(_ units: [Int32], durations: [Int]? = nil) -> [Float] {
        let lengths = durations ?? self.durations(units)
        return waveform(frames: zip(units, lengths).flatMap { Array(repeating: $0, count: $1) })
    }

    /// Frames on either side that a frame's samples depend on (an upper bound, from kernel sizes and rates).
    public var receptiveFrames: Int {
        var radius = 3
        let residual = zip(configuration.residualKernelSizes, configuration.residualDilations)
            .map { kernel, dilations in dilations.reduce(0) { $0 + (kernel - 1) / 2 * ($1 + 1) } }.max() ?? 0
        for (rate, kernel) in zip(configuration.upsampleRates, configuration.upsampleKernelSizes).reversed() {
            radius = (radius + residual + kernel + rate - 1) / rate + 1
        }
        return radius + 3
    }

    /// Units on either side that a unit's duration depends on.
    var durationContext: Int {
        guard let predictor = configuration.durationPredictor else { return 0 }
        return predictor.kernelSize - 1
    }
}
