// Loss of the speech generator (LYRA.md section 5): CTC of an answer's frames with its units.
import LyraModel
import MLX

/// How improbable the units of spoken answers are to the speech generator.
///
/// The generator sees the states that predict each of the answer's tokens, the end marker included, as it does when it
/// speaks. The original trains on the states at the tokens themselves but speaks from those that predict them; with
/// ``compatible`` this does the same.
public struct SpeechGeneratorLoss: Sendable, Equatable {
    /// Trains as the original does, for checkpoints of its.
    public var compatible = false

    public init(compatible: Bool = false) { self.compatible = compatible }

    /// A spoken answer: how many tokens it has and the units of its sound.
    public typealias Answer = (tokens: Int, units: [Int32])

    /// Rows of the states to train on, given those that predict the answer's tokens.
    public func rows(predictors: [Int32]) -> [Int32] { compatible ? predictors.map { $0 + 1 } : predictors }

    /// The sum of the answers' losses, to be divided by the number of all their units.
    ///
    /// Answers whose units do not fit into 25 frames a token get as many frames as the units need. The original counts the
    /// units only, not the blanks between equal ones; what is impossible then contributes nothing.
    ///
    /// - Parameters:
    ///   - hidden: `[tokens, hidden]`, states of the answers' tokens end to end.
    /// - Returns: a scalar in `float32`.
    public func callAsFunction(_ generator: SpeechGenerator, _ hidden: MLXArray, answers: [Answer]) -> MLXArray {
        let frames = answers.map { max($0.tokens * generator.configuration.upsample, needed($0.units)) }
        let logits = generator.logits(hidden, tokens: answers.map(\.tokens), frames: frames)
        return Kernel.ctcLoss(
            logits: logits, segments: frames.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1) },
            targets: answers.map(\.units), blank: Int(generator.blank), zeroInfinity: true
        ).sum()
    }

    private func needed(_ units: [Int32]) -> Int {
        let repeats = zip(units, units.dropFirst()).count { $0 == $1 }
        return units.count + (compatible ? 0 : repeats)
    }
}
