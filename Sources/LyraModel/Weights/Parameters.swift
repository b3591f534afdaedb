// How networks get their weights: each asks for a tensor by its checkpoint name and shape, and every problem of the
// checkpoint is collected and reported at once. The same requests, recorded, say what a new checkpoint must hold.
import Foundation
import MLX

/// Tensors by name: a safetensors file, a torch archive, or a dictionary.
public protocol TensorSource {
    /// Shape and element type, or nil when there is no such tensor.
    func describe(_ name: String) -> (shape: [Int], dtype: DType)?
    func array(_ name: String) throws -> MLXArray
    /// Lets go of memory that reading the tensor has filled; called once it has been converted.
    func discard(_ name: String)
    var names: [String] { get }
    /// For messages: the file or folder.
    var origin: String { get }
}

extension TensorSource {
    public func discard(_ name: String) {}
}

/// A checkpoint whose tensors do not fit the network; the message lists all of them.
public struct CheckpointError: Error, LocalizedError, Equatable {
    public enum Problem: Equatable, Sendable, Comparable {
        case missing(name: String, shape: [Int])
        case misshapen(name: String, shape: [Int], expected: [Int])
        case unusable(name: String, reason: String)
        case unexpected(name: String)

        public static func < (a: Problem, b: Problem) -> Bool { a.text < b.text }

        /// In words.
        public var text: String {
            switch self {
            case .missing(let name, let shape): "missing: \(name) \(shape)"
            case .misshapen(let name, let shape, let expected): "wrong shape: \(name) is \(shape), expected \(expected)"
            case .unusable(let name, let reason): "unusable: \(name): \(reason)"
            case .unexpected(let name): "unexpected: \(name)"
            }
        }
    }
    public let origin: String
    public let problems: [Problem]
    /// What the tensors should fit.
    public let standard: String

    package init(origin: String, problems: [Problem], standard: String = "its configuration") {
        (self.origin, self.problems, self.standard) = (origin, problems, standard)
    }

    public var errorDescription: String? {
        let shown = problems.prefix(40).map { "  " + $0.text }.joined(separator: "\n")
        let more = problems.count > 40 ? "\n  ... and \(problems.count - 40) more" : ""
        return "\(origin) does not fit \(standard) (\(problems.count) tensors):\n\(shown)\(more)"
    }
}

/// Hands out weights and keeps account of what was asked for and what was wrong.
public final class Parameters {
    /// A tensor a network asked for.
    public struct Request: Sendable, Equatable {
        public var name: String
        public var shape: [Int]
        public var isMatrix: Bool
        /// Whether it is the matrix of a linear map or a table, which may be quantised.
        public var isMap = false
        /// Tells apart tensors of equal names in different files, when values are made up.
        var salt = ""
    }

    private let source: (any TensorSource)?
    /// Whether conversions are left to the graph, so that gradients pass through them, instead of being made at once.
    private let isTraced: Bool
    /// Element type of matrices: what products are computed in. Vectors (norms, biases) are kept in float32.
    public let computeType: DType
    /// How quantised weights are packed.
    private let quantization: Quantization?
    /// Whether products of many rows are taken in 8-bit integers.
    public let usesInt8: Bool
    public private(set) var requests: [Request] = []
    private var problems: [CheckpointError.Problem] = []

    /// Tensors handed out so far, in the type they are computed in.
    public private(set) var taken: [String: MLXArray] = [:]

    /// Reads from `source`; without one, only records what is asked for. With `isTraced`, conversions are part of the graph.
    public init(
        _ source: (any TensorSource)?, computeType: DType = .float32, isTraced: Bool = false, quantization: Quantization? = nil,
        usesInt8: Bool = false
    ) {
        self.source = source
        self.computeType = computeType
        self.isTraced = isTraced
        self.quantization = quantization
        self.usesInt8 = usesInt8
    }

    /// The weights of a linear map, `LAYER.weight`, or of a table: quantised where there are `LAYER.scales`, else as a matrix.
    /// Quantised weights are used as they are stored.
    public func weight(_ layer: String, _ shape: [Int]) -> Kernel.Weight {
        if let source, source.describe("\(layer).scales") != nil { return quantized(layer, shape, source) }
        return .dense(take(Request(name: "\(layer).weight", shape: shape, isMatrix: true, isMap: true), as: computeType))
    }

    /// The weights of a layer in the form that its products read.
    func forProducts(_ weight: Kernel.Weight, _ layer: String) -> Kernel.Weight {
        guard usesInt8, case .dense(let matrix) = weight, matrix.size > 0 else { return weight }
        let packed = Int8Matrix(matrix)
        eval(packed.arrays)  // one by one, so that at most one exists in both forms
        taken["\(layer).weight"] = nil
        source?.discard("\(layer).weight")
        return .int8(packed)
    }

