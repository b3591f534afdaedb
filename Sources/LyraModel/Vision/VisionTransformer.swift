// Qwen2-VL's vision tower: any resolution, full attention within a frame pair, 2-D rotary positions, 2 x 2 merge.
import Foundation
import MLX

/// Patches -> tokens of the language model's width.
public struct VisionTransformer {
    public let configuration: VisionConfiguration
    let patchEmbedding: Linear
    let blocks: [Block]
    let mergerNorm: LayerNorm
    let merger1, merger2: Linear
    private let computeType: DType

    /// `prefix` stands before "patch_embed": "visual." in a Qwen2-VL checkpoint, nothing in the release's tower folder.
    public init(_ parameters: Parameters, _ configuration: VisionConfiguration, prefix: String = "") {
        self.configuration = configuration
        let width = configuration.width
        let merged = width * configuration.mergeSize * configuration.mergeSize
        let kernel = parameters.matrix(
            "\(prefix)patch_embed.proj.weight",
            [width, configuration.channels, configuration.temporalPatchSize, configuration.patchSize, configuration.patchSize])
        let flat = kernel.size == 0 ? kernel : kernel.reshaped([width, configuration.patchValues])
        patchEmbedding = Linear(parameters, sharing: .dense(flat), in: configuration.patchValues, out: width)
        blocks = (0..<configuration.depth).map { Block(parameters, configuration, "\(prefix)blocks.\($0)") }
        mergerNorm = LayerNorm(parameters, "\(prefix)merger.ln_q", width, epsilon: 1e-6)
        merger1 = Linear(parameters, "\(prefix)merger.mlp.0", in: merged, out: merged, bias: true)
        merger2 = Linear(parameters, "\(prefix)merger.mlp.2", in: merged, out: configuration.outputSize, bias: true)
        computeType = parameters.computeType
    }

    /// The prefix under which a checkpoint keeps the tower.
    public static func prefix(in source: any TensorSource) -> String {
        ["visual.", "model.visual."].first { source.describe($0 + "patch_embed.proj.weight") != nil } ?? ""
    }

    /// -> [tokens, outputSize] float32; tokens = patches / merge².
    public func callAsFunction(_ patches: Patches) -> MLXArray { self(patches, isTraced: false) }

    /// With `isTraced` everything is kept for gradients. Pictures of one size can be given as the frame pairs of one grid,
    /// since frame pairs do not see each other.
    package func callAsFunction(_ patches: Patches, isTraced: Bool) -> MLXArray {
        let grid = patches.grid
        let perFrame = grid.height * grid.width
        let (cosine, sine) = rotation(grid)  // [perFrame, headDim / 2]
        var x = patchEmbedding(Kernel.convert(patches.values, to: computeType), outputType: .float32)
            .reshaped([grid.time, perFrame, configuration.width])
        for (i, block) in blocks.enumerated() {
            x = block(x, cosine, sine)
            // A long graph over large pictures would hold every activation; compute as it goes.
            if i % 4 == 3, !isTraced { eval(x) }
        }
        let merge = configuration.mergeSize * configuration.mergeSize
        let normed = mergerNorm(x).reshaped([grid.count / merge, configuration.width * merge])
        return merger2(merger1(normed, activation: .gelu), outputType: .float32)
    }

    /// Angles of every patch of a frame, in patch order (2 x 2 blocks): half of the pairs turn with the row, half with the
    /// column.
    private func rotation(_ grid: PatchGrid) -> (MLXArray, MLXArray) {
        let pairs = configuration.width / configuration.heads / 2
        let merge = configuration.mergeSize
        let frequencies = (0..<(pairs / 2)).map { 1 / Float(pow(10_000, Double(2 * $0) / Double(pairs))) }
        var cosine: [Float] = [], sine: [Float] = []
        cosine.reserveCapacity(grid.height * grid.width * pairs)
        sine.reserveCapacity(grid.height * grid.width * pairs)
        for blockRow in 0..<(grid.height / merge) {
            for blockColumn in 0..<(grid.width / merge) {
                for inner in 0..<(merge * merge) {
                    let row = Float(blockRow * merge + inner / merge), column = Float(blockColumn * merge + inner % merge)
                    for position in [row, column] {
                        for frequency in frequencies {
                            cosine.append(Foundation.cos(position * frequency))
                            sine.append(Foundation.sin(position * frequency))
                        }
                    }
                }
            }
        }
        let shape = [grid.height * grid.width, pairs]
        return (MLXArray(cosine, shape), MLXArray(sine, shape))
    }

    struct Block {
        let heads: Int
        let norm1, norm2: LayerNorm
        let queryKeyValue, projection: Linear
        let expand, contract: Linear

        init(_ parameters: Parameters, _ configuration: VisionConfiguration, _ name: String) {
            let width = configuration.width
            heads = configuration.heads
            norm1 = LayerNorm(parameters, "\(name).norm1", width, epsilon: 1e-6)
            norm2 = LayerNorm(parameters, "\(name).norm2", width, epsilon: 1e-6)
            queryKeyValue = Linear(parameters, "\(name).attn.qkv", in: width, out: 3 * width, bias: true)
            projection = Linear(parameters, "\(name).attn.proj", in: width, out: width, bias: true)
            expand = Linear(parameters, "\(name).mlp.fc1", in: width, out: configuration.intermediateSize, bias: true)
            contract = Linear(parameters, "\(name).mlp.fc2", in: configuration.intermediateSize, out: width, bias: true)
        }

        /// x: [frame pairs, patches, width] float32, the residual stream.
        func callAsFunction(_ x: MLXArray, _ cosine: MLXArray, _ sine: MLXArray) -> MLXArray {
            let (time, patches, width) = (x.dim(0), x.dim(1), x.dim(2))
            let fused = queryKeyValue(norm1(x)).reshaped([time, patches, 3, heads, width / heads])
            func part(_ i: Int) -> MLXArray { fused[0..., 0..., i] }  // [time, patches, heads, head]
            let attended = Kernel.attention(
                Kernel.rotary(part(0), cos: cosine, sin: sine), Kernel.rotary(part(1), cos: cosine, sin: sine), part(2),
                scale: 1 / Float(width / heads).squareRoot(), causal: false, int8: queryKeyValue.usesInt8)
            let h = projection(attended.reshaped([time, patches, width]), residual: x, outputType: .float32)
            return contract(expand(norm2(h), activation: .quickGelu), residual: h, outputType: .float32)
        }
    }
}
