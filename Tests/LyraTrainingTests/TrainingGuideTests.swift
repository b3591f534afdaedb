// The code of docs/training.md, run on the samples of examples/training. ReadmeTests checks that the page shows these very
// lines.
import Foundation
import LyraModel
import LyraTraining
import Testing

@Suite struct TrainingGuideTests {
    @Test func guide() async throws {
        let folder = try TemporaryRun()
        defer { folder.remove() }
        let examples = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().path + "/examples/training"
        let model = try RandomCheckpoint.write(preset: .tiny, seed: 7, to: folder.path + "/model")
        var written = TrainingConfiguration(
            stage: .alignment, model: model, output: folder.path + "/run", data: [DataSource(examples + "/speak.jsonl")])
        (written.batchSize, written.epochs) = (2, 1)
        let settings = folder.path + "/stage1.json"
        try written.json().write(to: URL(fileURLWithPath: settings))

        let configuration = try TrainingConfiguration.load(settings)
        let trainer = try await Trainer(configuration, resume: true) { event in
            if case .step(let step, let total) = event { print(step.step, "of", total, step.losses.total) }
        }
        let summary = try await trainer.run()
        print(summary.written)

        let checkpoint = try #require(summary.written.first)
        #expect(FileManager.default.fileExists(atPath: checkpoint))
        #expect(summary.steps == 2)
    }

    /// Adapters of a checkpoint are in what a run writes as long as they fit it: not beside another projector, but beside another generator.
    @Test func adaptersGoWithWhatTheyFit() async throws {
        let folder = try TemporaryRun()
        defer { folder.remove() }
        let examples = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().path + "/examples/training"
        let model = try RandomCheckpoint.write(preset: .tiny, seed: 7, to: folder.path + "/model")
        for (stage, kept) in [(TrainingStage.alignment, 0), (.speechGenerator, 2)] {
            var configuration = TrainingConfiguration(
                stage: stage, model: model, output: folder.path + "/\(stage)", data: [DataSource(examples + "/speak.jsonl", unitsFile: examples + "/units.txt")])
            (configuration.batchSize, configuration.epochs) = (2, 1)
            _ = try await Trainer(configuration, resume: false).run()
            #expect(try ModelLocation.resolve(configuration.output + "/model").0.adapters.count == kept, "\(stage)")
        }
    }
}
