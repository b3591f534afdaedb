// Computing arrays, and the memory they take.
import CMLX

extension MLXArray {
    /// Computes the array and waits. Traps where computing fails; ``checkedEval(_:)`` throws instead.
    public func eval() { MLX.eval([self]) }
}

/// Computes arrays and waits. Traps where computing fails; ``checkedEval(_:)`` throws instead.
public func eval(_ arrays: MLXArray...) { eval(arrays) }

/// Computes arrays and waits. Traps where computing fails; ``checkedEval(_:)`` throws instead.
public func eval(_ arrays: some Collection<MLXArray>) {
    unfailing { try checkedEval(arrays) }
}

/// Computes arrays and waits. Throws where an operation fails. (Want of memory is none: on a CPU MLX does not notice it,
/// and the process ends.)
public func checkedEval(_ arrays: some Collection<MLXArray>) throws(MLXError) {
    let list = Array(arrays)
    defer { withExtendedLifetime(list) {} }
    let inputs = handles(list)
    try MLXError.check(cmlx_eval(inputs, inputs.count))
}

/// Computes arrays and waits. Throws where an operation fails.
public func checkedEval(_ arrays: MLXArray...) throws(MLXError) { try checkedEval(arrays) }

/// Starts computing arrays and returns at once; reading them waits.
public func asyncEval(_ arrays: some Collection<MLXArray>) {
    let list = Array(arrays)
    defer { withExtendedLifetime(list) {} }
    let inputs = handles(list)
    require(cmlx_async_eval(inputs, inputs.count) == 0, "MLX: \(MLXError.last)")
}

/// Starts computing arrays and returns at once; reading them waits.
public func asyncEval(_ arrays: MLXArray...) { asyncEval(arrays) }

/// Memory of arrays in this process, in bytes.
public enum Memory {
    /// What live arrays take. Wrapped memory does not count.
    public static var activeMemory: Int { bytes(CMLX_MEMORY_ACTIVE) }
    /// The most that live arrays took since the start or ``resetPeakMemory()``.
    public static var peakMemory: Int { bytes(CMLX_MEMORY_PEAK) }
    /// What is kept for the next arrays.
    public static var cacheMemory: Int { bytes(CMLX_MEMORY_CACHE) }

    /// Beyond this evaluation waits for memory to be freed.
    public static var memoryLimit: Int {
        get { bytes(CMLX_MEMORY_LIMIT) }
        set { set(CMLX_MEMORY_LIMIT, newValue) }
    }

    /// How much may be kept for the next arrays; 0 keeps none.
    public static var cacheLimit: Int {
        get { bytes(CMLX_MEMORY_CACHE_LIMIT) }
        set { set(CMLX_MEMORY_CACHE_LIMIT, newValue) }
    }

    /// For programs that make and free the same large arrays again and again, such as steps of training: freed memory stays
    /// with the process, all of it, instead of going back to the system and coming as fresh pages. Best before other work.
    public static func keepFreed() { cmlx_memory_keep() }

    /// Gives back what is kept for the next arrays.
    public static func clearCache() { set(CMLX_MEMORY_CACHE, 0) }
    /// Starts counting ``peakMemory`` anew.
    public static func resetPeakMemory() { set(CMLX_MEMORY_PEAK, 0) }

    private static func bytes(_ which: cmlx_memory) -> Int { Int(clamping: cmlx_memory_get(which)) }
    private static func set(_ which: cmlx_memory, _ bytes: Int) { _ = cmlx_memory_set(which, max(bytes, 0)) }
}

/// Where operations run.
public enum Device: Sendable {
    case cpu, gpu

    /// A GPU where MLX was built for one and finds it, unless the environment says `LYRA_DEVICE=cpu`.
    /// - Throws: `MLXError` if `LYRA_DEVICE` or `LYRA_GPU_MEMORY` says what cannot be. Programs ask once, before they compute.
    public static var current: Device {
        get throws(MLXError) {
            var isGPU = false
            try MLXError.check(cmlx_on_gpu(&isGPU))
            return isGPU ? .gpu : .cpu
        }
    }
}
