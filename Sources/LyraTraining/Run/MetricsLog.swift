// metrics.jsonl: one line a step, for people's own plots and for comparing runs.
import Foundation

/// What one step did.
public struct StepMetrics: Sendable, Codable, Equatable {
    /// Counted from 1.
    public var step: Int
    public var epoch: Int
    public var losses: StepLosses
    public var learningRate: Double
    /// Before clipping.
    public var gradientNorm: Double
    public var samples: Int
    public var tokens: Int
    /// Samples left out so far.
    public var skipped: Int
    /// Of this step, media and all.
    public var seconds: Double
    /// Measured on the validation data after this step.
    public var validation: Validation?

    public struct Validation: Sendable, Codable, Equatable {
        public var losses: StepLosses
        /// Share of supervised tokens that are the model's first choice.
        public var accuracy: Double
    }

    enum CodingKeys: String, CodingKey {
        case step, epoch, losses, samples, tokens, skipped, seconds, validation
        case learningRate = "learning_rate"
        case gradientNorm = "gradient_norm"
    }
}

/// Appends lines to a file.
final class MetricsLog {
    private let path: String
    private let handle: FileHandle
    private(set) var lines: [StepMetrics]

    /// Opens the log of a run that has done `steps` steps: lines of later steps, which a resumed run repeats, are dropped.
    init(_ path: String, steps: Int) throws {
        self.path = path
        let url = URL(fileURLWithPath: path)
        let text = steps > 0 ? (try? String(contentsOf: url, encoding: .utf8)) ?? "" : ""
        let decoder = JSONDecoder()
        lines = text.split(separator: "\n").compactMap { try? decoder.decode(StepMetrics.self, from: Data($0.utf8)) }
            .filter { $0.step <= steps }
        try Self.text(lines).write(to: url, options: .atomic)
        handle = try FileHandle(forWritingTo: url)
        try handle.seekToEnd()
    }

    func append(_ metrics: StepMetrics) throws {
        lines.append(metrics)
        try handle.write(contentsOf: Self.text([metrics]))
    }

    private static func text(_ lines: [StepMetrics]) throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        return try lines.reduce(into: Data()) { $0 += try encoder.encode($1) + Data("\n".utf8) }
    }
}
