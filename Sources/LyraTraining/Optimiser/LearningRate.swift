// Learning rates over a run: warm-up, then a schedule; and which parameters follow which.
import Foundation

/// How the learning rate goes on after the warm-up.
public enum LearningRateSchedule: String, Sendable, Codable, CaseIterable {
    /// Half a cosine down to zero (the paper's).
    case cosine
    /// A straight line down to zero.
    case linear
    case constant

    /// Factor of the base rate at `step` (from 0) of `steps`: it rises in a straight line from 0 over `warmup` steps.
    public func factor(step: Int, warmup: Int, steps: Int) -> Double {
        if step < warmup { return Double(step) / Double(max(1, warmup)) }
        let progress = min(1, Double(step - warmup) / Double(max(1, steps - warmup)))
        return switch self {
        case .cosine: max(0, 0.5 * (1 + cos(.pi * progress)))
        case .linear: max(0, 1 - progress)
        case .constant: 1
        }
    }
}

/// Parameters that train, and how.
public struct ParameterGroup: Sendable, Codable, Equatable {
    /// Over full names, e.g. `vision/*` or `model/model.layers.*.mlp.*`.
    public var pattern: NamePattern
    /// Where it differs from the run's.
    public var learningRate: Double?
    public var weightDecay: Double?

    public init(_ pattern: NamePattern, learningRate: Double? = nil, weightDecay: Double? = nil) {
        (self.pattern, self.learningRate, self.weightDecay) = (pattern, learningRate, weightDecay)
    }
}

extension [ParameterGroup] {
    /// The last group that matches: later lines refine earlier ones.
    func group(of name: String) -> ParameterGroup? { last { $0.pattern.matches(name) } }
}
