// Points of a run to resume from: weights, optimiser and place in the data, in a folder that appears complete or not at all.
import Foundation
import LyraModel
import MLX

/// Where a run stands, besides its arrays.
struct RunState: Codable, Equatable {
    /// Updates done.
    var step = 0
    /// The next batch.
    var position = BatchPosition()
    var skipped = 0
    var tokens = 0
    var samples = 0
    var seconds = 0.0
    /// Largest of recent losses; halves in seventy steps.
    private(set) var recentLoss: Float?
    /// What the run was configured with, to refuse a resumption with another network or order of data.
    var fingerprint = ""

    /// Takes a step's loss, unless it is `factor` times the largest of recent ones, which it gives then. Not the mean of these: a batch
    /// may be of one kind of samples, and kinds differ.
    mutating func explosion(_ loss: Float, factor: Float) -> Float? {
        if let recentLoss, loss > factor * max(abs(recentLoss), 0.1) { return recentLoss }
        recentLoss = max(loss, (recentLoss ?? loss) * 0.99)
        return nil
    }
}

/// The folder `checkpoints` of a run.
struct RunCheckpoints {
    let folder: String
    let kept: Int

    init(output: String, kept: Int) { (folder, self.kept) = (output + "/checkpoints", kept) }

    private func name(_ step: Int) -> String { String(format: "step-%08d", step) }

    /// Complete checkpoints, oldest first.
    var all: [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [])
            .filter { $0.hasPrefix("step-") && FileManager.default.fileExists(atPath: "\(folder)/\($0)/state.json") }.sorted()
            .map { "\(folder)/\($0)" }
    }

    /// Writes one and removes those before the last `kept`.
    func save(_ state: RunState, weights: [String: MLXArray], optimizer: OptimizerState) throws {
        let files = FileManager.default
        try files.createDirectory(atPath: folder, withIntermediateDirectories: true)
        for leftover in (try? files.contentsOfDirectory(atPath: folder)) ?? [] where leftover.hasPrefix(".partial-") {
            try? files.removeItem(atPath: "\(folder)/\(leftover)")
        }
        let partial = "\(folder)/.partial-\(name(state.step))", place = "\(folder)/\(name(state.step))"
        try files.createDirectory(atPath: partial, withIntermediateDirectories: true)
        try SafetensorsWriter.save(weights, to: URL(fileURLWithPath: partial + "/weights.safetensors"))
        var moments: [String: MLXArray] = [:]
        for (name, array) in optimizer.first { moments["first/" + name] = array }
        for (name, array) in optimizer.second { moments["second/" + name] = array }
        try SafetensorsWriter.save(
            moments, metadata: ["updates": "\(optimizer.updates)"], to: URL(fileURLWithPath: partial + "/optimizer.safetensors"))
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        try encoder.encode(state).write(to: URL(fileURLWithPath: partial + "/state.json"), options: .atomic)
        if files.fileExists(atPath: place) { try files.removeItem(atPath: place) }
        try files.moveItem(atPath: partial, toPath: place)
        for old in all.dropLast(kept) { try files.removeItem(atPath: old) }
    }

    /// The newest that can be read, or nil if there is none. One that cannot be read is passed over where an older one is there.
    func load(into weights: inout [String: MLXArray], _ optimizer: inout any Optimizer) throws -> RunState? {
        var failure: (any Error)?
        for path in all.reversed() {
            do {
                let state = try JSONDecoder().decode(RunState.self, from: Data(contentsOf: URL(fileURLWithPath: path + "/state.json")))
                let stored = try SafetensorsFile(URL(fileURLWithPath: path + "/weights.safetensors"))
                let moments = try SafetensorsFile(URL(fileURLWithPath: path + "/optimizer.safetensors"))
                var loaded: [String: MLXArray] = [:], first: [String: MLXArray] = [:], second: [String: MLXArray] = [:]
                for (name, current) in weights {
                    func read(_ file: SafetensorsFile, _ name: String) throws -> MLXArray {
                        let array = try file.array(named: name)
                        guard array.shape == current.shape, array.dtype == .float32 else {
                            throw TrainingError.unusableCheckpoint(
                                path: path, reason: "\(name) is \(array.dtype) \(array.shape), expected \(current.shape)")
                        }
                        // Copies: the file may be removed while the run goes on.
                        return array + Float(0)
                    }
                    loaded[name] = try read(stored, name)
                    if moments.tensors["first/" + name] != nil {
                        first[name] = try read(moments, "first/" + name)
                    }
                    if moments.tensors["second/" + name] != nil {
                        second[name] = try read(moments, "second/" + name)
                    }
                }
                eval(Array(loaded.values) + Array(first.values) + Array(second.values))
                weights = loaded
                optimizer.restore(
                    OptimizerState(
                        first: first, second: second, updates: moments.metadata["updates"].flatMap(Int.init) ?? state.step))
                return state
            } catch { failure = failure ?? error }
        }
        if let failure { throw TrainingError.unusableCheckpoint(path: folder, reason: failure.localizedDescription) }
        return nil
    }
}
