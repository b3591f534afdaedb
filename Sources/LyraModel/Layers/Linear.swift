// The affine map every network is made of, and its low-rank adapters (LYRA.md section 3).
import MLX

/// Which low-rank adapter is active: the one of the combination of modalities at hand.
public enum Adapter: String, Sendable, CaseIterable, Codable {
    /// One window of speech.
    case speech
    /// Several windows of speech.
    case longSpeech = "long_speech"

    /// Its folder in a checkpoint.
    public var folder: String { rawValue + "_lora" }
}

/// y = x Wᵀ + b, plus B A x when an adapter is active.
public struct Linear {
    /// [out, in] in any form, and [out].
    let map: Kernel.LinearMap
    /// What inputs are converted to.
    let inputType: DType
    /// Whether quantised weights are multiplied as 8-bit integers.
    let usesInt8: Bool
    /// A: [rank, in], B: [out, rank] with alpha / rank multiplied in.
    var adapters: [Adapter: LowRank] = [:]
    private let name: String
    private let shape: (out: Int, in: Int)

    init(_ parameters: Parameters, _ name: String, in input: Int, out output: Int, bias hasBias: Bool) {
        self.name = name
        shape = (output, input)
        map = Kernel.LinearMap(
            parameters.forProducts(parameters.weight(name, [output, input]), name),
            bias: hasBias ? parameters.vector("\(name).bias", [output]) : nil)
        (inputType, usesInt8) = (parameters.computeType, parameters.usesInt8)
    }

    /// An affine map over a table that is used elsewhere too (a tied head).
    init(_ parameters: Parameters, sharing table: Kernel.Weight, in input: Int, out output: Int) {
        (name, shape) = ("", (output, input))
        map = Kernel.LinearMap(parameters.forProducts(table, ""))
        (inputType, usesInt8) = (parameters.computeType, parameters.usesInt8)
    }

    /// Bytes that a product reads of it.
    var nbytes: Int {
        let weight =
            switch map.weight {
            case .dense(let w): w.nbytes
            case .quantized(let w): w.nbytes
            case .int8(let w): w.nbytes
            }
        return weight + (map.bias?.nbytes ?? 0)
    }

    /// Whether the adapter changes this map.
    func isAdapted(_ adapter: Adapter?) -> Bool { adapter.map { adapters[$0] != nil } ?? false }

    /// Attaches a PEFT adapter if the source has one for this map. `prefix` stands before the map's own name.
    mutating func attach(
        _ adapter: Adapter, _ parameters: Parameters, prefix: String, rank: Int, scale: Float, dropout: Dropout? = nil
    ) {
        guard parameters.has("\(prefix)\(name).lora_A.weight") else { return }
        let a = parameters.matrix("\(prefix)\(name).lora_A.weight", [rank, shape.in])
        let b = parameters.matrix("\(prefix)\(name).lora_B.weight", [shape.out, rank])
        // Recorded or misshapen tensors are empty; the scale is exact for the usual alpha / rank = 2.
        adapters[adapter] = LowRank(
            a: a, b: b.size == 0 || scale == 1 ? b : (b.asType(.float32) * scale).asType(b.dtype),
            dropout: dropout?.derived(by: name))
    }

    /// The map with its adapter, for operations that take several; nil where the adapter is in training.
    func parts(_ adapter: Adapter?) -> Kernel.AdaptedMap? {
        guard let adapter, let low = adapters[adapter] else { return Kernel.AdaptedMap(map) }
        return low.dropout == nil ? Kernel.AdaptedMap(map, low: (low.a, low.b)) : nil
    }

    /// x: [..., in] -> activation(x Wᵀ + b) + residual: [..., out].
    public func callAsFunction(
        _ x: MLXArray, adapter: Adapter? = nil, activation: Kernel.Activation = .none, residual: MLXArray? = nil,
        outputType: DType? = nil
    ) -> MLXArray {
        guard let adapter, let low = adapters[adapter] else {
            return Kernel.linear(
                x, map, activation: activation, residual: residual, outputType: outputType ?? x.dtype, int8: usesInt8)
        }
        precondition(activation == .none, "an adapted map has no fused activation")
        let delta = Kernel.linear(
            Kernel.linear(low.dropout?(x) ?? x, weight: low.a), weight: low.b, residual: residual, outputType: .float32)
        return Kernel.linear(x, map, residual: delta, outputType: outputType ?? x.dtype, int8: usesInt8)
    }
}

extension [Linear] {
    /// The maps of one input, in one operation where no adapter has a part in them.
    func callAsFunction(_ x: MLXArray, adapter: Adapter?) -> [MLXArray] {
        guard let first, !contains(where: { $0.isAdapted(adapter) }) else { return map { $0(x, adapter: adapter) } }
        return Kernel.linears(x, map(\.map), outputType: x.dtype, int8: first.usesInt8)
    }
}

/// The factors of one adapter of one map.
struct LowRank {
    var a, b: MLXArray
    var dropout: Dropout?
}

/// Sets a random share of values to zero and scales the others up, in training.
package struct Dropout {
    let rate: Float
    let seed: UInt64

    /// `rate`: share of values that become zero, 0..<1. The same seed drops the same values.
    package init(rate: Float, seed: UInt64) { (self.rate, self.seed) = (rate, seed) }

    /// One that drops independently of this one.
    func derived(by name: String) -> Dropout {
        // FNV-1a
        Dropout(rate: rate, seed: name.utf8.reduce(seed ^ 0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 })
    }

    func callAsFunction(_ x: MLXArray) -> MLXArray { Kernel.dropout(x, rate: rate, seed: seed) }
}
