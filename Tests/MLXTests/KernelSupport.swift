// What the kernel tests share: arrays from Swift numbers, repeatable random numbers, comparison with a tolerance,
// every instruction set in turn, gradients.
import CMLX
import Testing

@testable import MLX

/// An array of `values`, rounded to `type`.
func array(_ values: [Float], _ shape: [Int], _ type: DType = .float32) -> MLXArray {
    precondition(values.count == shape.reduce(1, *))
    let dimensions = shape.map(Int32.init)
    let wide = MLXArray.make { cmlx_array_from_data(values, dimensions, dimensions.count, CMLX_FLOAT32, $0) }
    return type == .float32 ? wide : MLXArray.make { cmlx_kernel_convert(wide.handle, type.c, $0) }
}

/// The elements of `array` in row-major order.
func floats(_ array: MLXArray) -> [Float] {
    let wide = array.dtype == .float32 ? array : MLXArray.make { cmlx_kernel_convert(array.handle, CMLX_FLOAT32, $0) }
    var data: UnsafeRawPointer?
    guard cmlx_array_data(wide.handle, &data) == 0, let data else {
        Issue.record("cannot compute: \(String(cString: cmlx_last_error()))")
        return []
    }
    return Array(UnsafeBufferPointer(start: data.assumingMemoryBound(to: Float.self), count: wide.size))
}

/// Small repeatable random numbers (a 64-bit linear congruential generator), about uniform in [-scale, scale].
struct Numbers {
    var state: UInt64
    init(_ seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 | 1 }
    mutating func next() -> Float {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Float(Int32(truncatingIfNeeded: state >> 32)) / Float(1 << 31)
    }
    mutating func callAsFunction(_ count: Int, scale: Float = 1) -> [Float] { (0..<count).map { _ in next() * scale } }
    mutating func array(_ shape: [Int], _ type: DType = .float32, scale: Float = 1) -> MLXArray {
        MLXTests.array(self(shape.reduce(1, *), scale: scale), shape, type)
    }
}

/// Expects |actual - expected| <= tolerance (largest |expected| + 1) everywhere, and the same count.
func expectClose(
    _ actual: [Float], _ expected: [Float], _ tolerance: Float, _ what: String = "",
    sourceLocation: SourceLocation = #_sourceLocation
) {
    guard actual.count == expected.count else {
        Issue.record("\(what): \(actual.count) elements, expected \(expected.count)", sourceLocation: sourceLocation)
        return
    }
    let scale = expected.reduce(0) { max($0, abs($1)) } + 1
    var worst: Float = 0
    var place = 0
    for (i, (a, e)) in zip(actual, expected).enumerated() {
        let difference = a.isNaN || e.isNaN ? (a.isNaN && e.isNaN ? 0 : .infinity) : a == e ? 0 : abs(a - e)
        if difference > worst { (worst, place) = (difference, i) }
    }
    if worst > tolerance * scale {
        let message = "\(what): element \(place) is \(actual[place]), expected \(expected[place]) (scale \(scale))"
        Issue.record("\(message)", sourceLocation: sourceLocation)
    }
}

/// Relative rounding of the storage types; what an output of that type may differ by, besides the sum's own error.
func rounding(_ type: DType) -> Float { type == .bfloat16 ? 1.0 / 256 : type == .float16 ? 1.0 / 2048 : 1e-6 }

/// Runs `body` with each instruction set this machine has, best one last. Tests that call this are serialised.
func forEachInstructionSet(_ body: (String) throws -> Void) rethrows {
    let names = ["portable", "avx2", "avx512", "avx512bf16"]
    for (level, name) in names.enumerated() {
        cmlx_kernel_limit_isa(Int32(level))
        if cmlx_kernel_isa() == Int32(level) { try body(name) }
    }
    cmlx_kernel_limit_isa(3)
}

/// Gradients of sum(upstream * function(arguments)) with respect to every argument, taken by MLX.
func gradients(
    _ arguments: [MLXArray], upstream: MLXArray, _ function: @escaping ([MLXArray]) -> MLXArray
) -> [[Float]] {
    final class Box {
        let function: ([MLXArray]) -> MLXArray
        init(_ f: @escaping ([MLXArray]) -> MLXArray) { function = f }
    }
    let box = Box(function)
    var outputs = [cmlx_array?](repeating: nil, count: arguments.count)
    let handles: [cmlx_array?] = arguments.map(\.handle)
    let status = cmlx_kernel_test_vjp(
        { context, inputs, count, out in
            let box = Unmanaged<Box>.fromOpaque(context!).takeUnretainedValue()
            let arguments = (0..<count).map { i in
                MLXArray.make { cmlx_array_retain(inputs![i], $0) }
            }
            let result = box.function(arguments)
            return cmlx_array_retain(result.handle, out)
        },
        Unmanaged.passUnretained(box).toOpaque(), handles, handles.count, upstream.handle, &outputs)
    guard status == 0 else {
        Issue.record("cannot differentiate: \(String(cString: cmlx_last_error()))")
        return []
    }
    return outputs.map { floats(MLXArray(owning: $0!)) }
}

/// The part at `index` of `axis`, as a view of the same memory.
func slice(_ array: MLXArray, axis: Int, _ index: Int) -> MLXArray {
    .make { cmlx_kernel_test_slice(array.handle, Int32(axis), Int32(index), $0) }
}
