// A table of vectors, one a token.
import MLX

/// Token ids -> vectors.
public struct Embedding {
    /// [vocabulary, width]
    public let weight: Kernel.Weight
    private let width: Int

    init(_ parameters: Parameters, _ name: String, count: Int, width: Int) {
        weight = parameters.weight(name, [count, width])
        self.width = width
    }

    /// -> [n, width] float32
    public func callAsFunction(_ ids: [Int32]) -> MLXArray {
        guard !ids.isEmpty else { return MLXArray.zeros([0, width]) }
        let rows = MLXArray(ids, [ids.count])
        switch weight {
        case .dense(let table): return table[rows].asType(.float32)
        case .quantized(let table): return Kernel.embed(rows, table, outputType: .float32)
        case .int8: preconditionFailure("tables are not packed for products")
        }
    }
}
