// Samples of a step are dealt out by their work, the same way by all ranks.
import Foundation
import LyraModel
@testable import LyraTraining
import Testing

@Suite struct StepDealTests {
    @Test func largestFirstToWhoeverHasLeast() {
        #expect(StepDeal.deal([1, 9, 1, 1, 5, 4], ranks: 2) == [[0, 1, 3], [2, 4, 5]])
        #expect(StepDeal.deal([3, 3, 3, 3], ranks: 2) == [[0, 2], [1, 3]])
        #expect(StepDeal.deal([2], ranks: 3) == [[0], [], []] && StepDeal.deal([], ranks: 2) == [[], []])
    }

    @Test func workGrowsWithAttentionAndTurns() throws {
        let (_, configuration) = try ModelLocation.resolve(DataPack.committed.folder)
        let plain = StepDeal(configuration), length = 12 * configuration.hiddenSize
        #expect(plain.work(tokens: length) == Double(2 * length) && plain.work(tokens: 1) < 1.01)
        let half = StepDeal(configuration, extractor: ExtractorOptions(gap: configuration.layers / 2, keepRate: 0.5))
        #expect(half.work(tokens: 1_000, turns: 3) == plain.work(tokens: 1_000))
        let kept = plain.work(tokens: 500), expected = plain.work(tokens: 1_000) / 2 + 3 * kept / 2
        #expect(abs(half.work(tokens: 1_000, turns: 3, extracted: true) - expected) < 1e-6 * expected)
    }

    /// Two ranks take what one would, a long recording by itself; a bad sample is still named.
    @Test func ranksShareAStepByItsWork() async throws {
        let folder = try DataFolder(), encoder = try tinyEncoder()
        let lines = (0..<8).map { #"{"id":"\#($0)","speech":"\#($0).wav","conversations":\#(turns("<speech>", "Yes."))}"# }
        for number in 0..<7 { try folder.sound("\(number).wav", seconds: number == 5 ? 200 : 0.5) }
        let data = try TrainingData([DataSource(folder.write("data.jsonl", lines.joined(separator: "\n")))])
        let (_, configuration) = try ModelLocation.resolve(DataPack.committed.folder)
        var seen: [[String]] = [], skipped = 0
        for rank in 0..<2 {
            var settings = BatchPlan.Settings(size: .samples(4))
            (settings.worldSize, settings.rank, settings.groupsByLength) = (2, rank, false)
            let plan = BatchPlan(data, SampleLengths(Array(repeating: 1, count: data.count)), settings)
            let batches = BatchLoader(data, encoder, plan, deal: StepDeal(configuration)).batches(epochs: 1).makeAsyncIterator()
            let batch = try #require(try await batches.next())
            #expect(try await batches.next() == nil)
            seen.append(batch.samples.map(\.id))
            skipped += batch.skipped.count
        }
        #expect(seen.flatMap(\.self).sorted() == (0..<7).map(String.init) && skipped == 1)
        #expect(seen.contains(["5"]))
    }
}
