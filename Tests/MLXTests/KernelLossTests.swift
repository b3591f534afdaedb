// Cross-entropy, soft-DTW and CTC against plain formulas and PyTorch, as kernels and composed of MLX operations.
import CMLX
import Foundation
import Testing

@testable import MLX

/// Runs `body` with kernels of every instruction set, then composed of MLX operations as on other devices.
func forEachImplementation(_ body: (String) throws -> Void) rethrows {
    try forEachInstructionSet(body)
    cmlx_kernel_test_compose(true)
    defer { cmlx_kernel_test_compose(false) }
    try body("composed")
}

func ints(_ values: [Int32], _ shape: [Int]) -> MLXArray { MLXArray(values, shape) }

extension KernelTests {
    @Suite struct Losses {
        let torch: TorchFixtures
        init() throws { torch = try TorchFixtures.load() }

        // MARK: Cross-entropy

        @Test func crossEntropyIsPyTorchs() {
            let f = torch.crossEntropy
            let targets = ints(f.targets, [f.shape[0]])
            forEachImplementation { how in
                let logits = array(f.logits, f.shape)
                expectClose(floats(Kernel.crossEntropy(logits: logits, targets: targets)), f.losses, 1e-6, how)
                let slopes = gradients([logits], upstream: array(f.upstream, [f.shape[0]])) {
                    Kernel.crossEntropy(logits: $0[0], targets: targets)
                }
                expectClose(slopes[0], f.gradient, 1e-6, how)
            }
        }

        @Test(arguments: [(1, 1), (3, 16), (40, 1001), (2, 9000)], [DType.float32, .bfloat16])
        func crossEntropyMatchesFormula(shape: (rows: Int, classes: Int), type: DType) {
            forEachImplementation { how in
                var numbers = Numbers(51)
                let logits = numbers.array([shape.rows, shape.classes], type, scale: 20)
                let upstream = numbers.array([shape.rows])
                let classes = (0..<shape.rows).map { Int32($0 % 7 == 5 ? -1 : ($0 * 31) % shape.classes) }
                let targets = ints(classes, [shape.rows])
                let expected = Reference.crossEntropy(doubles(logits), classes, classes: shape.classes)
                let y = Kernel.crossEntropy(logits: logits, targets: targets)
                #expect(y.dtype == .float32)
                expectClose(floats(y), expected.map { Float($0) }, 5e-7, how)
                let slopes = gradients([logits], upstream: upstream) {
                    Kernel.crossEntropy(logits: $0[0], targets: targets)
                }
                let expectedSlopes = Reference.crossEntropyGradient(
                    doubles(logits), classes, upstream: doubles(upstream), classes: shape.classes)
                expectClose(slopes[0], expectedSlopes.map { Float($0) }, type == .float32 ? 2e-6 : rounding(type), how)
            }
        }

        @Test func crossEntropyReadsStridedLogits() {
            var numbers = Numbers(53)
            let wide = numbers.array([5, 2, 30])
            let part = slice(wide, axis: 1, 1)
            let targets = ints([0, 29, 3, 4, 5], [5])
            let expected = Reference.crossEntropy(doubles(part), [0, 29, 3, 4, 5], classes: 30)
            expectClose(floats(Kernel.crossEntropy(logits: part, targets: targets)), expected.map { Float($0) }, 1e-6)
        }

        @Test func crossEntropySaysWhatIsWrongWithItsInputs() {
            forEachImplementation { how in
                let inputs: [Float] = [.infinity, 0, 0, .nan, 0, 0, -.infinity, 0, 0, 1, 2, 3, 1, 2, 3]
                let logits = array(inputs, [5, 3])
                let targets = ints([0, 1, 0, 3, -100], [5])
                let losses = floats(Kernel.crossEntropy(logits: logits, targets: targets))
                #expect(losses[0].isNaN && losses[1].isNaN && losses[2] == .infinity && losses[3].isNaN, "\(how)")
                #expect(losses[4] == 0, "\(how)")
                let masked = array([-.infinity, 1, 2], [1, 3])
                let slopes = gradients([masked], upstream: array([1], [1])) {
                    Kernel.crossEntropy(logits: $0[0], targets: ints([2], [1]))
                }
                expectClose(slopes[0], [0, 0.26894143, -0.26894143], 1e-7, how)
            }
        }

