// AdamW with decoupled weight decay, as PyTorch defines it; float32 throughout.
import Foundation
import MLX

/// First and second moments of every parameter, and how many updates they have seen.
struct AdamW {
    var beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8
    private(set) var first: [String: MLXArray] = [:]
    private(set) var second: [String: MLXArray] = [:]
    private(set) var updates = 0

    init(beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8) {
        (self.beta1, self.beta2, self.epsilon) = (beta1, beta2, epsilon)
    }

    /// Euclidean norm of all gradients together.
    static func norm(_ gradients: [String: MLXArray]) -> Double {
        let squares = gradients.values.map { ($0 * $0).sum() }
        eval(squares)
        return squares.reduce(0) { $0 + Double($1.item(Float.self)) }.squareRoot()
    }

    /// One update in place.
    ///
    /// - Parameters:
    ///   - scale: what gradients are multiplied with first (clipping).
    ///   - rates: learning rate and weight decay of a parameter.
    mutating func update(
        _ parameters: inout [String: MLXArray], _ gradients: consuming [String: MLXArray], scale: Double,
        rates: (String) -> (learningRate: Double, weightDecay: Double)
    ) {
        updates += 1
        let correction1 = 1 - pow(beta1, Double(updates)), correction2 = 1 - pow(beta2, Double(updates))
        for name in parameters.keys.sorted() {
            guard let parameter = parameters[name], let gradient = gradients.removeValue(forKey: name) else { continue }
            let (rate, decay) = rates(name)
            let g = gradient * Float(scale)
            let m = (first[name] ?? MLXArray.zeros(g.shape)) * Float(beta1) + g * Float(1 - beta1)
            let v = (second[name] ?? MLXArray.zeros(g.shape)) * Float(beta2) + g * g * Float(1 - beta2)
            let step = m * Float(rate / correction1) / (sqrt(v) * Float(1 / correction2.squareRoot()) + Float(epsilon))
            let value = parameter * Float(1 - rate * decay) - step
            eval(m, v, value)
            (first[name], second[name], parameters[name]) = (m, v, value)
        }
    }

    /// State from a checkpoint.
    mutating func restore(first: [String: MLXArray], second: [String: MLXArray], updates: Int) {
        (self.first, self.second, self.updates) = (first, second, updates)
    }
}
