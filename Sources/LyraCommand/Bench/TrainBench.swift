// lyra bench --train: what a step of training takes, with and without gradient checkpointing.
import Foundation
import Lyra
import LyraMedia
import LyraModel
import LyraText
import LyraTraining
import MLX

/// Sizes whose training is measured, and what trains.
struct TrainCase {
    var name: String
    var system: SystemConfiguration
    /// Everything from random weights, or an adapter with its projector (stage 2, frozen encoders).
    var trainsEverything: Bool
    var samples: Int

    /// Text tokens of a sample, and those at its end that are supervised.
    static let text = 110, targets = 64
    /// Sides of its picture.
    static let side = 224

    static func named(_ preset: Preset) -> TrainCase {
        let small = preset == .tiny || preset == .nano
        return TrainCase(name: preset.rawValue, system: preset.configurations, trainsEverything: small, samples: small ? 16 : 2)
    }

    /// Nano, nano at twice its widths (hidden 512), and mini.
    static var all: [TrainCase] {
        [named(.nano), TrainCase(name: "hidden 512", system: .wideNano, trainsEverything: true, samples: 16), named(.mini)]
    }

    /// A sample with a picture, a window of speech and text, the same every time.
    func sample(_ number: Int) throws -> TrainingSample {
        var random = SplitMix64(state: UInt64(number))
        let vocabulary = UInt64(system.language.vocabularySize)
        let words = (0..<Self.text).map { _ in Int32(random.next() % vocabulary) }
        let answer = words.suffix(Self.targets)
        let question = words.dropLast(Self.targets)
        let pixels = (0..<(Self.side * Self.side * 3)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        let sound = (0..<system.whisper.windowSamples).map { _ in Float(random.next() % 2_000) / 10_000 - 0.1 }
        let ids = [Placeholder.image, Placeholder.speech] + question + answer
        return TrainingSample(
            id: "\(number)", ids: ids,
            labels: Array(repeating: TrainingSample.ignored, count: ids.count - answer.count) + answer,
            media: [
                .image(try RGBImage(width: Self.side, height: Self.side, pixels: pixels)), .speech(TrainingSample.Speech(sound)),
            ])
    }

    func configuration(model: String, precision: Precision, checkpointing: Bool) -> TrainingConfiguration {
        var configuration = TrainingConfiguration(stage: trainsEverything ? .pretrain : .joint, model: model)
        configuration.adapter?.rank = system.loraRank
        configuration.adapter?.alpha = system.loraAlpha
        (configuration.precision, configuration.gradientCheckpointing) = (precision, checkpointing)
        configuration.learningRate = 1e-4
        return configuration
    }

    /// FLOPs of a step; what is computed again for gradients is not counted.
    var operations: Double { Double(samples) * Work.trainingSample(self) }
}

extension SystemConfiguration {
    /// Nano at twice its widths, heads of the same size.
    fileprivate static var wideNano: SystemConfiguration {
        var system = Preset.nano.configurations
        system.name = "Lyra_Nano_512"
        system.language.hiddenSize *= 2
        system.language.intermediateSize *= 2
        system.language.queryHeads *= 2
        system.language.keyValueHeads *= 2
        system.language.projectorWidth *= 2
        system.language.speechHiddenSize *= 2
        for part in [\SystemConfiguration.whisper.width, \.whisper.intermediateSize, \.whisper.heads] { system[keyPath: part] *= 2 }
        for part in [\SystemConfiguration.vision.width, \.vision.outputSize, \.vision.heads] { system[keyPath: part] *= 2 }
        return system
    }
}

struct TrainBench {
    let cases: [TrainCase]
    let precision: Precision
    let runs: Int

    /// What one case took.
    private struct Result {
        var measured: TrainCase
        var tokens: Int
        /// Without and with gradient checkpointing.
        var seconds: [Double] = []
        var memory: [Int] = []
    }

    /// The table and the line of JSON.
    func run() async throws -> String {
        Memory.keepFreed()  // as lyra train does
        var results: [Result] = []
        // On a busy machine the best of several moments is nearest to what it can do.
        func measureProduct() async throws -> Double {
            try await withSpinner("measuring matrix products") { Machine.matrixProduct(precision) }
        }
        var product = try await measureProduct()
        for measured in cases {
            results.append(try await measure(measured))
            product = max(product, try await measureProduct())
        }
        return text(results, product) + "\n" + (try json(results, product)) + "\n"
    }

