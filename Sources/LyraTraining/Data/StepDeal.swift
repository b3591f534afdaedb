// Who takes which samples of a step, so that no process waits long for another.
import LyraModel

/// Deals the samples of a step out to ranks by how much work they are.
public struct StepDeal: Sendable {
    let hiddenSize: Int
    let layers: Int
    let extractor: ExtractorOptions?

    public init(_ configuration: LyraConfiguration, extractor: ExtractorOptions? = nil) {
        (hiddenSize, layers, self.extractor) = (configuration.hiddenSize, configuration.layers, extractor)
    }

    /// The language model's work on a sample, in tokens of a short one. A layer's products take 24 h² operations a token, attention to
    /// n tokens before it 2 h n on average: as much again at n = 12 h. Behind the first block of an extractor every independent turn has
    /// what it keeps for itself.
    func work(tokens: Int, turns: Int = 0, extracted: Bool = false) -> Double {
        func layer(_ tokens: Double) -> Double { tokens * (1 + tokens / Double(12 * hiddenSize)) }
        let whole = layer(Double(tokens))
        guard extracted, let extractor, let first = extractor.firstBoundary(layers: layers) else { return whole }
        let share = Double(first) / Double(layers)
        return share * whole + (1 - share) * Double(max(1, turns)) * layer(Double(tokens) * Double(extractor.keepRate))
    }

    /// Which samples each of so many ranks takes, in their order: from the largest on, each goes to whoever has least to do.
    static func deal(_ work: [Double], ranks: Int) -> [[Int]] {
        var dealt = [[Int]](repeating: [], count: ranks), sums = [Double](repeating: 0, count: ranks)
        for sample in work.indices.sorted(by: { work[$0] != work[$1] ? work[$0] > work[$1] : $0 < $1 }) {
            guard let rank = sums.indices.min(by: { sums[$0] < sums[$1] }) else { break }
            dealt[rank].append(sample)
            sums[rank] += work[sample]
        }
        return dealt.map { $0.sorted() }
    }
}
