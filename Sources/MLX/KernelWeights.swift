// Matrices of weights in integers, and the linear layers over weights of any form.
import CMLX

/// A matrix `[N, K]` in MLX's affine group format: weights are integers of 4 or 8 bits, and each `groupSize` consecutive ones
/// of a row share a scale and a bias: w = scale * q + bias.
public struct QuantizedMatrix {
    /// `uint32 [N, K * bits / 32]`, the first weight in the lowest bits.
    public let weight: MLXArray
    /// `[N, K / groupSize]` in `float32`, `float16` or `bfloat16`.
    public let scales: MLXArray
    /// As ``scales``.
    public let biases: MLXArray
    /// 32, 64 or 128.
    public let groupSize: Int
    /// 4 or 8.
    public let bits: Int

    /// The arrays as they lie in a checkpoint; they are read in place. Shapes must agree: what comes from outside is checked
    /// with ``problem(weight:scales:biases:groupSize:bits:)`` first.
    public init(weight: MLXArray, scales: MLXArray, biases: MLXArray, groupSize: Int, bits: Int) {
        if let problem = Self.problem(weight: weight, scales: scales, biases: biases, groupSize: groupSize, bits: bits) {
            trap("a quantised matrix: \(problem)")
        }
        // Without a copy where they are contiguous, as in a file.
        (self.weight, self.scales, self.biases) = (weight.contiguous(), scales.contiguous(), biases.contiguous())
        (self.groupSize, self.bits) = (groupSize, bits)
    }

    /// What keeps these arrays from being a quantised matrix; nil where nothing does.
    public static func problem(
        weight: MLXArray, scales: MLXArray, biases: MLXArray, groupSize: Int, bits: Int
    ) -> String? {
        guard [32, 64, 128].contains(groupSize) else { return "groups of \(groupSize) weights; known are 32, 64, 128" }
        guard [4, 8].contains(bits) else { return "\(bits) bits a weight; known are 4 and 8" }
        guard weight.dtype == .uint32, weight.ndim == 2 else {
            return "integers are uint32 [N, K * bits / 32], got \(weight.dtype) \(weight.shape)"
        }
        let columns = weight.dim(1) * 32 / bits
        guard columns % groupSize == 0, scales.shape == [weight.dim(0), columns / groupSize], biases.shape == scales.shape
        else {
            return """
                scales \(scales.shape) and biases \(biases.shape) do not fit integers \(weight.shape) of \(bits) bits in \
                groups of \(groupSize)
                """
        }
        guard scales.dtype == biases.dtype, [.float32, .float16, .bfloat16].contains(scales.dtype) else {
            return "scales and biases are float32, float16 or bfloat16, got \(scales.dtype) and \(biases.dtype)"
        }
        return nil
    }

    /// Rows N and columns K of the matrix.
    public var shape: (rows: Int, columns: Int) { (weight.dim(0), weight.dim(1) * 32 / bits) }
    /// Bytes that the integers, scales and biases take.
    public var nbytes: Int { weight.nbytes + scales.nbytes + biases.nbytes }

    var c: cmlx_weight {
        cmlx_weight(
            form: CMLX_WEIGHT_AFFINE, parts: (weight.handle, scales.handle, biases.handle), group_size: Int32(groupSize),
            bits: Int32(bits), rows: 0, columns: 0)
    }
}

/// A matrix `[N, K]` of 8-bit integers for products of 8-bit integers, packed for this processor: almost twice as fast as
/// `bfloat16` where x has many rows, which are then rounded to 8 bits too. Each row of either has a scale for every 512
/// columns.
///
/// Made once when a model is loaded. Where the processor has no such instructions it holds the weights as they were.
public struct Int8Matrix {
    private let parts: [MLXArray]
    private let form: cmlx_weight_form
    private let format: (groupSize: Int32, bits: Int32)
    /// Rows N and columns K of the matrix.
    public let shape: (rows: Int, columns: Int)

    /// From `[N, K]` in `float32` or `bfloat16`.
    public init(_ w: MLXArray) {
        self.init(cmlx_weight(dense: w))
        withExtendedLifetime(w) {}
    }

