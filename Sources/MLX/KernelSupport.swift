// What the kernels can do on this processor.
import CMLX

extension Kernel {
    /// Instruction sets the kernels are written for, slowest first.
    public enum InstructionSet: Int32, Sendable, CaseIterable {
        case portable = 0, avx2, avx512, avx512BF16

        public var name: String {
            switch self {
            case .portable: "portable"
            case .avx2: "AVX2"
            case .avx512: "AVX-512"
            case .avx512BF16: "AVX-512 with bfloat16"
            }
        }
    }

    /// The one in use, limited by the environment variable `LYRA_ISA` (portable, avx2, avx512, avx512bf16).
    public static var instructionSet: InstructionSet { InstructionSet(rawValue: cmlx_kernel_isa()) ?? .portable }

    /// Whether products of bfloat16 are faster than those of float32 here.
    public static var hasFastBFloat16: Bool { instructionSet == .avx512BF16 }
}
