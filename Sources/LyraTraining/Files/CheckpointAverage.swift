// The mean of several checkpoints of one network.
import Foundation
import LyraModel
import MLX

/// Checkpoints that cannot be averaged as asked.
public enum AveragingError: Error, LocalizedError, Equatable {
    case shares([Double], models: Int)
    case unknownTensor(pattern: String, example: String)
    case missingPart(ModelPart, path: String)
    case nothing(String)

    public var errorDescription: String? {
        switch self {
        case .shares(let shares, let models):
            "shares are \(shares.map { $0.formatted() }.joined(separator: ", ")); \(models) models need as many numbers from 0 on, not all 0"
        case .unknownTensor(let pattern, let example):
            "no tensor matches '\(pattern)'; names look like \(example), and * stands for any run of characters"
        case .missingPart(let part, let path): "the \(part.rawValue) of \(path) was not found"
        case .nothing(let path): "the other checkpoints have all their weights in common with \(path): there is nothing to average"
        }
    }
}

/// The mean of the weights of checkpoints that were trained on from the same ones (a model soup, arXiv 2203.05482): often better than
/// each, at the cost of one. Of those trained from different beginnings the mean is noise.
public struct CheckpointAverage {
    public typealias Model = (location: ModelLocation, configuration: LyraConfiguration)

    /// At least two, of one shape. What is not averaged is the first's: configuration, tokenizer, vocoder.
    public let models: [Model]
    /// What each counts; only their ratios matter.
    public var shares: [Double]
    /// Which tensors, by patterns over full names (`model/model.layers.*`, `vision/*`); others are the first's. Empty: all.
    public var patterns: [NamePattern] = []
    /// Element type of the language model's file; nil: the first's. Means are taken in float32 and then rounded to it.
    public var dtype: DType?

    public init(_ models: [Model]) {
        (self.models, shares) = (models, models.map { _ in 1 })
    }

    /// Tensors of a part, and where the other models have them.
    private struct Averaged {
        var names: Set<String> = []
        var others: [(source: any TensorSource, prefix: String)] = []
    }

    /// Writes the mean. No adapters go along: they fit the weights they were trained beside. One tensor is computed at a time.
    ///
    /// - Parameter progress: share done; may throw to stop.
    /// - Returns: number of tensors averaged.
    /// - Throws: ``AveragingError``; ``CheckpointError`` if a model lacks one of the tensors or has it in another shape;
    ///   ``FolderError`` if there is something at `folder`.
    public func write(to folder: String, progress: (Double) throws -> Void = { _ in }) throws -> Int {
        let total = shares.reduce(0, +)
        guard models.count > 1, shares.count == models.count, shares.allSatisfy({ $0 >= 0 }), total > 0, total.isFinite else {
            throw AveragingError.shares(shares, models: models.count)
        }
        let parts = try averaged(), shares = shares.map { $0 / total }
        var writer = CheckpointWriter(models[0].location, models[0].configuration)
        writer.dtype = dtype
        try writer.write(to: folder, changedTowers: parts.keys.filter { $0 != .model }, progress: progress) { part, name, stored in
            guard let own = parts[part], own.names.contains(name) else { return nil }
            var mean = try stored().asType(.float32) * shares[0]
            for (other, share) in zip(own.others, shares.dropFirst()) {
                mean = mean + (try other.source.array(other.prefix + name)).asType(.float32) * share
            }
            try checkedEval(mean)
            for other in own.others { other.source.discard(other.prefix + name) }
            return mean
        }
        return parts.values.reduce(0) { $0 + $1.names.count }
    }

    /// What is averaged, after a look whether all have it.
    private func averaged() throws -> [ModelPart: Averaged] {
        var result: [ModelPart: Averaged] = [:], unused = patterns, example = ""
        for part in [ModelPart.model, .vision, .whisper] {
            guard let own = folder(part, models[0].location) else { continue }
            let first = try open(part, own), names = first.source.names.filter { $0.hasPrefix(first.prefix) }
                .map { String($0.dropFirst(first.prefix.count)) }
            example = example.isEmpty ? names.first.map(part.fullName) ?? "" : example
            unused.removeAll { pattern in names.contains { pattern.matches(part.fullName($0)) } }
            var averaged = Averaged()
            averaged.names = Set(
                names.filter { name in
                    (patterns.isEmpty || patterns.contains { $0.matches(part.fullName(name)) })
                        && first.source.describe(first.prefix + name)?.dtype.isFloatingPoint == true
                })
            let others = try models.dropFirst().map { model in
                guard let other = folder(part, model.location) else { throw AveragingError.missingPart(part, path: model.location.model) }
                return other
            }
            // Towers that stayed as they were often lie beside the models of many runs.
            guard !averaged.names.isEmpty, others.contains(where: { $0 != own }) else { continue }
            for other in others {
                let opened = try open(part, other)
                let problems = averaged.names.compactMap { name -> CheckpointError.Problem? in
                    let expected = first.source.describe(first.prefix + name)?.shape ?? []
                    guard let found = opened.source.describe(opened.prefix + name)?.shape else { return .missing(name: name, shape: expected) }
                    return found == expected ? nil : .misshapen(name: name, shape: found, expected: expected)
                }
                guard problems.isEmpty else { throw CheckpointError(origin: other, problems: problems.sorted(), standard: own) }
                averaged.others.append(opened)
            }
            result[part] = averaged
        }
        if let pattern = unused.first { throw AveragingError.unknownTensor(pattern: pattern.text, example: example) }
        guard !result.isEmpty else { throw AveragingError.nothing(models[0].location.model) }
        return result
    }

    private func folder(_ part: ModelPart, _ location: ModelLocation) -> String? {
        let path = part == .model ? location.model : part == .vision ? location.vision : location.speech
        return path.map { URL(fileURLWithPath: $0).standardizedFileURL.resolvingSymlinksInPath().path }
    }

    private func open(_ part: ModelPart, _ folder: String) throws -> (source: any TensorSource, prefix: String) {
        guard try Quantization.load(folder) == nil else { throw QuantizationError.isQuantized(folder) }
        let source = try WeightFiles.open(folder)
        switch part {
        case .vision: return (source, VisionTransformer.prefix(in: source))
        case .whisper: return (source, WhisperEncoder.prefix(in: source))
        default: return (source, "")
        }
    }
}
