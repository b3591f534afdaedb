// Functions whose gradients are computed in a way of their own: again, or by a formula.
import CMLX

/// A function with the values of `f` that keeps none of its intermediate results: for gradients they are computed again.
///
/// All arrays that gradients are wanted for must be arguments. An error of `f` comes out of the returned function as it
/// is; one that `f` throws only when computed again comes out of the gradient as an ``MLXError``.
public func checkpoint(
    _ f: @escaping ([MLXArray]) throws -> [MLXArray]
) -> ([MLXArray]) throws -> [MLXArray] {
    return { inputs in
        let box = FunctionBox(f)
        let (given, outputs) = (ArrayList(inputs), ArrayList())
        let status = cmlx_checkpoint(
            FunctionBox.trampoline, Unmanaged.passRetained(box).toOpaque(),
            { context in
                if let context { Unmanaged<FunctionBox>.fromOpaque(context).release() }
            }, given.list, outputs.list)
        try box.check(status)
        return outputs.arrays
    }
}

/// A function with the values of `f` that keeps none of its intermediate results: for gradients they are computed again.
///
/// All arrays that gradients are wanted for must be arguments.
public func checkpoint(_ f: @escaping ([MLXArray]) -> [MLXArray]) -> ([MLXArray]) -> [MLXArray] {
    let throwing: ([MLXArray]) throws -> [MLXArray] = f
    let transformed = checkpoint(throwing)
    return { inputs in unfailing { try transformed(inputs) } }
}

/// A function of arrays with a gradient of its own.
public struct CustomFunction {
    /// Values from arguments.
    public typealias Forward = ([MLXArray]) -> [MLXArray]
    /// Gradients, one an argument, from arguments, cotangents of the values, and values.
    public typealias VJP = (_ primals: [MLXArray], _ cotangents: [MLXArray], _ outputs: [MLXArray]) -> [MLXArray]

    private let forward: Forward
    private let vjp: VJP

    /// A function with the values of `forward` and the gradients of `vjp`.
    public init(forward: @escaping Forward, vjp: @escaping VJP) {
        self.forward = forward
        self.vjp = vjp
    }

    /// The values at `inputs`.
    public func callAsFunction(_ inputs: [MLXArray]) -> [MLXArray] {
        let box = CustomBox(forward, vjp)
        let (given, outputs) = (ArrayList(inputs), ArrayList())
        let status = cmlx_custom(
            { context, inputs, outputs in
                guard let context else { return 1 }
                let box = Unmanaged<CustomBox>.fromOpaque(context).takeUnretainedValue()
                ArrayList.append(box.forward(ArrayList.arrays(of: inputs)), to: outputs)
                return 0
            },
            { context, inputs, cotangents, outputs, gradients in
                guard let context else { return 1 }
                let box = Unmanaged<CustomBox>.fromOpaque(context).takeUnretainedValue()
                let results = box.vjp(
                    ArrayList.arrays(of: inputs), ArrayList.arrays(of: cotangents), ArrayList.arrays(of: outputs))
                ArrayList.append(results, to: gradients)
                return 0
            },
            Unmanaged.passRetained(box).toOpaque(),
            { context in
                if let context { Unmanaged<CustomBox>.fromOpaque(context).release() }
            }, given.list, outputs.list)
        require(status == 0, "MLX: \(MLXError.last)")
        return outputs.arrays
    }
}

private final class CustomBox {
    let forward: CustomFunction.Forward
    let vjp: CustomFunction.VJP

    init(_ forward: @escaping CustomFunction.Forward, _ vjp: @escaping CustomFunction.VJP) {
        self.forward = forward
        self.vjp = vjp
    }
}
