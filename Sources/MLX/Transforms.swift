// Gradients of functions of arrays.
//
// A Swift error thrown by the function comes out of the transformed function as it is; its type is kept, so that
// functions that do not throw need no `try`.
import CMLX

/// A function of arrays with the values of `f` and the gradients of its first value, a scalar, in the arguments
/// `argumentNumbers`.
public func valueAndGrad<E: Error>(
    _ f: @escaping ([MLXArray]) throws(E) -> [MLXArray], argumentNumbers: [Int] = [0]
) -> ([MLXArray]) throws(E) -> ([MLXArray], [MLXArray]) {
    let arguments = int32(argumentNumbers)
    return { inputs throws(E) in
        try call(f) { function, context in
            let (given, values, gradients) = (ArrayList(inputs), ArrayList(), ArrayList())
            let status = cmlx_value_and_grad(
                function, context, given.list, arguments, arguments.count, values.list, gradients.list)
            return (status, { (values.arrays, gradients.arrays) })
        }
    }
}

/// A function of one array with the value of `f`, a scalar, and its gradient.
public func valueAndGrad<E: Error>(
    _ f: @escaping (MLXArray) throws(E) -> MLXArray
) -> (MLXArray) throws(E) -> (MLXArray, MLXArray) {
    let transformed = valueAndGrad { (inputs: [MLXArray]) throws(E) in [try f(inputs[0])] }
    return { input throws(E) in
        let (values, gradients) = try transformed([input])
        return (values[0], gradients[0])
    }
}

/// A function of arrays with the gradients of the first value of `f`, a scalar, in the arguments `argumentNumbers`.
public func grad<E: Error>(
    _ f: @escaping ([MLXArray]) throws(E) -> [MLXArray], argumentNumbers: [Int] = [0]
) -> ([MLXArray]) throws(E) -> [MLXArray] {
    let transformed = valueAndGrad(f, argumentNumbers: argumentNumbers)
    return { inputs throws(E) in try transformed(inputs).1 }
}

/// A function of one array with the gradient of `f`, whose value is a scalar.
public func grad<E: Error>(_ f: @escaping (MLXArray) throws(E) -> MLXArray) -> (MLXArray) throws(E) -> MLXArray {
    let transformed = valueAndGrad(f)
    return { input throws(E) in try transformed(input).1 }
}

/// The values of `f` at `primals`, and the products of `cotangents` (one a value) with its Jacobian, one a primal.
public func vjp<E: Error>(
    _ f: ([MLXArray]) throws(E) -> [MLXArray], primals: [MLXArray], cotangents: [MLXArray]
) throws(E) -> ([MLXArray], [MLXArray]) {
    try call(f) { function, context in
        let (given, vectors) = (ArrayList(primals), ArrayList(cotangents))
        let (values, products) = (ArrayList(), ArrayList())
        let status = cmlx_vjp(function, context, given.list, vectors.list, values.list, products.list)
        return (status, { (values.arrays, products.arrays) })
    }
}

/// The values of `f` at `primals`, and the products of its Jacobian with `tangents` (one a primal), one a value.
public func jvp<E: Error>(
    _ f: ([MLXArray]) throws(E) -> [MLXArray], primals: [MLXArray], tangents: [MLXArray]
) throws(E) -> ([MLXArray], [MLXArray]) {
    try call(f) { function, context in
        let (given, vectors) = (ArrayList(primals), ArrayList(tangents))
        let (values, products) = (ArrayList(), ArrayList())
        let status = cmlx_jvp(function, context, given.list, vectors.list, values.list, products.list)
        return (status, { (values.arrays, products.arrays) })
    }
}

/// The array as a constant: gradients stop here.
public func stopGradient(_ array: MLXArray) -> MLXArray { array.unary(CMLX_STOP_GRADIENT) }

/// Owns a list of arrays on the C side.
final class ArrayList {
    let list: cmlx_list

    init(_ arrays: [MLXArray] = []) {
        var out: cmlx_list?
        guard cmlx_list_new(&out) == 0, let out else { trap("MLX: \(MLXError.last)") }
        list = out
        ArrayList.append(arrays, to: out)
    }

    deinit { cmlx_list_free(list) }

    var arrays: [MLXArray] { ArrayList.arrays(of: list) }

    static func arrays(of list: cmlx_list?) -> [MLXArray] {
        guard let list else { return [] }
        return (0..<cmlx_list_count(list)).map { index in MLXArray.make { cmlx_list_get(list, index, $0) } }
    }

    static func append(_ arrays: [MLXArray], to list: cmlx_list?) {
        guard let list else { return }
        for array in arrays {
            require(cmlx_list_append(list, array.handle) == 0, "MLX: \(MLXError.last)")
        }
    }
}

/// What a C function pointer needs to call a Swift function, and the error that it threw.
final class FunctionBox {
    let body: ([MLXArray]) throws -> [MLXArray]
    var error: (any Error)?

    init(_ body: @escaping ([MLXArray]) throws -> [MLXArray]) { self.body = body }

    static let trampoline: cmlx_function = { context, inputs, outputs in
        guard let context else { return 1 }
        let box = Unmanaged<FunctionBox>.fromOpaque(context).takeUnretainedValue()
        do {
            ArrayList.append(try box.body(ArrayList.arrays(of: inputs)), to: outputs)
            return 0
        } catch {
            box.error = error
            cmlx_report("\(error)")
            return 1
        }
    }
}

/// Has `transform` call `f` through a C function pointer. An error of `f` is thrown as it is; MLX's own are thrown where
/// `E` can hold them and trap elsewhere, as they mean that `f` or its arguments cannot be transformed so.
private func call<E: Error, R>(
    _ f: ([MLXArray]) throws(E) -> [MLXArray],
    _ transform: (cmlx_function, UnsafeMutableRawPointer) -> (Int32, () -> R)
) throws(E) -> R {
    // The box does not outlive this call, nor does the transformation keep it.
    let outcome: Result<R, E> = withoutActuallyEscaping(f) { f in
        let box = FunctionBox { try f($0) }
        let (status, results) = transform(FunctionBox.trampoline, Unmanaged.passUnretained(box).toOpaque())
        defer { withExtendedLifetime(box) {} }
        if status == 0 { return .success(results()) }
        if let error = box.error as? E { return .failure(error) }
        guard let error = MLXError.last as? E else { trap("MLX: \(MLXError.last)") }
        return .failure(error)
    }
    return try outcome.get()
}
