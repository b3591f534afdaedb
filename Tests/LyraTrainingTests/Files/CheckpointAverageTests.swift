// Means of checkpoints.
import Foundation
@testable import LyraModel
@testable import LyraTraining
import MLX
import Testing

@Suite struct CheckpointAverageTests {
    private func make(_ folder: DataFolder, seed: UInt64, preset: Preset = .tiny) throws -> CheckpointAverage.Model {
        let root = folder.file("\(preset.rawValue)-\(seed)")
        try RandomCheckpoint.write(preset: preset, seed: seed, to: root, dtype: .float32)
        return try ModelLocation.resolve(root)
    }

    private func values(_ folder: String?, _ name: String) throws -> [Float] {
        try WeightFiles.open(try #require(folder)).array(name).asType(.float32).asArray(Float.self)
    }

    @Test func theMeanIsTheMean() throws {
        let folder = try DataFolder()
        let models = try [1, 2, 3].map { try make(folder, seed: $0) }
        var average = CheckpointAverage(models)
        average.shares = [1, 5, 2]
        let out = folder.file("mean")
        let count = try average.write(to: out)
        let mean = try ModelLocation.resolve(out)
        let places: [(ModelLocation) -> String?] = [{ $0.model }, { $0.vision }, { $0.speech }]
        var total = 0
        for place in places {
            let names = try WeightFiles.open(try #require(place(models[0].location))).names
            total += names.count
            for name in names {
                let each = try models.map { try values(place($0.location), name) }, found = try values(place(mean.location), name)
                let expected = each[0].indices.map { each[0][$0] * 0.125 + each[1][$0] * 0.625 + each[2][$0] * 0.25 }
                #expect(zip(found, expected).allSatisfy { abs($0 - $1) < 1e-6 }, "\(name)")
            }
        }
        #expect(count == total)
        let model = try LyraModel(mean.location, mean.configuration, precision: .f32)
        #expect(model.adapters.isEmpty && model.hasVision && model.hasSpeech)
        #expect(throws: Never.self) { try model.vocoder() }
        #expect(throws: FolderError.exists(out)) { try average.write(to: out) }
    }

    @Test func otherTensorsAreTheFirstModels() throws {
        let folder = try DataFolder()
        let models = try [1, 2].map { try make(folder, seed: $0) }
        var average = CheckpointAverage(models)
        average.patterns = ["model/model.layers.1.*", "vision/*"]
        average.dtype = .bfloat16
        _ = try average.write(to: folder.file("mean"))
        let mean = try ModelLocation.resolve(folder.file("mean"))
        func isFirst(_ place: (ModelLocation) -> String?, _ name: String) throws -> Bool {
            let first = try values(place(models[0].location), name), found = try values(place(mean.location), name)
            return zip(first, found).allSatisfy { abs($0 - $1) <= abs($0) / 128 }
        }
        #expect(try !isFirst({ $0.model }, "model.layers.1.mlp.up_proj.weight"))
        #expect(try isFirst({ $0.model }, "model.layers.0.mlp.up_proj.weight"))
        let vision = try WeightFiles.open(try #require(mean.location.vision)).names, speech = try WeightFiles.open(try #require(mean.location.speech)).names
        #expect(try vision.contains { try !isFirst({ $0.vision }, $0) })
        #expect(try speech.allSatisfy { try isFirst({ $0.speech }, $0) })
        #expect(try WeightFiles.open(mean.location.model).describe("model.norm.weight")?.dtype == .bfloat16)
    }

    /// Runs with frozen towers have them in common: nothing of theirs is averaged or copied.
    @Test func towersInCommonStayWhereTheyAre() throws {
        let folder = try DataFolder()
        let first = try make(folder, seed: 1), other = folder.file("tiny-1/work_dirs/other")
        try FileManager.default.copyItem(atPath: first.location.model, toPath: other)
        let second = try ModelLocation.resolve(other), out = folder.file("tiny-1/work_dirs/mean")
        #expect(try CheckpointAverage([first, second]).write(to: out) == WeightFiles.open(first.location.model).names.count)
        #expect(try ModelLocation.resolve(out).location.vision == first.location.vision)
        #expect(throws: AveragingError.nothing(first.location.model)) { try CheckpointAverage([first, first]).write(to: folder.file("same")) }
    }

    @Test func whatCannotBeAveraged() throws {
        let folder = try DataFolder()
        let models = try [1, 2].map { try make(folder, seed: $0) }, out = folder.file("mean")
        func average(_ models: [CheckpointAverage.Model], _ change: (inout CheckpointAverage) -> Void = { _ in }) throws {
            var average = CheckpointAverage(models)
            change(&average)
            _ = try average.write(to: out)
        }
        for shares in [[1], [1, -1], [0, 0], [1, .infinity], [1, .nan]] as [[Double]] {
            #expect(throws: AveragingError.self) { try average(models) { $0.shares = shares } }
        }
        #expect(throws: AveragingError.shares([1], models: 1)) { try average([models[0]]) }
        let unknown = #expect(throws: AveragingError.self) { try average(models) { $0.patterns = ["vision/*", "layers.*"] } }
        #expect(unknown?.localizedDescription.contains("no tensor matches 'layers.*'; names look like model/") == true)
        let larger = try make(folder, seed: 1, preset: .nano)
        let problem = #expect(throws: CheckpointError.self) { try average([models[0], larger]) }
        #expect(problem?.origin == URL(fileURLWithPath: larger.location.model).resolvingSymlinksInPath().path)
        #expect(problem?.localizedDescription.contains("does not fit \(URL(fileURLWithPath: models[0].location.model).resolvingSymlinksInPath().path) (") == true)
        #expect(problem?.problems.contains { if case .misshapen = $0 { true } else { false } } == true)
        // The other way round tensors are missing as well: tiny has fewer layers.
        #expect(throws: CheckpointError.self) { try average([larger, models[0]]) }
        var blind = models[1]
        blind.location.vision = nil
        #expect(throws: AveragingError.missingPart(.vision, path: blind.location.model)) { try average([models[0], blind]) }
        let packed = folder.file("packed")
        _ = try CheckpointQuantizer(.init(groupSize: 32, bits: 8)).write(models[1].location, models[1].configuration, to: packed)
        #expect(throws: QuantizationError.self) { try average([models[0], try ModelLocation.resolve(packed)]) }
        #expect(!FileManager.default.fileExists(atPath: out))
    }
}
