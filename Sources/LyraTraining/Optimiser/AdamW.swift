// AdamW with decoupled weight decay, as PyTorch defines it; float32 throughout.
import Foundation
import MLX

/// What an optimiser has to keep: moments of every parameter, and how many updates they have seen.
struct OptimizerState {
    var first: [String: MLXArray] = [:]
    var second: [String: MLXArray] = [:]
    var updates = 0
}

/// Updates parameters by their gradients.
protocol Optimizer {
    /// One update in place.
    ///
    /// - Parameters:
    ///   - scale: what gradients are multiplied with first (clipping).
    ///   - rates: learning rate and weight decay of a parameter.
    mutating func update(
        _ parameters: inout [String: MLXArray], _ gradients: consuming [String: MLXArray], scale: Double,
        rates: (String) -> (learningRate: Double, weightDecay: Double)) throws
    /// For a checkpoint. All processes of a run ask together.
    func state() throws -> OptimizerState
    /// From a checkpoint.
    mutating func restore(_ state: OptimizerState)
}

/// First and second moments of every parameter, and how many updates they have seen.
struct AdamW: Optimizer {
    var beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8
    private(set) var first: [String: MLXArray] = [:]
    private(set) var second: [String: MLXArray] = [:]
    private(set) var updates = 0

    init(beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8) {
        (self.beta1, self.beta2, self.epsilon) = (beta1, beta2, epsilon)
    }

    /// Euclidean norm of all gradients together.
    static func norm(_ gradients: [String: MLXArray]) -> Double {
        Double(Kernel.sumOfSquares(gradients.sorted { $0.key < $1.key }.map(\.value)).item(Float.self)).squareRoot()
    }

    mutating func update(
        _ parameters: inout [String: MLXArray], _ gradients: consuming [String: MLXArray], scale: Double,
        rates: (String) -> (learningRate: Double, weightDecay: Double)
    ) {
        updates += 1
        var new: [MLXArray] = []
        for name in parameters.keys.sorted() {
            // Taken out, so that the kernel can write where they lie.
            guard let gradient = gradients.removeValue(forKey: name), let parameter = parameters.removeValue(forKey: name) else {
                continue
            }
            let m = first.removeValue(forKey: name) ?? MLXArray.zeros(gradient.shape)
            let v = second.removeValue(forKey: name) ?? MLXArray.zeros(gradient.shape)
            let (rate, decay) = rates(name)
            let result = Kernel.adamW(
                parameter, gradient: gradient, firstMoment: m, secondMoment: v,
                settings: .init(beta1: beta1, beta2: beta2, epsilon: epsilon, weightDecay: decay), learningRate: rate,
                step: updates, gradientScale: scale)
            (parameters[name], first[name], second[name]) = (result.parameter, result.firstMoment, result.secondMoment)
            new += [result.parameter, result.firstMoment, result.secondMoment]
        }
        eval(new)
    }

    func state() -> OptimizerState { OptimizerState(first: first, second: second, updates: updates) }

    mutating func restore(_ state: OptimizerState) { (first, second, updates) = (state.first, state.second, state.updates) }
}
