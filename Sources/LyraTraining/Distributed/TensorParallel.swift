// Linear layers whose weights are spread over processes (Shoeybi et al. 2019). A pair of them, the first cut by outputs and
// the second by inputs, needs one sum forward and one backward.
import LyraModel
import MLX

/// A share of the rows of a weight: every process computes some of the outputs.
///
/// The input is whole on all processes, and so is its gradient: what each process finds of it is added up.
public struct ColumnParallelLinear {
    /// `[out / processes, in]`
    public let weight: MLXArray
    /// `[out / processes]`
    public let bias: MLXArray?
    public let group: DistributedGroup

    /// - Parameters:
    ///   - weight: this process's rows; ``TensorParallel/share(_:axis:of:)`` cuts them out.
    public init(weight: MLXArray, bias: MLXArray? = nil, group: DistributedGroup) {
        (self.weight, self.bias, self.group) = (weight, bias, group)
    }

    /// x: [..., in] -> [..., out / processes], this process's share of the outputs.
    public func callAsFunction(
        _ x: MLXArray, activation: Kernel.Activation = .none, outputType: DType? = nil
    ) -> MLXArray {
        Kernel.linear(
            TensorParallel.enter(x, group), weight: weight, bias: bias, activation: activation, outputType: outputType)
    }
}

/// A share of the columns of a weight: every process has some of the inputs, and the outputs are added up.
public struct RowParallelLinear {
    /// `[out, in / processes]`
    public let weight: MLXArray
    /// `[out]`, whole on all processes.
    public let bias: MLXArray?
    public let group: DistributedGroup

    public init(weight: MLXArray, bias: MLXArray? = nil, group: DistributedGroup) {
        (self.weight, self.bias, self.group) = (weight, bias, group)
    }

    /// x: [..., in / processes] -> x Wᵀ + bias + residual: [..., out], the same on all processes.
    public func callAsFunction(_ x: MLXArray, residual: MLXArray? = nil, outputType: DType? = nil) -> MLXArray {
        // Summed in float32: bfloat16 would round every process's part.
        var y = TensorParallel.leave(Kernel.linear(x, weight: weight, outputType: .float32), group)
        if let bias { y = y + bias.asType(.float32) }
        if let residual { y = y + residual.asType(.float32) }
        return y.asType(outputType ?? x.dtype)
    }
}

/// The ends of a stretch of computation that is spread over processes, and shares of weights.
public enum TensorParallel {
    /// The array as it is; its gradient is the sum of those that the processes find.
    public static func enter(_ x: MLXArray, _ group: DistributedGroup) -> MLXArray {
        guard group.size > 1 else { return x }
        return CustomFunction(
            forward: { $0 },
            vjp: { _, cotangents, _ in cotangents.map { group.allSum($0) } }
        )([x])[0]
    }

    /// The sum of the processes' parts; every part's gradient is the sum's.
    public static func leave(_ x: MLXArray, _ group: DistributedGroup) -> MLXArray { group.allSum(x) }

    /// This process's share of a weight (axis 0 for ``ColumnParallelLinear``, 1 for ``RowParallelLinear``) or of a bias.
    /// - Throws: ``TrainingError`` where the axis cannot be cut into as many equal parts.
    public static func share(_ array: MLXArray, axis: Int, of group: DistributedGroup) throws -> MLXArray {
        let (length, size) = (array.dim(axis), group.size)
        guard length % size == 0 else {
            throw TrainingError.missingPart("an axis of \(length) cannot be shared equally by \(size) processes")
        }
        return array.split(parts: size, axis: axis)[group.rank]
    }
}