    private func measure(_ measured: TrainCase) async throws -> Result {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("lyra-bench-train-\(getpid())").path
        PartialFiles.shared.expectFolder(folder)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let (runs, precision) = (runs, precision)
        return try await withSpinner("measuring steps of \(measured.name)") {
            let model = try RandomCheckpoint.write(
                measured.system, seed: 1, to: folder, dtype: precision == .bf16 ? .bfloat16 : .float32
            ) { _, _ in try Task.checkCancellation() }
            let samples = try (0..<measured.samples).map(measured.sample)
            var result = Result(measured: measured, tokens: 0)
            // The one that takes less memory first, so that it is not measured in what the other has left.
            for checkpointing in [true, false] {
                Machine.resetPeakMemory()
                let steps = try StepMeasurement(
                    measured.configuration(model: model, precision: precision, checkpointing: checkpointing), on: samples, count: runs)
                result.tokens = steps.tokens
                result.seconds.insert(Statistics.median(steps.seconds), at: 0)
                result.memory.insert(Machine.peakMemory, at: 0)
            }
            return result
        }
    }

    private func text(_ results: [Result], _ product: Double) -> String {
        let number = BenchResults.number
        var rows = [["size", "trains", "layers", "samples", "tokens", "step", "samples/s", "tokens/s", "rate", "of peak", "peak memory"]]
        for result in results {
            let measured = result.measured
            for (seconds, (memory, layers)) in zip(result.seconds, zip(result.memory, ["kept", "recomputed"])) {
                let rate = measured.operations / seconds
                rows.append([
                    measured.name, measured.trainsEverything ? "everything" : "adapter", layers, "\(measured.samples)", "\(result.tokens)",
                    "\(number(seconds)) s", number(Double(measured.samples) / seconds), number(Double(result.tokens) / seconds),
                    "\(number(rate / 1e9)) GFLOP/s", String(format: "%.0f %%", 100 * rate / product), Bytes.text(memory),
                ])
            }
        }
        let head = [
            "precision  \(precision.rawValue)", "machine    \(Machine.processor), \(Machine.threads) threads",
            "can do     multiplies matrices at \(number(product / 1e9)) GFLOP/s (\(precision.rawValue))", "",
        ]
        return (head + Columns.lines(rows, right: Set(3...10))).joined(separator: "\n") + "\n"
    }

    // MARK: For programs

    private struct Report: Encodable {
        struct Sizes: Encodable {
            struct Language: Encodable { var hidden, intermediate, layers, heads, kvHeads, vocabulary: Int }
            struct Tower: Encodable {
                var width, layers, heads, intermediate: Int
                var melBins: Int? = nil, positions: Int? = nil, patchValues: Int? = nil
            }
            var language: Language
            var speech, vision: Tower
            var speechStack, projectorWidth, rank: Int
            var alpha: Float
        }
        struct Step: Encodable {
            var seconds, samplesPerSecond, tokensPerSecond, gflops, shareOfProduct: Double
            var peakMemoryBytes: Int
        }
        struct Case: Encodable {
            var sizes: Sizes
            var precision, trains: String
            var samples, tokens, textTokens, targets, patches: Int
            var dropout: Float
            var gflop: Double
            var kept, recomputed: Step
        }
        var processor: String
        var threads, `repeat`: Int
        var productGflops: Double
        var train: [String: Case]
    }

    private func json(_ results: [Result], _ product: Double) throws -> String {
        var report = Report(processor: Machine.processor, threads: Machine.threads, repeat: runs, productGflops: product / 1e9, train: [:])
        for result in results {
            let measured = result.measured, operations = measured.operations, c = measured.system.language
            let steps = zip(result.seconds, result.memory).map { seconds, memory in
                Report.Step(
                    seconds: seconds, samplesPerSecond: Double(measured.samples) / seconds,
                    tokensPerSecond: Double(result.tokens) / seconds, gflops: operations / seconds / 1e9,
                    shareOfProduct: operations / seconds / product, peakMemoryBytes: memory)
            }
            let (w, v) = (measured.system.whisper, measured.system.vision)
            report.train[measured.name] = Report.Case(
                sizes: Report.Sizes(
                    language: .init(
                        hidden: c.hiddenSize, intermediate: c.intermediateSize, layers: c.layers, heads: c.queryHeads,
                        kvHeads: c.keyValueHeads, vocabulary: c.vocabularySize),
                    speech: .init(
                        width: w.width, layers: w.layers, heads: w.heads, intermediate: w.intermediateSize, melBins: w.melBins,
                        positions: w.positions),
                    vision: .init(
                        width: v.width, layers: v.depth, heads: v.heads, intermediate: v.intermediateSize, patchValues: v.patchValues),
                    speechStack: c.speechStack, projectorWidth: c.projectorWidth, rank: measured.system.loraRank,
                    alpha: measured.system.loraAlpha),
                precision: precision.rawValue, trains: measured.trainsEverything ? "everything" : "adapter",
                samples: measured.samples, tokens: result.tokens, textTokens: TrainCase.text, targets: TrainCase.targets,
                patches: Work.patches(v).count,
                dropout: measured.configuration(model: "", precision: precision, checkpointing: false).adapter?.dropout ?? 0,
                gflop: operations / 1e9, kept: steps[0], recomputed: steps[1])
        }
        return try JSONText.encode(report)
    }
}
