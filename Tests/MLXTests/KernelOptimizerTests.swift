// The optimiser's step against PyTorch and in place; sums of squares; attention within packed sequences.
import CMLX
import Foundation
import Testing

@testable import MLX

extension KernelTests {
    @Suite struct Optimizer {
        @Test func adamWIsPyTorchs() throws {
            let f = try TorchFixtures.load().adamW
            forEachImplementation { how in
                var parameter = array(f.start, [53])
                let zeros = [Float](repeating: 0, count: 53)
                var (first, second) = (array(zeros, [53]), array(zeros, [53]))
                for step in f.gradients.indices {
                    // Half the gradient, doubled: the scale has to enter.
                    let half = array(f.gradients[step].map { $0 / 2 }, [53])
                    (parameter, first, second) = Kernel.adamW(
                        parameter, gradient: half, firstMoment: first, secondMoment: second,
                        settings: .init(
                            beta1: f.beta1, beta2: f.beta2, epsilon: f.epsilon, weightDecay: f.weightDecay),
                        learningRate: f.learningRate, step: step + 1, gradientScale: 2)
                    for (actual, expected) in [
                        (parameter, f.parameters[step]), (first, f.first[step]), (second, f.second[step]),
                    ] {
                        // 1e-7 of the value, and of the largest for what cancels.
                        let largest = expected.map(abs).max() ?? 0
                        for (a, e) in zip(floats(actual), expected) {
                            #expect(abs(a - e) <= 1e-7 * (abs(e) + largest), "\(how) step \(step + 1): \(a), \(e)")
                        }
                    }
                }
            }
        }

        @Test func adamWTakesTheMemoryOfTheOldValues() {
            let size = 1 << 20
            func filled(_ value: Float) -> MLXArray { array([Float](repeating: value, count: size), [size]) }
            func address(_ a: MLXArray) -> UnsafeRawPointer? {
                var data: UnsafeRawPointer?
                return cmlx_array_data(a.handle, &data) == 0 ? data : nil
            }
            var state = [filled(1), filled(0), filled(0)]
            let gradient = filled(2)
            let before = state.map(address)
            for step in 1...2 {
                let (p, m, v) = Kernel.adamW(
                    state[0], gradient: gradient, firstMoment: state[1], secondMoment: state[2], learningRate: 0.1,
                    step: step)
                state = [p, m, v]
                eval(state)
            }
            #expect(state.map(address) == before)
            // Held elsewhere, old values stay as they are.
            let old = state[0], value = floats(old)[5]
            let (p, _, _) = Kernel.adamW(
                old, gradient: gradient, firstMoment: state[1], secondMoment: state[2], learningRate: 0.1, step: 3)
            #expect(floats(p)[5] != value && floats(old)[5] == value)
        }

        @Test func sumsOfSquares() {
            forEachImplementation { how in
                var numbers = Numbers(81)
                let parts = [
                    numbers.array([300_001]), numbers.array([7, 33], .bfloat16, scale: 5), numbers.array([1], .float16),
                    numbers.array([0]), slice(numbers.array([6, 2, 9]), axis: 1, 1),
                ]
                let expected = parts.flatMap(doubles).reduce(0) { $0 + $1 * $1 }
                // MLX's own sum on a CPU adds 300,000 numbers one after another.
                let tolerance = how == "composed" ? 1e-4 : 1e-7
                #expect(abs(Double(floats(Kernel.sumOfSquares(parts))[0]) / expected - 1) < tolerance, "\(how)")
                #expect(floats(Kernel.sumOfSquares([]))[0] == 0, "\(how)")
            }
        }
    }

    @Suite struct PackedAttention {
        static let segments: [[Int]] = [
            [0, 7], [0, 1, 2, 3], [0, 130, 130, 135, 400], [0, 64, 128, 131], [0, 0],
        ]