        // MARK: Soft-DTW

        @Test(arguments: [(1, 1), (1, 5), (7, 1), (5, 11), (20, 6), (16, 16), (33, 47), (300, 70)])
        func softDTWMatchesRecursion(shape: (rows: Int, columns: Int)) {
            forEachImplementation { how in
                guard how != "composed" || shape.rows < 100 else { return }
                for gamma in [Float(0.1), 1] {
                    var numbers = Numbers(57)
                    let cost = array(
                        numbers(shape.rows * shape.columns).map { abs($0) * 9 }, [shape.rows, shape.columns])
                    let c = doubles(cost)
                    let expected = Reference.softDTW(
                        c, rows: shape.rows, columns: shape.columns, gamma: Double(gamma))
                    let value = Kernel.softDTW(cost, gamma: gamma)
                    #expect(value.shape == [])
                    let scale = how == "composed" ? 2e-6 : 2e-7
                    #expect(abs(Double(floats(value)[0]) - expected) <= scale * (abs(expected) + 1), "\(how)")
                    let slopes = gradients([cost], upstream: array([-2], [])) { Kernel.softDTW($0[0], gamma: gamma) }
                    let expectedSlopes = Reference.softDTWGradient(
                        c, rows: shape.rows, columns: shape.columns, gamma: Double(gamma))
                    // Composed, D is float32 and differences of it are divided by gamma.
                    let tolerance: Float = how == "composed" ? 2e-3 : 2e-6
                    expectClose(slopes[0], expectedSlopes.map { Float(-2 * $0) }, tolerance, "\(how) \(gamma)")
                }
            }
        }

        @Test func softDTWGradientFormulaMatchesDifferences() {
            var numbers = Numbers(59)
            let cost = numbers(5 * 4).map { Double(abs($0)) * 2 }
            let formula = Reference.softDTWGradient(cost, rows: 5, columns: 4, gamma: 0.3)
            let differences = Reference.gradients([cost], upstream: [1]) {
                [Reference.softDTW($0[0], rows: 5, columns: 4, gamma: 0.3)]
            }
            expectClose(formula.map { Float($0) }, differences[0], 1e-7)
        }

        @Test func softDTWOfABatchIsThatOfItsSamples() {
            let lengths = [(rows: 9, columns: 4), (rows: 1, columns: 1), (rows: 3, columns: 12), (rows: 9, columns: 12)]
            forEachImplementation { how in
                var numbers = Numbers(61)
                let batch = array(numbers(4 * 9 * 12).map { abs($0) * 5 }, [4, 9, 12])
                let upstream: [Float] = [1, 2, -1, 0.5]
                let values = floats(Kernel.softDTW(batch, lengths: lengths, gamma: 0.5))
                let slopes = gradients([batch], upstream: array(upstream, [4])) {
                    Kernel.softDTW($0[0], lengths: lengths, gamma: 0.5)
                }[0]
                for (b, (rows, columns)) in lengths.enumerated() {
                    let all = doubles(slice(batch, axis: 0, b))
                    let part = (0..<rows).flatMap { all[$0 * 12..<$0 * 12 + columns] }
                    let expected = Reference.softDTW(part, rows: rows, columns: columns, gamma: 0.5)
                    expectClose([values[b]], [Float(expected)], 1e-6, "\(how) \(b)")
                    let e = Reference.softDTWGradient(part, rows: rows, columns: columns, gamma: 0.5)
                    var whole = [Float](repeating: 0, count: 9 * 12)
                    for l in 0..<rows {
                        for s in 0..<columns { whole[l * 12 + s] = Float(e[l * columns + s]) * upstream[b] }
                    }
                    let tolerance: Float = how == "composed" ? 1e-4 : 1e-6
                    expectClose(Array(slopes[b * 108..<(b + 1) * 108]), whole, tolerance, "\(how) \(b)")
                }
            }
        }