    /// From a matrix in groups, of which each row and 512 columns get one scale.
    public init(_ q: QuantizedMatrix) {
        self.init(q.c)
        withExtendedLifetime(q) {}
    }

    private init(_ weight: cmlx_weight) {
        var source = weight
        var packed = cmlx_weight()
        unfailing { try MLXError.check(cmlx_kernel_pack_int8(&source, &packed)) }
        parts = [packed.parts.0, packed.parts.1, packed.parts.2].compactMap { $0.map(MLXArray.init(owning:)) }
        form = packed.form
        format = (packed.group_size, packed.bits)
        shape = (Int(packed.rows), Int(packed.columns))
    }

    /// What a computation of all its arrays has to wait for: pass them to `eval` to pack now rather than at the first use.
    public var arrays: [MLXArray] { parts }
    /// Bytes it takes.
    public var nbytes: Int { parts.reduce(0) { $0 + $1.nbytes } }

    var c: cmlx_weight {
        cmlx_weight(
            form: form, parts: (parts[0].handle, parts.dropFirst().first?.handle, parts.dropFirst(2).first?.handle),
            group_size: format.groupSize, bits: format.bits, rows: int32(shape.rows), columns: int32(shape.columns))
    }
}

extension cmlx_weight {
    init(dense w: MLXArray) {
        self.init(form: CMLX_WEIGHT_DENSE, parts: (w.handle, nil, nil), group_size: 0, bits: 0, rows: 0, columns: 0)
    }
}

extension Kernel {
    /// A matrix of weights `[N, K]` in any form that products read.
    public enum Weight {
        /// `float32` or `bfloat16`, as it lies in a checkpoint; read in place.
        case dense(MLXArray)
        case quantized(QuantizedMatrix)
        case int8(Int8Matrix)

        /// Rows N and columns K.
        public var shape: (rows: Int, columns: Int) {
            switch self {
            case .dense(let w): w.shape2
            case .quantized(let w): w.shape
            case .int8(let w): w.shape
            }
        }

        var c: cmlx_weight {
            switch self {
            case .dense(let w): cmlx_weight(dense: w)
            case .quantized(let w): w.c
            case .int8(let w): w.c
            }
        }
    }

    /// x Wᵀ + bias, for operations that take several of them.
    public struct LinearMap {
        public var weight: Weight
        /// `[N]`
        public var bias: MLXArray?

        public init(_ weight: Weight, bias: MLXArray? = nil) { (self.weight, self.bias) = (weight, bias) }

        var c: cmlx_linear { cmlx_linear(weight: weight.c, bias: bias?.handle) }
    }

    /// activation(x Wᵀ + bias) + residual, for weights of any form.
    ///
    /// - Parameters:
    ///   - x: `[..., K]`. Dense weights convert it to their type.
    ///   - int8: whether quantised weights may be multiplied as 8-bit integers where x has many rows: both are then rounded
    ///     to 8 bits, with a scale for every 512 columns of a row.
    ///   - residual: `[..., N]`, added after the activation.
    ///   - outputType: the type of x unless given.
    /// - Returns: `[..., N]`
    public static func linear(
        _ x: MLXArray, _ map: LinearMap, activation: Activation = .none, residual: MLXArray? = nil,
        outputType: DType? = nil, int8: Bool = false
    ) -> MLXArray {
        var layer = map.c
        defer { withExtendedLifetime(map) {} }
        return .make {
            cmlx_kernel_linear(x.handle, &layer, activation.c, residual?.handle, int8, (outputType ?? x.dtype).c, $0)
        }
    }

    /// activation(x Wᵀ + bias) + residual.
    ///
    /// - Parameters:
    ///   - x: `[..., K]`; converted to the weight's type where they differ.
    ///   - weight: `[N, K]` as it lies in a checkpoint; read in place.
    ///   - bias: `[N]`.
    ///   - residual: `[..., N]`, added after the activation. In `float32` with `outputType: .float32` this keeps a
    ///     residual stream in full precision while the product is taken in `bfloat16`.
    ///   - outputType: the type of x unless given.
    /// - Returns: `[..., N]`
    public static func linear(
        _ x: MLXArray, weight: MLXArray, bias: MLXArray? = nil, activation: Activation = .none,
        residual: MLXArray? = nil, outputType: DType? = nil
    ) -> MLXArray {
        linear(
            x, LinearMap(.dense(weight), bias: bias), activation: activation, residual: residual, outputType: outputType)
    }