        @Test(arguments: segments, [true, false]) func isThatOfEachSequence(segments: [Int], causal: Bool) {
            let total = segments.last ?? 0
            let scale: Float = 0.3
            forEachImplementation { how in
                for (type, tolerance) in [(DType.float32, Float(2e-6)), (.bfloat16, 0.01)] {
                    var numbers = Numbers(83)
                    let arguments = [
                        numbers.array([1, total, 6, 24], type), numbers.array([1, total, 2, 24], type),
                        numbers.array([1, total, 2, 24], type),
                    ]
                    let upstream = numbers.array([1, total, 6, 24], type)
                    func packed(_ x: [MLXArray]) -> MLXArray {
                        Kernel.attention(x[0], x[1], x[2], scale: scale, causal: causal, segments: segments)
                    }
                    let y = packed(arguments)
                    #expect(y.shape == [1, total, 6, 24] && y.dtype == type)
                    guard total > 0 else { continue }
                    let all = floats(y), slopes = gradients(arguments, upstream: upstream, packed)
                    for (begin, end) in zip(segments, segments.dropFirst()) where end > begin {
                        let range = begin..<end
                        let parts = (arguments + [upstream]).map { $0[0..., range] }
                        let single = Kernel.attention(parts[0], parts[1], parts[2], scale: scale, causal: causal)
                        let what = "\(how) \(type) \(range)"
                        let part = Array(all[range.lowerBound * 144..<range.upperBound * 144])
                        expectClose(part, floats(single), tolerance, what)
                        let expected = gradients(Array(parts.prefix(3)), upstream: parts[3]) {
                            Kernel.attention($0[0], $0[1], $0[2], scale: scale, causal: causal)
                        }
                        for (i, width) in [144, 48, 48].enumerated() {
                            let part = Array(slopes[i][range.lowerBound * width..<range.upperBound * width])
                            expectClose(part, expected[i], tolerance, "gradient \(i) \(what)")
                        }
                    }
                }
            }
        }

        static let turns: [(segments: [Int], turns: [Int])] = [
            ([0, 7], [3, 5]), ([0, 9, 20], [0, 4, 12, 13]), ([0, 150, 190, 400], [64, 65, 100, 300, 370]), ([0, 5, 8], [6]),
        ]

        /// A turn is what it would be if it alone followed the beginning that it shares with others.
        @Test(arguments: turns.indices) func turnsAreThoseOfSequencesOfTheirOwn(number: Int) {
            let (segments, turns) = Self.turns[number]
            let total = segments.last ?? 0
            forEachImplementation { how in
                for (type, tolerance) in [(DType.float32, Float(4e-6)), (.bfloat16, 0.02)] {
                    var numbers = Numbers(85)
                    let arguments = [
                        numbers.array([1, total, 4, 32], type), numbers.array([1, total, 2, 32], type),
                        numbers.array([1, total, 2, 32], type),
                    ]
                    let upstream = numbers.array([1, total, 4, 32], type)
                    func packed(_ x: [MLXArray]) -> MLXArray {
                        Kernel.attention(x[0], x[1], x[2], scale: 0.3, causal: true, segments: segments, turns: turns)
                    }
                    func alone(_ x: [MLXArray]) -> MLXArray {
                        var parts: [MLXArray] = []
                        for (begin, end) in zip(segments, segments.dropFirst()) {
                            let inside = turns.filter { (begin..<end).contains($0) }
                            let shared = begin..<(inside.first ?? end)
                            func attend(_ x: [MLXArray]) -> MLXArray {
                                Kernel.attention(x[0], x[1], x[2], scale: 0.3, causal: true)
                            }
                            if !shared.isEmpty { parts.append(attend(x.map { $0[0..., shared] })) }
                            for (turn, next) in zip(inside, inside.dropFirst() + [end]) {
                                let rows = x.map { concatenated([$0[0..., shared], $0[0..., turn..<next]], axis: 1) }
                                parts.append(attend(rows)[0..., shared.count...])
                            }
                        }
                        return concatenated(parts, axis: 1)
                    }
                    let what = "\(how) \(type)"
                    expectClose(floats(packed(arguments)), floats(alone(arguments)), tolerance, what)
                    let found = gradients(arguments, upstream: upstream, packed)
                    for (i, expected) in gradients(arguments, upstream: upstream, alone).enumerated() {
                        expectClose(found[i], expected, tolerance, "gradient \(i) \(what)")
                    }
                }
            }
        }
    }
}
