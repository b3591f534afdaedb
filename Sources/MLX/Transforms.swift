// Gradients of functions of arrays.
//
// Each transformation exists for functions that do not throw, whose failing in MLX is then a mistake that stops the
// program, and for those that do: what the function throws comes out as it is, and MLX's own failures as `MLXError`.
import CMLX

/// A function of arrays with the values of `f` and the gradients of its first value, a scalar, in the arguments
/// `argumentNumbers`.
public func valueAndGrad(
    _ f: @escaping ([MLXArray]) throws -> [MLXArray], argumentNumbers: [Int] = [0]
) -> ([MLXArray]) throws -> ([MLXArray], [MLXArray]) {
    let arguments = int32(argumentNumbers)
    return { inputs in
        try transform(f) { function, context, values, gradients in
            let given = ArrayList(inputs)
            return cmlx_value_and_grad(function, context, given.list, arguments, arguments.count, values, gradients)
        }
    }
}

/// A function of arrays with the values of `f` and the gradients of its first value, a scalar, in the arguments
/// `argumentNumbers`.
public func valueAndGrad(
    _ f: @escaping ([MLXArray]) -> [MLXArray], argumentNumbers: [Int] = [0]
) -> ([MLXArray]) -> ([MLXArray], [MLXArray]) {
    let throwing: ([MLXArray]) throws -> [MLXArray] = f
    let transformed = valueAndGrad(throwing, argumentNumbers: argumentNumbers)
    return { inputs in unfailing { try transformed(inputs) } }
}

/// A function of one array with the value of `f`, a scalar, and its gradient.
public func valueAndGrad(_ f: @escaping (MLXArray) throws -> MLXArray) -> (MLXArray) throws -> (MLXArray, MLXArray) {
    let transformed = valueAndGrad { (inputs: [MLXArray]) throws in [try f(inputs[0])] }
    return { input in
        let (values, gradients) = try transformed([input])
        return (values[0], gradients[0])
    }
}

/// A function of one array with the value of `f`, a scalar, and its gradient.
public func valueAndGrad(_ f: @escaping (MLXArray) -> MLXArray) -> (MLXArray) -> (MLXArray, MLXArray) {
    let throwing: (MLXArray) throws -> MLXArray = f
    let transformed = valueAndGrad(throwing)
    return { input in unfailing { try transformed(input) } }
}

/// A function of arrays with the gradients of the first value of `f`, a scalar, in the arguments `argumentNumbers`.
public func grad(
    _ f: @escaping ([MLXArray]) throws -> [MLXArray], argumentNumbers: [Int] = [0]
) -> ([MLXArray]) throws -> [MLXArray] {
    let transformed = valueAndGrad(f, argumentNumbers: argumentNumbers)
    return { inputs in try transformed(inputs).1 }
}

/// A function of arrays with the gradients of the first value of `f`, a scalar, in the arguments `argumentNumbers`.
public func grad(
    _ f: @escaping ([MLXArray]) -> [MLXArray], argumentNumbers: [Int] = [0]
) -> ([MLXArray]) -> [MLXArray] {
    let transformed = valueAndGrad(f, argumentNumbers: argumentNumbers)
    return { inputs in transformed(inputs).1 }
}

/// A function of one array with the gradient of `f`, whose value is a scalar.
public func grad(_ f: @escaping (MLXArray) throws -> MLXArray) -> (MLXArray) throws -> MLXArray {
    let transformed = valueAndGrad(f)
    return { input in try transformed(input).1 }
}

/// A function of one array with the gradient of `f`, whose value is a scalar.
public func grad(_ f: @escaping (MLXArray) -> MLXArray) -> (MLXArray) -> MLXArray {
    let transformed = valueAndGrad(f)
    return { input in transformed(input).1 }
}

/// The values of `f` at `primals`, and the products of `cotangents` (one a value) with its Jacobian, one a primal.
public func vjp(
    _ f: @escaping ([MLXArray]) throws -> [MLXArray], primals: [MLXArray], cotangents: [MLXArray]
) throws -> ([MLXArray], [MLXArray]) {
    try transform(f) { function, context, values, products in
        let (given, vectors) = (ArrayList(primals), ArrayList(cotangents))
        return cmlx_vjp(function, context, given.list, vectors.list, values, products)
    }
}

/// The values of `f` at `primals`, and the products of `cotangents` (one a value) with its Jacobian, one a primal.
public func vjp(
    _ f: @escaping ([MLXArray]) -> [MLXArray], primals: [MLXArray], cotangents: [MLXArray]
) -> ([MLXArray], [MLXArray]) {
    let throwing: ([MLXArray]) throws -> [MLXArray] = f
    return unfailing { try vjp(throwing, primals: primals, cotangents: cotangents) }
}

/// The values of `f` at `primals`, and the products of its Jacobian with `tangents` (one a primal), one a value.
public func jvp(
    _ f: @escaping ([MLXArray]) throws -> [MLXArray], primals: [MLXArray], tangents: [MLXArray]
) throws -> ([MLXArray], [MLXArray]) {
    try transform(f) { function, context, values, products in
        let (given, vectors) = (ArrayList(primals), ArrayList(tangents))
        return cmlx_jvp(function, context, given.list, vectors.list, values, products)
    }
}

/// The values of `f` at `primals`, and the products of its Jacobian with `tangents` (one a primal), one a value.
public func jvp(
    _ f: @escaping ([MLXArray]) -> [MLXArray], primals: [MLXArray], tangents: [MLXArray]
) -> ([MLXArray], [MLXArray]) {
    let throwing: ([MLXArray]) throws -> [MLXArray] = f
    return unfailing { try jvp(throwing, primals: primals, tangents: tangents) }
}

/// The array as a constant: gradients stop here.
public func stopGradient(_ array: MLXArray) -> MLXArray { array.unary(CMLX_STOP_GRADIENT) }

/// Has `body` call `f` through a C function pointer and write two lists of arrays.
private func transform(
    _ f: @escaping ([MLXArray]) throws -> [MLXArray],
    _ body: (cmlx_function, UnsafeMutableRawPointer, cmlx_list, cmlx_list) -> Int32
) throws -> ([MLXArray], [MLXArray]) {
    let (first, second) = (ArrayList(), ArrayList())
    let box = FunctionBox(f)
    defer { withExtendedLifetime((first, second, box)) {} }
    let status = body(FunctionBox.trampoline, Unmanaged.passUnretained(box).toOpaque(), first.list, second.list)
    try box.check(status)
    return (first.arrays, second.arrays)
}

/// Stops the program where `body`, which calls nothing that throws, fails in MLX.
func unfailing<R>(_ body: () throws -> R) -> R {
    do { return try body() } catch { trap("MLX: \(error)") }
}
