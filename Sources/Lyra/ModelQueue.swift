// Decoding for several conversations at once: those that wait for a token go through the model together, since one reading of
// the weights serves them all.
import LyraModel
import MLX

/// New tokens of one conversation on their way through the model.
final class WaitingRun {
    let input: Decoder.Input
    let adapter: Adapter?
    /// Caches travel along, so that they have one owner.
    var state: DecoderState
    /// Final states, [n, hidden], and logits, [n, vocabulary], of all tokens of the run.
    var hidden = MLXArray.zeros([0]), logits = MLXArray.zeros([0])
    fileprivate var resume: CheckedContinuation<Void, Never>?

    init(_ input: Decoder.Input, adapter: Adapter?, state: consuming DecoderState) {
        (self.input, self.adapter, self.state) = (input, adapter, state)
    }
}

extension Lyra {
    /// Most tokens in one pass: beyond that, products cost more than reading the weights.
    private static let mostTokens = 32

    /// Sends a run through the model, together with those of other conversations that wait by the time it is its turn.
    func forward(_ run: WaitingRun) async {
        guard replies > 1 else { return pass([run]) }
        await withCheckedContinuation { continuation in
            run.resume = continuation
            waiting.append(run)
            guard waiting.count == 1 else { return }
            // Behind all that is ready to run now, which may have runs of its own.
            Task { self.passWaiting() }
        }
    }

    private func passWaiting() {
        while let first = waiting.first {
            var group: [WaitingRun] = [], tokens = 0
            waiting.removeAll { run in
                let count = run.input.positions.count
                guard run.adapter == first.adapter, group.isEmpty || tokens + count <= Self.mostTokens else { return false }
                group.append(run)
                tokens += count
                return true
            }
            pass(group)
            for run in group {
                run.resume?.resume()
                run.resume = nil
            }
        }
    }

    private func pass(_ group: [WaitingRun]) {
        largestPass = max(largestPass, group.count)
        var states = group.map { $0.state.take() }
        let hidden = model.decoder(group.map(\.input), states: &states, adapter: group.first?.adapter)
        let all = hidden.count == 1 ? hidden[0] : concatenated(hidden, axis: 0)
        let logits = model.decoder.logits(all)
        eval(all, logits)
        var start = 0
        for (i, run) in group.enumerated() {
            let end = start + run.input.positions.count
            run.state = states[i].take()
            run.hidden = all[start..<end]
            run.logits = logits[start..<end]
            start = end
        }
    }
}
