import Foundation
import LyraMedia
import LyraModel
@testable import LyraTraining
import MLX
import Synchronization
import Testing

@Suite struct BatchLoaderTests {
    /// Twelve samples with pictures or sound; those whose numbers `bad` has name files that are not there.
    private func data(_ folder: DataFolder, count: Int = 12, bad: Set<Int> = [], _ augmentation: SpeechAugmentation? = nil) throws -> TrainingData {
        var items: [String] = []
        for i in 0..<count {
            let key = i % 3 == 0 ? "speech" : "image", name = "\(i).\(i % 3 == 0 ? "wav" : "png")"
            if !bad.contains(i) {
                if i % 3 == 0 { try folder.sound(name, seconds: 0.2) } else { try folder.picture(name, red: UInt8(i)) }
            }
            items.append(#"{"id":"\#(i)","\#(key)":"\#(name)","conversations":\#(turns("<\(key)>", "Answer \(i)"))}"#)
        }
        return try TrainingData([DataSource(folder.write("data.json", "[\(items.joined(separator: ","))]"), speechAugmentation: augmentation)])
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

    /// Recordings in another version each time they are met, in the same one when the run goes on; never longer than a sample may be.
    @Test func recordingsAreHeardAnew() async throws {
        let folder = try DataFolder()
        let data = try data(folder, SpeechAugmentation()), plan = plan(data)
        func sounds(_ batches: [LoadedBatch]) -> [String: [[Float]]] {
            batches.reduce(into: [:]) { result, batch in
                for sample in batch.samples {
                    for case .speech(let speech) in sample.media where !speech.isOriginal { result[sample.id, default: []].append(speech.samples) }
                }
            }
        }
        let loader = try BatchLoader(data, tinyEncoder(), plan)
        let whole = try await collect(loader.batches(epochs: 3)), heard = sounds(whole)
        #expect(heard.count == 4 && heard.values.allSatisfy { $0.count == 3 && Set($0).count == 3 })
        let rest = try await sounds(collect(loader.batches(from: whole[7].next, epochs: 3)))
        #expect(rest.count == 4 && rest.allSatisfy { id, sounds in sounds == heard[id]?.suffix(sounds.count) })
        for case .speech(let speech) in try data.sample(0, tinyEncoder()).media { #expect(speech.isOriginal) }

        var slower = SpeechAugmentation.none
        slower.pause = .init(1, 40...40)
        let long = try self.data(folder, slower), tokens = try long.measuredSample(0, tinyEncoder()).tokens
        #expect(try long.measuredSample(0, tinyEncoder(), version: 1).tokens == tokens + 300)
        #expect(try long.measuredSample(0, tinyEncoder { $0.maximumTokens = tokens + 299 }, version: 1).tokens == tokens)
    }

    /// Three windows over up to 5,000 positions: in order, none of them torn, another way each time.
    @Test func recordingsAreSpreadOverPositions() throws {
        let folder = try DataFolder(), items = [#"{"id":"0","speech":"0.wav","conversations":\#(turns("<speech>", "Yes."))}"#]
        try folder.sound("0.wav", seconds: 70)
        let file = try folder.write("data.json", "[\(items[0])]"), encoder = try tinyEncoder()
        let plain = try TrainingData([DataSource(file)]), spread = try TrainingData([DataSource(file, positionSpan: 5_000)])
        func speech(_ data: TrainingData, _ version: UInt64?) throws -> TrainingSample.Speech {
            guard case .speech(let speech) = try data.sample(0, encoder, version: version).media[0] else { throw CancellationError() }
            return speech
        }
        #expect(try speech(plain, 1).skips.isEmpty && speech(spread, nil).skips.isEmpty)
        let versions = try (0..<50).map { try speech(spread, $0) }, totals = versions.map { $0.skips.reduce(0, +) }
        #expect(versions.allSatisfy { $0.isOriginal && $0.skips.count == 4 && $0.skips[0] == 0 && $0.skips.allSatisfy { $0 >= 0 } })
        #expect(totals.allSatisfy { (1...4_100).contains($0) } && totals.contains { $0 < 64 } && totals.contains { $0 > 1_000 })
        #expect(Set(versions.map(\.skips)).count > 40 && (1...3).allSatisfy { place in versions.contains { $0.skips[place] > 0 } })

        let (location, configuration) = try ModelLocation.resolve(RandomCheckpoint.write(preset: .tiny, seed: 1, to: folder.file("model"), dtype: .float32))
        let builder = MicroBatchBuilder(try TrainingWeights(location, configuration, precision: .f32, adapter: nil, seed: 0) { _ in false })
        let whole = try builder.build([plain.sample(0, encoder)]), first = try #require(whole.speeches.first?.rows.lowerBound)
        var wrong = try plain.sample(0, encoder), speech3 = try speech(plain, nil)
        for skips in [[1, 2], [0, 0, -1, 0], [0, 0, 0, .max]] as [[Int32]] {
            speech3.skips = skips
            wrong.media = [.speech(speech3)]
            #expect(throws: TrainingError.self) { try builder.tokenCount(wrong) }
        }
        for version in 0..<5 as Range<UInt64> {
            let sample = try spread.sample(0, encoder, version: version), skips = try speech(spread, version).skips
            let batch = try builder.build([sample])
            for row in 0..<whole.tokens {
                let window = row < first ? 0 : min(3, (row - first) / 300)
                #expect(batch.positions.time[row] == whole.positions.time[row] + skips[...window].reduce(0, +))
            }
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