    private func quantized(_ layer: String, _ shape: [Int], _ source: any TensorSource) -> Kernel.Weight {
        let parts = ["weight", "scales", "biases"].map { "\(layer).\($0)" }
        func fail(_ problem: CheckpointError.Problem) -> Kernel.Weight {
            for name in parts { requests.append(Request(name: name, shape: shape, isMatrix: true, isMap: true)) }
            problems.append(problem)
            return .dense(MLXArray.zeros([0]))
        }
        guard let setting = quantization?.setting(layer) else {
            return fail(.unusable(name: parts[1], reason: "config.json has no \"quantization\" that says how it is packed"))
        }
        guard setting.fits(columns: shape[1]) else {
            return fail(.unusable(name: parts[0], reason: "rows of \(shape[1]) weights are no whole groups of \(setting.groupSize)"))
        }
        let groups = [shape[0], shape[1] / setting.groupSize]
        let shapes = [[shape[0], shape[1] * setting.bits / 32], groups, groups]
        var arrays: [MLXArray] = []
        for (name, shape) in zip(parts, shapes) {
            requests.append(Request(name: name, shape: shape, isMatrix: true, isMap: true))
            guard let found = source.describe(name) else {
                problems.append(.missing(name: name, shape: shape))
                continue
            }
            guard found.shape == shape else {
                problems.append(.misshapen(name: name, shape: found.shape, expected: shape))
                continue
            }
            guard let array = try? source.array(name) else {
                problems.append(.unusable(name: name, reason: "it cannot be read"))
                continue
            }
            arrays.append(array)
        }
        guard arrays.count == 3, arrays.allSatisfy({ $0.size > 0 }) else { return .dense(MLXArray.zeros([0])) }
        if let problem = QuantizedMatrix.problem(
            weight: arrays[0], scales: arrays[1], biases: arrays[2], groupSize: setting.groupSize, bits: setting.bits)
        {
            problems.append(.unusable(name: parts[0], reason: problem))
            return .dense(MLXArray.zeros([0]))
        }
        return .quantized(
            QuantizedMatrix(
                weight: arrays[0], scales: arrays[1], biases: arrays[2], groupSize: setting.groupSize, bits: setting.bits))
    }

    /// A weight matrix (or convolution kernel, or table), converted to `computeType`.
    public func matrix(_ name: String, _ shape: [Int]) -> MLXArray {
        take(Request(name: name, shape: shape, isMatrix: true), as: computeType)
    }

    /// A bias or a norm's scale, in float32.
    public func vector(_ name: String, _ shape: [Int]) -> MLXArray {
        take(Request(name: name, shape: shape, isMatrix: false), as: .float32)
    }

    /// A matrix that must be float32 whatever the compute type.
    public func exact(_ name: String, _ shape: [Int]) -> MLXArray {
        take(Request(name: name, shape: shape, isMatrix: true), as: .float32)
    }

    /// Whether the source holds the tensor; always true while recording.
    public func has(_ name: String) -> Bool { source.map { $0.describe(name) != nil } ?? true }

    private func take(_ request: Request, as type: DType) -> MLXArray {
        requests.append(request)
        guard let source else { return MLXArray.zeros([0]) }
        guard let found = source.describe(request.name) else {
            problems.append(.missing(name: request.name, shape: request.shape))
            return MLXArray.zeros([0])
        }
        guard found.shape == request.shape else {
            problems.append(.misshapen(name: request.name, shape: found.shape, expected: request.shape))
            return MLXArray.zeros([0])
        }
        guard found.dtype.isFloatingPoint else {
            problems.append(.unusable(name: request.name, reason: "element type \(found.dtype) is not a floating-point one"))
            return MLXArray.zeros([0])
        }
        do {
            var array = try source.array(request.name)
            if array.dtype != type {
                array = Kernel.convert(array, to: type)
                if !isTraced {
                    // One by one, so that at most one tensor exists in both types.
                    eval(array)
                    source.discard(request.name)
                }
            }
            taken[request.name] = array
            return array
        } catch {
            problems.append(.unusable(name: request.name, reason: error.localizedDescription))
            return MLXArray.zeros([0])
        }
    }

    /// Throws one error that lists every missing, misshapen or unusable tensor, and tensors nobody asked for whose name
    /// `isKnown` does not accept.
    public func finish(isKnown: (String) -> Bool = { _ in true }) throws {
        guard let source else { return }
        let asked = Set(requests.map(\.name))
        let extra = source.names.filter { !asked.contains($0) && !isKnown($0) }
        let all = problems.sorted() + extra.sorted().map { .unexpected(name: $0) }
        guard all.isEmpty else { throw CheckpointError(origin: source.origin, problems: all) }
    }
}

/// Tensors held in memory, by name.
public struct DictionarySource: TensorSource {
    public var arrays: [String: MLXArray]
    public let origin: String
    public init(_ arrays: [String: MLXArray], origin: String = "parameters in memory") {
        (self.arrays, self.origin) = (arrays, origin)
    }
    public func describe(_ name: String) -> (shape: [Int], dtype: DType)? { arrays[name].map { ($0.shape, $0.dtype) } }
    public func array(_ name: String) throws -> MLXArray {
        guard let array = arrays[name] else { throw CheckpointError(origin: origin, problems: [.missing(name: name, shape: [])]) }
        return array
    }
    public var names: [String] { Array(arrays.keys) }
}
