// What a run remembers of its losses.
import Testing

@testable import LyraTraining

@Suite struct RunStateTests {
    /// Batches of long texts every 60 steps, eleven times as hard as the others: a kind, and no explosion.
    @Test func kindsThatDifferAreNoExplosion() {
        var state = RunState()
        for step in 0..<600 {
            let usual = max(0.13, 5 - Float(step) / 20)
            #expect(state.explosion(step % 60 == 59 ? max(1.5, usual) : usual, factor: 10) == nil, "step \(step)")
        }
        #expect(state.explosion(40, factor: 10) != nil)
    }

    @Test func explosionsAreTold() {
        var state = RunState()
        for _ in 0..<5 { #expect(state.explosion(2, factor: 10) == nil) }
        #expect(state.explosion(21, factor: 10) == 2)
        // It is not taken for one of the usual ones.
        #expect(state.explosion(21, factor: 10) == 2)
        // What the loss began with is forgotten: 2 times 0.99 to the power of 300 is 0.1.
        for _ in 0..<300 { _ = state.explosion(0.1, factor: 10) }
        #expect(state.explosion(2.5, factor: 10) != nil)
    }
}
