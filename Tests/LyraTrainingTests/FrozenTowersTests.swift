// What frozen encoders compute is kept for them alone.
import Foundation
import LyraModel
@testable import LyraTraining
import MLX
import Testing

@Suite struct FrozenTowersTests {
    /// Another encoder in the place of one whose results are kept is asked itself; the same one elsewhere is not.
    @Test func resultsBelongToWeights() throws {
        let folder = try DataFolder()
        func system(_ name: String, seed: UInt64) throws -> (location: ModelLocation, networks: TrainingNetworks, weights: TrainingWeights) {
            try? FileManager.default.removeItem(atPath: folder.file(name))
            let model = try RandomCheckpoint.write(preset: .tiny, seed: seed, to: folder.file(name), dtype: .float32)
            let (location, configuration) = try ModelLocation.resolve(model)
            let weights = try TrainingWeights(location, configuration, precision: .f32, adapter: nil, seed: 0) { _ in false }
            return (location, try weights.networks([:], dropout: nil), weights)
        }
        func tokens(_ name: String, seed: UInt64) throws -> (kept: [Float], own: [Float]) {
            let (location, networks, weights) = try system(name, seed: seed)
            let logMel = try #require(weights.logMel), whisper = try #require(networks.whisper)
            let towers = try FrozenTowers(cache: folder.file("cache"), location, .f32)
            let window = (0..<8_000).map { sin(Float($0) * 0.05) }[...]
            // What is not to be kept is computed all the same.
            let once = try towers.frames([window, window[100...]], keeping: [true, false], whisper, logMel)
            #expect(once[1].asArray(Float.self) == whisper(logMel(window[100...]).expandedDimensions(axis: 0)).asArray(Float.self))
            return (once[0].asArray(Float.self), whisper(logMel(window).expandedDimensions(axis: 0)).asArray(Float.self))
        }
        func files() -> Int { FileManager.default.enumerator(atPath: folder.file("cache"))?.count { "\($0)".hasSuffix(".safetensors") } ?? 0 }
        let first = try tokens("model", seed: 1)
        #expect(first.kept == first.own && files() == 1)
        let second = try tokens("model", seed: 2)
        #expect(second.kept == second.own && second.kept != first.kept && files() == 2)
        let elsewhere = try tokens("other", seed: 1)
        #expect(elsewhere.kept == first.kept && files() == 2)
    }
}
