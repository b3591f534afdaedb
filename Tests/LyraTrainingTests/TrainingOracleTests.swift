// The original's training step: losses, gradients, five optimiser steps, from the reference packs.
import Foundation
import LyraMedia
@testable import LyraModel
@testable import LyraTraining
import LyraText
import MLX
import Testing

@Suite struct TrainingOracleTests {
    @Test(arguments: OraclePack.available.map(\.name))
    func trainingStep(name: String) throws {
        guard let place = OraclePack.available.first(where: { $0.name == name }) else { return }
        let pack = try OraclePack(place.name, folder: place.folder)
        let run = try ReferenceStep(pack)

        // Layout of the batch.
        let batch = run.batch
        pack.equal("batch", "lengths", batch.lengths, pack.json["train"]["batch"]["expanded_lengths"].ints)
        pack.equal("batch", "supervised", batch.targets.count, pack.json["train"]["batch"]["supervised_tokens"].int ?? -1)

        let step = pack.json["train"]["train_step"]
        let (losses, gradients) = try run.pass(lambda: 0).gradients(batch, of: StepTotals([batch]), dropout: nil)
        pack.close("train_step", "ce", [losses.answer], [Float(step["ce"].double ?? .nan)], tolerance: 1e-3)
        run.compareNorms(gradients, step["grad_norms_ce_only"], "gradient norms, CE only")

        let checkpointed = try run.pass(lambda: 0, checkpointing: true)
            .gradients(batch, of: StepTotals([batch]), dropout: nil)
        for (key, gradient) in gradients {
            let other = try #require(checkpointed.gradients[key])
            pack.close("train_step", "\(key) by recomputing", other.asArray(Float.self), gradient.asArray(Float.self), tolerance: 1e-4)
        }
        pack.report()
    }
}

/// The reference's batch of two samples and its trainable weights.
struct ReferenceStep {
    let pack: OraclePack
    let weights: TrainingWeights
    let batch: MicroBatch

    init(_ pack: OraclePack) throws {
        self.pack = pack
        let (location, configuration) = try ModelLocation.resolve(pack.path("MODEL"))
        let settings = try AdapterConfiguration.load(try #require(location.adapters[.speech]) + "/adapter_config.json")
        let weights = try TrainingWeights(
            location, configuration, precision: .f32,
            adapter: AdapterSettings(name: .speech, rank: settings.rank, alpha: settings.alpha, dropout: 0), seed: 0
        ) { $0.hasPrefix("speech_lora/") }
        let entries = pack.json["train"]["batch"]
        let builder = MicroBatchBuilder(weights)
        let vision = try #require(weights.visionConfiguration)
        let folder = pack.folder
        let samples = try entries["samples"].list.enumerated().map { i, sample in
            var media: [TrainingSample.Medium] = []
            if let name = sample["image"].string {
                let picture = try ImageReader.read(.file(folder + "/inputs/" + name))
                let size = try ImageGeometry.smartResize(
                    PixelSize(height: picture.height, width: picture.width), factor: vision.patchSize * vision.mergeSize,
                    minimumPixels: weights.imageProcessor.minimumPixels, maximumPixels: weights.imageProcessor.maximumPixels)
                media.append(.image(picture.resized(width: size.width, height: size.height)))
            }
            if let name = sample["speech"].string {
                let reader = try AudioReader(.file(folder + "/inputs/" + name))
                media.append(
                    .speech(samples: try reader.read(maximumCount: 1 << 24), transcript: entries["speech_asr_ids"][i].ids))
            }
            return TrainingSample(
                id: "\(i)", ids: entries["input_ids"][i].ids, labels: entries["labels"][i].ids, media: media)
        }
        self.weights = weights
        batch = try builder.build(samples)
    }

    func pass(lambda: Float, checkpointing: Bool = false) -> TrainingPass {
        TrainingPass(weights: weights, lossWeights: LossWeights(), regulariserWeight: lambda, checkpointsLayers: checkpointing, towers: FrozenTowers())
    }

    /// The reference names parameters as the model does while it trains.
    func reference(_ fullName: String) -> String {
        fullName.replacingOccurrences(of: "speech_lora/base_model.model.", with: "")
            .replacingOccurrences(of: "speech_lora/model.", with: "")
    }

    func compareNorms(_ gradients: [String: MLXArray], _ expected: JSON, _ group: String) {
        pack.equal(group, "parameters", gradients.count, expected.object.count)
        for (name, gradient) in gradients {
            let norm = (gradient * gradient).sum().item(Float.self).squareRoot()
            let wanted = expected[reference(name)].double ?? .nan
            pack.close(group, name, [norm], [Float(wanted)], tolerance: tolerance(name) * abs(wanted))
        }
    }

    /// A ReLU input near zero can change sign, which moves gradients of the projector's first layer (the packs' README).
    func tolerance(_ name: String) -> Double { name.contains("linear1") ? 3e-2 : 1e-3 }
}
