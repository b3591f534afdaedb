// Muon: updates are as orthogonal as it promises, and as large; what is no hidden layer's matrix is AdamW's.
import Foundation
import MLX
import Testing

@testable import LyraTraining

struct MuonTests {
    /// Newton's and Schulz's steps against the polar factor by singular values, which MLX takes on the processor.
    @Test(arguments: [[24, 24], [16, 48], [48, 16]])
    func directionsAreNearlyOrthogonal(shape: [Int]) throws {
        let matrices = MLXRandom.normal([3] + shape, key: MLXRandom.key(5))
        let result = Muon.orthogonal(matrices).asType(.float32)
        #expect(result.shape == [3] + shape)
        let size = shape.min() ?? 0
        for number in 0..<3 {
            let x = result[number], gram = shape[0] > shape[1] ? matmul(x.T, x) : matmul(x, x.T)
            // Singular values of 0.7 to 1.2: traces of the Gram matrix and of its square say so on average.
            let mean = gram.asArray(Float.self).enumerated().reduce(Float(0)) { $1.offset % (size + 1) == 0 ? $0 + $1.element : $0 } / Float(size)
            #expect((0.6...1.3).contains(mean))
            let square = matmul(gram, gram)
            let second = square.asArray(Float.self).enumerated().reduce(Float(0)) { $1.offset % (size + 1) == 0 ? $0 + $1.element : $0 } / Float(size)
            #expect(second - mean * mean < 0.1, "spread of squared singular values")
            // The polar factor, by steps that converge, has the largest inner product with the matrix of all orthogonal ones: the sum
            // of its singular values.
            let matrix = matrices[number]
            var polar = matrix / sqrt(MLX.square(matrix).sum())
            for _ in 0..<60 { polar = polar * Float(1.5) - matmul(matmul(polar, polar.T), polar) * Float(0.5) }
            let share = (x * matrix).sum().item(Float.self) / (polar * matrix).sum().item(Float.self)
            #expect((0.7...1.2).contains(share))
        }
    }

    @Test func onlyHiddenMatricesAreItsOwn() throws {
        let matrix = MLXArray.zeros([8, 8])
        #expect(Muon.suits("model/model.layers.0.mlp.up_proj.weight", matrix))
        #expect(Muon.suits("blocks.0.attn.qkv.weight", matrix))
        for name in [
            "model/model.embed_tokens.weight", "vision/patch_embed.proj.weight", "speech_lora/base_model.model.layers.0.q_proj.lora_A.weight",
            "model/lm_head.weight", "head.weight", "model/speech_generator.output_proj.weight", "dict.weight",
        ] { #expect(!Muon.suits(name, matrix), "\(name)") }
        #expect(!Muon.suits("layers.0.fc1.bias", MLXArray.zeros([8])))
        #expect(Muon.suits("resblocks.0.convs1.0.weight", MLXArray.zeros([8, 8, 3])))
        #expect(!Muon.suits("conv_post.weight", MLXArray.zeros([1, 8, 7])))
        #expect(!Muon.suits("vision/patches.weight", MLXArray.zeros([8, 3, 2, 14, 14])))

        // One update: matrices by 0.2 sqrt(side) times something orthogonal, vectors as AdamW's first (the rate's size).
        var optimizer: any Optimizer = OptimizerKind.muon.make(betas: [0.9, 0.95], epsilon: 1e-8)
        var parameters = [
            "a.weight": MLXArray.zeros([16, 16]), "a.bias": MLXArray.zeros([16]), "convolution.weight": MLXArray.zeros([16, 4, 4]),
        ]
        let gradients = [
            "a.weight": MLXRandom.normal([16, 16], key: MLXRandom.key(1)), "a.bias": MLXArray.ones([16]),
            "convolution.weight": MLXRandom.normal([16, 4, 4], key: MLXRandom.key(2)),
        ]
        try optimizer.update(&parameters, gradients, scale: 1) { _ in (0.01, 0) }
        for name in ["a.weight", "convolution.weight"] {
            let parameter = try #require(parameters[name])
            #expect(parameter.shape == gradients[name]?.shape)
            #expect(abs(sqrt(square(parameter).mean()).item(Float.self) - 0.01 * 0.2) < 0.0006, "\(name)")
        }
        #expect(try #require(parameters["a.bias"]).asArray(Float.self).allSatisfy { abs($0 + 0.01) < 1e-5 })
        let state = try optimizer.state()
        #expect(Set(state.first.keys) == Set(parameters.keys) && Set(state.second.keys) == ["a.bias"])
        // A checkpoint's moments have the shapes of its weights.
        #expect(state.first.allSatisfy { $1.shape == parameters[$0]?.shape })
    }
}
