// Gradients against formulas, and errors that cross C++ on their way.
import Foundation
import MLX
import Testing

private struct Refusal: Error, Equatable { let reason: String }

private func refusing(_ x: [MLXArray]) throws -> [MLXArray] { throw Refusal(reason: "no") }

@Suite struct TransformTests {
    let x = MLXArray([1, 2, 3] as [Float])

    @Test func gradientsOfOneArgument() {
        #expect(grad { (x: MLXArray) in (x * x).sum() }(x).asArray(Float.self) == [2, 4, 6])
        let (value, gradient) = valueAndGrad { (x: MLXArray) in exp(x).sum() }(x)
        let expected = [1, 2, 3].map { exp(Float($0)) }
        #expect(close([value.item(Float.self)], [expected.reduce(0, +)]))
        #expect(close(gradient.asArray(Float.self), expected))
        let third = grad(grad(grad { (x: MLXArray) in x * x * x * x }))(MLXArray(2.0))
        #expect(third.item(Float.self) == 48)
    }

    @Test func gradientsOfChosenArgumentsAndFurtherValues() {
        let f = { (v: [MLXArray]) in [(v[0] * v[1] + v[2]).sum(), v[0] + 1] }
        let y = MLXArray([4, 5, 6] as [Float])
        let (values, gradients) = valueAndGrad(f, argumentNumbers: [1, 2])([x, y, MLXArray(1.0)])
        #expect(values[0].item(Float.self) == 35)
        #expect(values[1].asArray(Float.self) == [2, 3, 4])
        #expect(gradients.map { $0.asArray(Float.self) } == [[1, 2, 3], [3]])
        #expect(grad(f)([x, y, MLXArray(1.0)])[0].asArray(Float.self) == [4, 5, 6])
    }

    @Test func productsWithTheJacobian() {
        let f = { (v: [MLXArray]) in [v[0] * v[0], v[0].sum()] }
        let (values, back) = vjp(f, primals: [x], cotangents: [MLXArray([1, 1, 2] as [Float]), MLXArray(10.0)])
        #expect(values[1].item(Float.self) == 6)
        #expect(back[0].asArray(Float.self) == [12, 14, 22])
        let (_, forward) = jvp(f, primals: [x], tangents: [MLXArray([1, 0, 2] as [Float])])
        #expect(forward[0].asArray(Float.self) == [2, 0, 12])
        #expect(forward[1].item(Float.self) == 3)
    }

    @Test func gradientsOfIndexingAndProducts() {
        let w = MLXArray([1, 2, 3, 4] as [Float], [2, 2])
        let g = grad { (w: MLXArray) in (w[1] * w[0..., 0]).sum() + matmul(w, w).sum() }(w)
        // d/dw of w10 w00 + w11 w10, and of the sum of w w: (row sums of w)_j + (column sums of w)_i.
        #expect(g.asArray(Float.self) == [10, 11, 14, 16])
        let picked = grad { (x: MLXArray) in (take(x, MLXArray([2, 2, 0]), axis: 0) * MLXArray([1, 10, 100])).sum() }(x)
        #expect(picked.asArray(Float.self) == [100, 0, 11])
        let assigned = grad { (x: MLXArray) in
            let y = x * 2
            y[1..<2] = x[0..<1] * 5
            return y.sum()
        }(x)
        #expect(assigned.asArray(Float.self) == [7, 0, 2])
    }

    @Test func gradientsStopWhereTold() {
        #expect(grad { (x: MLXArray) in (x * stopGradient(x)).sum() }(x).asArray(Float.self) == [1, 2, 3])
    }

    @Test func functionsMayEvaluateWhileDifferentiated() {
        let g = grad { (x: MLXArray) in
            let y = x * x
            eval(y)
            return y[0].item(Float.self) > 0 ? y.sum() : x.sum()
        }(x)
        #expect(g.asArray(Float.self) == [2, 4, 6])
    }

    @Test func errorsComeOutAsTheyAre() throws {
        #expect(throws: Refusal(reason: "no")) { try valueAndGrad(refusing)([x]) }
        #expect(throws: Refusal(reason: "no")) { try vjp(refusing, primals: [x], cotangents: [x]) }
        #expect(throws: Refusal(reason: "no")) {
            try grad { (x: MLXArray) in try grad { (_: MLXArray) in try refusing([])[0] }(x) }(MLXArray(1.0))
        }
        // After an error the next transformation works: MLX has left its tracing.
        #expect(grad { (x: MLXArray) in x * x }(MLXArray(3.0)).item(Float.self) == 6)

        // MLX's own come out where the function may throw anything.
        let vector: ([MLXArray]) throws -> [MLXArray] = { $0 }
        let error = #expect(throws: MLXError.self) { try grad(vector)([x]) }
        #expect(error?.description.contains("cotangent") == true, "\(error?.description ?? "")")
    }

    @Test func checkpointsComputeAgain() throws {
        final class Calls { var count = 0 }
        let calls = Calls()
        let layer = checkpoint { (v: [MLXArray]) in
            calls.count += 1
            return [sin(v[0] * v[1])]
        }
        let plain = grad({ (v: [MLXArray]) in [sin(v[0] * v[1]).sum()] }, argumentNumbers: [0, 1])([x, x + 1])
        let again = grad({ (v: [MLXArray]) in [layer(v)[0].sum()] }, argumentNumbers: [0, 1])([x, x + 1])
        #expect(calls.count == 2)
        for (a, b) in zip(plain, again) { #expect(close(a.asArray(Float.self), b.asArray(Float.self))) }
        #expect(throws: Refusal(reason: "no")) { try checkpoint(refusing)([x]) }

        // An error when computing again, which passes through MLX.
        let failing = checkpoint { (v: [MLXArray]) in
            calls.count += 1
            if calls.count > 3 { throw Refusal(reason: "later") }
            return v
        }
        let error = #expect(throws: MLXError.self) { try grad { (v: [MLXArray]) in [try failing(v)[0].sum()] }([x]) }
        #expect(error?.description.contains("later") == true)
    }

    @Test func checkpointsLetGoOfTheirFunction() {
        final class Witness {}
        weak var witness: Witness?
        do {
            let kept = Witness()
            witness = kept
            let layer = checkpoint { [kept] (v: [MLXArray]) in withExtendedLifetime(kept) { [v[0] * 2] } }
            let g = grad { (v: [MLXArray]) in [layer(v)[0].sum()] }([x])
            #expect(g[0].asArray(Float.self) == [2, 2, 2])
        }
        #expect(witness == nil)
    }

    @Test func functionsWithGradientsOfTheirOwn() {
        let clipped = CustomFunction(
            forward: { [$0[0] * $0[0]] },
            vjp: { primals, cotangents, outputs in [clip(cotangents[0] * 2 * primals[0], max: 3) + outputs[0] * 0] })
        #expect(clipped([x])[0].asArray(Float.self) == [1, 4, 9])
        #expect(grad { (v: [MLXArray]) in [clipped(v)[0].sum()] }([x])[0].asArray(Float.self) == [2, 3, 3])
    }

    @Test func aStepOfTrainingLowersTheLoss() {
        var w = MLXArray.zeros([3])
        let target = MLXArray([1, -2, 0.5] as [Float])
        let step = valueAndGrad { (w: MLXArray) in square(w - target).sum() }
        var last = Float.infinity
        for _ in 0..<20 {
            let (loss, g) = step(w)
            w = w - 0.1 * g
            eval(w)
            #expect(loss.item(Float.self) < last)
            last = loss.item(Float.self)
        }
        #expect(last < 0.01)
    }
}