    /// activation(x Wᵀ + bias) + residual, W in groups of integers. Gradients reach x, bias and residual.
    ///
    /// - Parameters:
    ///   - int8: whether W and x may be rounded to 8-bit integers where x has many rows, which is faster.
    /// - Returns: `[..., N]`
    public static func linear(
        _ x: MLXArray, weight: QuantizedMatrix, bias: MLXArray? = nil, activation: Activation = .none,
        residual: MLXArray? = nil, outputType: DType? = nil, int8: Bool = false
    ) -> MLXArray {
        linear(
            x, LinearMap(.quantized(weight), bias: bias), activation: activation, residual: residual,
            outputType: outputType, int8: int8)
    }

    /// activation(x Wᵀ + bias) + residual, products of 8-bit integers. Gradients reach x, bias and residual.
    ///
    /// - Returns: `[..., N]`
    public static func linear(
        _ x: MLXArray, weight: Int8Matrix, bias: MLXArray? = nil, activation: Activation = .none,
        residual: MLXArray? = nil, outputType: DType? = nil
    ) -> MLXArray {
        linear(x, LinearMap(.int8(weight), bias: bias), activation: activation, residual: residual, outputType: outputType)
    }

    /// x Wᵀ + bias for each of several maps of one input (queries, keys and values), in one operation.
    public static func linears(
        _ x: MLXArray, _ maps: [LinearMap], outputType: DType? = nil, int8: Bool = false
    ) -> [MLXArray] {
        let layers = maps.map(\.c)
        defer { withExtendedLifetime(maps) {} }
        var results = [cmlx_array?](repeating: nil, count: maps.count)
        unfailing {
            try MLXError.check(
                cmlx_kernel_linears(x.handle, layers, layers.count, int8, (outputType ?? x.dtype).c, &results))
        }
        return results.compactMap { $0.map(MLXArray.init(owning:)) }
    }

    /// silu(gate(x)) * up(x), in one operation: `[..., K]` -> `[..., N]`.
    public static func gatedLinear(
        _ x: MLXArray, gate: LinearMap, up: LinearMap, outputType: DType? = nil, int8: Bool = false
    ) -> MLXArray {
        var (first, second) = (gate.c, up.c)
        defer { withExtendedLifetime((gate, up)) {} }
        return .make { cmlx_kernel_gated_linear(x.handle, &first, &second, int8, (outputType ?? x.dtype).c, $0) }
    }

    /// Rounds w to integers in groups, as `mlx.core.quantize` does: the same numbers.
    ///
    /// - Parameters:
    ///   - w: `[N, K]` in `float32`, `bfloat16` or `float16`, K a multiple of the group. Scales get its type.
    ///   - groupSize: 32, 64 or 128.
    ///   - bits: 4 or 8.
    public static func quantize(_ w: MLXArray, groupSize: Int, bits: Int) -> QuantizedMatrix {
        var parts = [cmlx_array?](repeating: nil, count: 3)
        unfailing {
            try MLXError.check(cmlx_kernel_quantize(w.handle, Int32(groupSize), Int32(bits), &parts))
        }
        let arrays = parts.compactMap { $0.map(MLXArray.init(owning:)) }
        return QuantizedMatrix(
            weight: arrays[0], scales: arrays[1], biases: arrays[2], groupSize: groupSize, bits: bits)
    }

    /// scale * q + bias: `[N, K]` in `type`.
    public static func dequantize(_ m: QuantizedMatrix, to type: DType) -> MLXArray {
        var weight = m.c
        defer { withExtendedLifetime(m) {} }
        return .make { cmlx_kernel_dequantize(&weight, type.c, $0) }
    }

    /// Rows `ids` of a quantised table: `[..., K]`. Negative ids count from the end; a row that does not exist is NaN.
    public static func embed(_ ids: MLXArray, _ table: QuantizedMatrix, outputType: DType) -> MLXArray {
        var weight = table.c
        defer { withExtendedLifetime(table) {} }
        return .make { cmlx_kernel_embed(ids.handle, &weight, outputType.c, $0) }
    }
}