        /// D grows to a million, beside which gamma is small.
        @Test func softDTWOfLongRecordingsStaysExact() {
            var numbers = Numbers(63)
            let cost = array(numbers(3000 * 40).map { 300 + abs($0) * 9 }, [3000, 40])
            let expected = Reference.softDTWGradient(doubles(cost), rows: 3000, columns: 40, gamma: 0.1)
            let slopes = gradients([cost], upstream: array([1], [])) { Kernel.softDTW($0[0], gamma: 0.1) }
            expectClose(slopes[0], expected.map { Float($0) }, 1e-5)
        }

        @Test func softDTWAvoidsInfinityAndShowsNaN() {
            forEachInstructionSet { how in
                var costs = [Float](repeating: 1, count: 4 * 5)
                for l in [0, 1, 3] { costs[l * 5 + 2] = .infinity }  // one way through, at (2, 2)
                let wall = array(costs, [4, 5])
                #expect(floats(Kernel.softDTW(wall, gamma: 0.1))[0].isFinite, "\(how)")
                let slopes = gradients([wall], upstream: array([1], [])) { Kernel.softDTW($0[0], gamma: 0.1) }[0]
                #expect(slopes[12] == 1 && slopes[2] == 0 && slopes[7] == 0 && slopes[17] == 0, "\(how)")
                costs[12] = .infinity
                let shut = array(costs, [4, 5])
                #expect(floats(Kernel.softDTW(shut, gamma: 0.1))[0] == .infinity, "\(how)")
                let none = gradients([shut], upstream: array([1], [])) { Kernel.softDTW($0[0], gamma: 0.1) }[0]
                #expect(none.allSatisfy { $0 == 0 }, "\(how)")
                costs[12] = .nan
                let broken = array(costs, [4, 5])
                #expect(floats(Kernel.softDTW(broken, gamma: 0.1))[0].isNaN, "\(how)")
                let bad = gradients([broken], upstream: array([1], [])) { Kernel.softDTW($0[0], gamma: 0.1) }[0]
                #expect(bad[0].isNaN, "\(how)")
            }
        }

        // MARK: CTC

        @Test func ctcIsPyTorchs() {
            let f = torch.ctc
            let targets = ints(f.targets, [f.shape[0], f.targetWidth])
            let lengths = zip(f.frames, f.lengths).map { (frames: $0, targets: $1) }
            forEachImplementation { how in
                let logits = array(f.logits, f.shape)
                let losses = Kernel.ctcLoss(logits: logits, targets: targets, lengths: lengths, blank: f.blank)
                let expected = f.losses.map { $0 >= 1e39 ? .infinity : Float($0) }
                #expect(expected.contains(.infinity) && floats(losses)[4] == .infinity, "\(how)")
                expectClose(Array(floats(losses).prefix(4)), Array(expected.prefix(4)), 1e-6, how)
                let zeroed = { (logits: MLXArray) in
                    Kernel.ctcLoss(
                        logits: logits, targets: targets, lengths: lengths, blank: f.blank, zeroInfinity: true)
                }
                expectClose(floats(zeroed(logits)), f.lossesZeroed, 1e-6, how)
                let slopes = gradients([logits], upstream: array(f.upstream, [f.shape[0]])) { zeroed($0[0]) }
                expectClose(slopes[0], f.gradient, 1e-6, how)
            }
        }

