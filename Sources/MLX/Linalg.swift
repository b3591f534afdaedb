// Systems of linear equations.
import CMLX

public enum MLXLinalg {
    /// x of `a x = b`, by LU decomposition: `a` is `[n, n]`, `b` `[n, m]`, both `float32`. Computed on the CPU.
    public static func solve(_ a: MLXArray, _ b: MLXArray) -> MLXArray { .make { cmlx_solve(a.handle, b.handle, $0) } }
}
