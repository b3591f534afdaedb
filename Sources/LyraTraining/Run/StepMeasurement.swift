// Steps of training on samples at hand, timed: no data files, checkpoints or logs.
import LyraModel

/// What some steps took.
public struct StepMeasurement: Sendable {
    /// Of every step but the first, which also computes what frozen encoders make of the samples.
    public var seconds: [Double] = []
    /// Tokens of one step.
    public var tokens = 0
    /// After the last step.
    public var losses = StepLosses()

    /// Loads the configuration's model and takes `count + 1` steps on `samples`, as ``Trainer`` does.
    /// - Throws: what loading throws; ``TrainingError`` if a sample does not fit the model or a loss is no number.
    public init(_ configuration: TrainingConfiguration, on samples: [TrainingSample], count: Int) throws {
        let (location, language) = try ModelLocation.resolve(configuration.model)
        let weights = try TrainingWeights(location, language, configuration)
        var step = try TrainingStep(configuration, weights, steps: count + 1)
        let clock = ContinuousClock()
        for number in 0...count {
            try Task.checkCancellation()
            let began = clock.now
            var bad: TrainingError?
            let batches = try step.microBatches(samples) { bad = $0 }
            if let bad { throw bad }
            let outcome = try step.update(batches, step: number)
            if number > 0 { seconds.append((clock.now - began) / .seconds(1)) }
            (tokens, losses) = (outcome.tokens, outcome.losses)
        }
    }
}