        @Test func ctcOfPackedFramesIsThatOfASamplePadded() {
            let f = torch.ctc
            let (frames, classes) = (f.shape[1], f.shape[2])
            let targets = f.lengths.indices.map { Array(f.targets[$0 * f.targetWidth..<$0 * f.targetWidth + f.lengths[$0]]) }
            let rows = f.frames.indices.flatMap { b in
                f.logits[b * frames * classes..<(b * frames + f.frames[b]) * classes]
            }
            let segments = f.frames.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1) }
            forEachImplementation { how in
                let logits = array(rows, [segments[f.frames.count], classes])
                let loss = { (logits: MLXArray) in
                    Kernel.ctcLoss(
                        logits: logits, segments: segments, targets: targets, blank: f.blank, zeroInfinity: true)
                }
                expectClose(floats(loss(logits)), f.lossesZeroed, 1e-6, how)
                let slopes = gradients([logits], upstream: array(f.upstream, [f.shape[0]])) { loss($0[0]) }[0]
                let expected = f.frames.indices.flatMap { b in
                    f.gradient[b * frames * classes..<(b * frames + f.frames[b]) * classes]
                }
                expectClose(slopes, expected, 1e-6, how)
            }
        }

        @Test func impossibleCTCHasNoNumberUnlessZeroed() {
            forEachInstructionSet { how in
                var numbers = Numbers(65)
                let logits = numbers.array([2, 3])
                let targets = ints([0, 0], [2])  // a blank has to stand between
                let loss = { (x: [MLXArray]) in Kernel.ctcLoss(logits: x[0], targets: targets, blank: 2) }
                #expect(floats(loss([logits]))[0] == .infinity, "\(how)")
                let slopes = gradients([logits], upstream: array([1], []), loss)[0]
                #expect(slopes.allSatisfy { $0.isNaN }, "\(how)")
            }
        }

        @Test(arguments: [(1, 1, 3), (6, 2, 4), (50, 20, 9), (40, 39, 30), (700, 250, 40)], [DType.float32, .bfloat16])
        func ctcMatchesForwardBackward(size: (frames: Int, targets: Int, classes: Int), type: DType) {
            forEachImplementation { how in
                guard how != "composed" || size.frames < 100 else { return }
                var numbers = Numbers(67)
                let logits = numbers.array([size.frames, size.classes], type, scale: 6)
                let labels = (0..<size.targets).map { Int32(($0 * $0 + 3 * $0) % (size.classes - 1)) + 1 }
                let targets = ints(labels, [size.targets])
                let (loss, slopes) = Reference.ctc(
                    doubles(logits), labels.map(Int.init), classes: size.classes, blank: 0)
                let y = Kernel.ctcLoss(logits: logits, targets: targets, blank: 0)
                if loss.isFinite {
                    #expect(abs(Double(floats(y)[0]) / loss - 1) < 2e-6, "\(how)")
                } else {
                    #expect(floats(y)[0] == .infinity, "\(how)")
                }
                guard loss.isFinite else { return }
                let actual = gradients([logits], upstream: array([1.5], [])) {
                    Kernel.ctcLoss(logits: $0[0], targets: targets, blank: 0)
                }
                // Rounding of single frames adds up with their number; composed, all values are as large as the loss.
                let tolerance: Float = type == .bfloat16 ? rounding(type) : how == "composed" ? 1e-4 : 5e-5
                expectClose(actual[0], slopes.map { Float(1.5 * $0) }, tolerance, "\(how) \(type)")
            }
        }

        @Test func ctcGradientFormulaMatchesDifferences() {
            var numbers = Numbers(69)
            let logits = numbers(7 * 4).map(Double.init)
            let formula = Reference.ctc(logits, [1, 1, 2], classes: 4, blank: 3).gradient
            let differences = Reference.gradients([logits], upstream: [1]) {
                [Reference.ctc($0[0], [1, 1, 2], classes: 4, blank: 3).loss]
            }
            expectClose(formula.map { Float($0) }, differences[0], 1e-7)
        }

        @Test func ctcShowsWhatIsNoNumber() {
            forEachImplementation { how in
                var numbers = Numbers(71)
                var values = numbers(2 * 4 * 5)
                values[7] = .nan
                let logits = array(values, [2, 4, 5])
                let targets = ints([1, 2, 9, 0], [2, 2])  // 9 is beyond the classes
                let losses = floats(
                    Kernel.ctcLoss(
                        logits: logits, targets: targets, lengths: [(4, 2), (4, 1)], blank: 4, zeroInfinity: true))
                #expect(losses[0].isNaN && losses[1].isNaN, "\(how)")
            }
        }
    }
}
