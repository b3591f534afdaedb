// What a run leaves behind for use: adapters, and weights of parts that trained as a whole.
import Foundation
import LyraModel
import MLX

struct TrainingResult {
    let configuration: TrainingConfiguration
    let weights: TrainingWeights

    init(_ configuration: TrainingConfiguration, _ weights: TrainingWeights) {
        (self.configuration, self.weights) = (configuration, weights)
    }

    func write() throws -> [String] { [] }
}
