import Foundation
import LyraMedia
@testable import LyraTraining
import Synchronization
import Testing

@Suite struct BatchLoaderTests {
    /// Twelve samples with pictures or sound; those whose numbers `bad` has name files that are not there.
    private func data(_ folder: DataFolder, count: Int = 12, bad: Set<Int> = []) throws -> TrainingData {
        var items: [String] = []
        for i in 0..<count {
            let key = i % 3 == 0 ? "speech" : "image", name = "\(i).\(i % 3 == 0 ? "wav" : "png")"
            if !bad.contains(i) {
                if i % 3 == 0 { try folder.sound(name, seconds: 0.2) } else { try folder.picture(name, red: UInt8(i)) }
            }
            items.append(#"{"id":"\#(i)","\#(key)":"\#(name)","conversations":\#(turns("<\(key)>", "Answer \(i)"))}"#)
        }
        return try TrainingData([DataSource(folder.write("data.json", "[\(items.joined(separator: ","))]"))])
    }

    private func plan(_ data: TrainingData, samples: Int = 2, _ adjust: (inout BatchPlan.Settings) -> Void = { _ in }) -> BatchPlan {
        var settings = BatchPlan.Settings(size: .samples(samples))
        adjust(&settings)
        return BatchPlan(data, SampleLengths([Int32](repeating: 1, count: data.count)), settings)
    }

    private func collect(_ batches: BatchLoader.Batches) async throws -> [LoadedBatch] {
        var all: [LoadedBatch] = []
        for try await batch in batches { all.append(batch) }
        return all
    }

    private func ids(_ batches: [LoadedBatch]) -> [[String]] { batches.map { $0.samples.map(\.id) } }

    @Test func batchesComeInThePlansOrder() async throws {
        let folder = try DataFolder()
        let data = try data(folder), plan = plan(data)
        let expected = (0..<2).flatMap { number in
            let epoch = plan.epoch(number)
            return (0..<epoch.steps).map { epoch.batch(step: $0).map(String.init) }
        }
        for (ahead, threads) in [(1, 1), (2, 2), (5, 4)] {
            let loader = try BatchLoader(data, tinyEncoder(), plan, ahead: ahead, threads: threads)
            let batches = try await collect(loader.batches(epochs: 2))
            #expect(ids(batches) == expected)
            #expect(batches.map(\.position) == (0..<2).flatMap { e in (0..<6).map { BatchPosition(epoch: e, step: $0) } })
            #expect(batches.allSatisfy { $0.isLastOfStep && $0.skipped.isEmpty })
        }
    }

    @Test func goingOnWhereARunStopped() async throws {
        let folder = try DataFolder()
        let data = try data(folder)
        let plan = plan(data, samples: 1) { $0.accumulation = 2 }
        let loader = try BatchLoader(data, tinyEncoder(), plan)
        let whole = try await collect(loader.batches(epochs: 3))
        #expect(whole.map(\.accumulation) == (0..<18).flatMap { _ in [0, 1] })
        for stop in [0, 5, 11, 17, 34] {
            let rest = try await collect(loader.batches(from: whole[stop].next, epochs: 3))
            #expect(ids(rest) == ids(whole.filter { $0.position >= whole[stop].next }))
            if let sound = rest.first?.samples.first, let again = whole.first(where: { $0.samples.first?.id == sound.id })?.samples.first {
                #expect(sound.ids == again.ids)
            }
        }
        #expect(try await collect(loader.batches(from: whole[35].next, epochs: 3)).isEmpty)
    }

    @Test func badSamplesAreLeftOutAndNamed() async throws {
        let folder = try DataFolder()
        let bad: Set<Int> = [1, 4, 6, 7]
        let data = try data(folder, bad: bad), plan = plan(data)
        let named = Mutex<[String]>([])
        let loader = try BatchLoader(data, tinyEncoder(), plan) { sample in named.withLock { $0.append(sample.id ?? "") } }
        let batches = try await collect(loader.batches(epochs: 1))
        let epoch = plan.epoch(0)
        let planned = (0..<epoch.steps).map { epoch.batch(step: $0) }
        #expect(ids(batches) == planned.map { $0.filter { !bad.contains($0) }.map(String.init) })
        let missing = planned.flatMap { $0 }.filter(bad.contains).map { "\($0)" }
        #expect(named.withLock { $0 } == missing)
        #expect(batches.flatMap(\.skipped).allSatisfy { $0.reason == .missingFile })
        // All bad: the batches come all the same.
        let none = try self.data(DataFolder(), bad: Set(0..<12))
        let empty = try await collect(BatchLoader(none, tinyEncoder(), self.plan(none)).batches(epochs: 1))
        #expect(empty.map(\.samples.count) == [0, 0, 0, 0, 0, 0])
        #expect(empty.map(\.skipped.count) == [2, 2, 2, 2, 2, 2])
    }

    @Test func ranksTakeEquallyManySteps() async throws {
        let folder = try DataFolder()
        let data = try data(folder, count: 7)
        var seen: [String] = []
        for rank in 0..<3 {
            let loader = try BatchLoader(data, tinyEncoder(), plan(data, samples: 1) { ($0.worldSize, $0.rank) = (3, rank) })
            let batches = try await collect(loader.batches(epochs: 1))
            #expect(batches.count == 3)
            seen += ids(batches).joined()
        }
        #expect(seen.sorted() == (0..<7).map(String.init))
    }

    /// Only so many batches are decoded before they are asked for.
    @Test func decodingStaysAShortWayAhead() async throws {
        let folder = try DataFolder()
        let data = try data(folder)
        let loader = try BatchLoader(data, tinyEncoder(), plan(data, samples: 1), ahead: 3, threads: 2)
        let iterator = loader.batches(epochs: 1).makeAsyncIterator()
        var good = 0
        if let first = try await iterator.next() { good += first.samples.count }
        try await Task.sleep(for: .milliseconds(500))
        for i in 0..<12 { for type in ["wav", "png"] { try? FileManager.default.removeItem(atPath: folder.file("\(i).\(type)")) } }
        while let batch = try await iterator.next() { good += batch.samples.count }
        #expect(good == 1 + 3)
    }

    @Test func cancelling() async throws {
        let folder = try DataFolder()
        let data = try data(folder)
        let loader = try BatchLoader(data, tinyEncoder(), plan(data, samples: 1))
        let task = Task { () async throws -> Int in
            var count = 0
            for try await _ in loader.batches(epochs: 1_000_000) { count += 1 }
            return count
        }
        try await Task.sleep(for: .milliseconds(200))
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
    }

    @Test func aDataFileThatIsGoneEndsTheRun() async throws {
        let folder = try DataFolder()
        let data = try data(folder)
        let loader = try BatchLoader(data, tinyEncoder(), plan(data))
        #expect(truncate(folder.file("data.json"), 1) == 0)
        await #expect(throws: DataFileError.self) { try await collect(loader.batches(epochs: 1)) }
    }

    // MARK: Lengths

    @Test func lengthsAreMeasuredAndKept() async throws {
        let folder = try DataFolder()
        let data = try data(folder, bad: [2])
        let encoder = try tinyEncoder()
        let cache = folder.file("cache")
        let lengths = try await SampleLengths.measure(data, encoder, cache: cache, workers: 3)
        for i in 0..<12 where i != 2 { #expect(Int(lengths.values[i]) == (try data.measuredSample(i, encoder).tokens)) }
        #expect(lengths.values[2] == 1)
        // Another run reads them: what it finds is what is in the file, changed here to tell.
        let name = try #require(try FileManager.default.contentsOfDirectory(atPath: cache).first)
        var kept = try Data(contentsOf: URL(fileURLWithPath: "\(cache)/\(name)"))
        kept[kept.count - 4] = 99
        kept[kept.count - 3] = 0
        try kept.write(to: URL(fileURLWithPath: "\(cache)/\(name)"))
        #expect(try await SampleLengths.measure(data, encoder, cache: cache).values.last == 99)
        // Other settings, another file or a damaged cache: measured anew.
        let other = try tinyEncoder { $0.systemPrompt = nil }
        #expect(try await SampleLengths.measure(data, other, cache: cache).values[0] < lengths.values[0])
        try kept.dropLast().write(to: URL(fileURLWithPath: "\(cache)/\(name)"))
        #expect(try await SampleLengths.measure(data, encoder, cache: cache) == lengths)
    }
}
