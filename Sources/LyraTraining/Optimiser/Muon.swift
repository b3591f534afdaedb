// Muon (Jordan et al. 2024): momentum made orthogonal, for the matrices of hidden layers. Networks that begin with random weights
// learn from a half to two thirds of the samples that AdamW needs.
import Foundation
import MLX

/// Which optimiser trains.
public enum OptimizerKind: String, Sendable, Codable, CaseIterable {
    case adamW = "adamw"
    /// ``Muon``
    case muon

    /// - Parameter group: the processes that have the same gradients and share the work where that pays.
    func make(betas: [Double], epsilon: Double, _ group: ProcessGroup = ProcessGroup()) -> any Optimizer {
        let adamW = AdamW(beta1: betas[0], beta2: betas[1], epsilon: epsilon)
        return self == .adamW ? adamW : Muon(rest: adamW, group)
    }
}

/// Updates a hidden layer's matrix W, or its one-dimensional convolution as the matrix [first axis, the others], by the nearest orthogonal matrix O to its momentum:
/// M = 0.95 M + G, O = orthogonal(G + 0.95 M), W = W (1 - rate decay) - rate 0.2 sqrt(max(rows, columns)) O.
///
/// The factor makes updates as large as AdamW's (Liu et al. 2025), so that learning rates mean the same. Embeddings, adapters, output
/// maps, vectors and convolutions of pictures are AdamW's.
struct Muon: Optimizer {
    private var rest: AdamW
    private var momenta: [String: MLXArray] = [:]
    private let group: ProcessGroup
    static let momentum: Float = 0.95

    init(rest: AdamW, _ group: ProcessGroup = ProcessGroup()) { (self.rest, self.group) = (rest, group) }

    static func suits(_ name: String, _ parameter: MLXArray) -> Bool {
        (2...3).contains(parameter.ndim) && !["embed", "head.", "lm_head", "lora_", "output_proj", "input_proj", "dict.", "conv_post"].contains { name.contains($0) }
    }

    mutating func update(
        _ parameters: inout [String: MLXArray], _ gradients: consuming [String: MLXArray], scale: Double,
        rates: (String) -> (learningRate: Double, weightDecay: Double)
    ) throws {
        // Matrices of one shape are made orthogonal together.
        var shapes: [[Int]: [String]] = [:]
        for (name, parameter) in parameters.sorted(by: { $0.key < $1.key }) where Self.suits(name, parameter) && gradients[name] != nil {
            shapes[[parameter.dim(0), parameter.size / parameter.dim(0)], default: []].append(name)
        }
        var matrices: [String] = [], updates: [MLXArray] = []
        for (shape, names) in shapes.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
            var directions: [MLXArray] = []
            for name in names {
                guard let gradient = gradients.removeValue(forKey: name) else { continue }
                let scaled = gradient * Float(scale)
                let moved = momenta[name].map { $0 * Self.momentum + scaled } ?? scaled
                momenta[name] = moved
                directions.append((scaled + moved * Self.momentum).reshaped(shape))
            }
            // Every process takes its share of the matrices; zeros stand for those of others, so that the sum has all.
            let mine = names.indices.filter { (matrices.count + $0) % group.size == group.rank }
            var all = Array(repeating: MLXArray.zeros(shape, dtype: .bfloat16), count: names.count)
            if !mine.isEmpty {
                let orthogonal = Self.orthogonal(stacked(mine.map { directions[$0] }, axis: 0))
                for (number, index) in mine.enumerated() { all[index] = orthogonal[number] }
            }
            matrices += names
            updates += all
        }
        updates = try group.sum(updates)
        var hidden: [String: MLXArray] = [:], new: [MLXArray] = []
        for (name, update) in zip(matrices, updates) {
            guard let parameter = parameters.removeValue(forKey: name), let moved = momenta[name] else { continue }
            let (rate, decay) = rates(name)
            let factor = Float(rate * 0.2 * Double(update.shape.max() ?? 1).squareRoot())
            let result = parameter * Float(1 - rate * decay) - update.asType(.float32).reshaped(parameter.shape) * factor
            hidden[name] = result
            new += [result, moved]
        }
        eval(new)
        rest.update(&parameters, gradients, scale: scale, rates: rates)
        parameters.merge(hidden) { _, new in new }
    }

    /// The nearest matrix with orthonormal rows (or columns, where there are more rows) for each of [matrices, rows, columns], nearly: five
    /// steps of Newton and Schulz bring singular values to between 0.7 and 1.2.
    static func orthogonal(_ matrices: MLXArray) -> MLXArray {
        let norms = sqrt(square(matrices).sum(axes: [1, 2], keepDims: true)) + Float(1e-7)
        let isTall = matrices.dim(1) > matrices.dim(2), size = min(matrices.dim(1), matrices.dim(2))
        var x = (matrices / norms).asType(.bfloat16)
        let one = MLXArray.eye(size).asType(.bfloat16)
        for _ in 0..<5 {
            let gram = Kernel.matmul(x, x, transposeA: isTall, transposeB: !isTall)
            let polynomial = one * Float(3.4445) + gram * Float(-4.7750) + Kernel.matmul(gram, gram) * Float(2.0315)
            x = isTall ? Kernel.matmul(x, polynomial.asType(.bfloat16)) : Kernel.matmul(polynomial.asType(.bfloat16), x)
        }
        return x
    }

    func state() -> OptimizerState {
        var state = rest.state()
        state.first.merge(momenta) { own, _ in own }
        return state
    }

    mutating func restore(_ state: OptimizerState) {
        momenta = state.first.filter { state.second[$0.key] == nil }
        rest.restore(OptimizerState(first: state.first.filter { state.second[$0.key] != nil }, second: state.second, updates: state.updates))
    }
}
