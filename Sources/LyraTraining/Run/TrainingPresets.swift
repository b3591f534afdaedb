// The paper's settings of every stage (LYRA.md section 6), for a size, as a file to start from.
import Foundation
import LyraModel

public enum TrainingPresets {
    /// A configuration with every key, to be edited. `model`, `output` and `data` name places that the user has to fill in.
    public static func json(_ stage: TrainingStage, _ preset: Preset) throws -> Data {
        let system = preset.configurations
        let name = system.name
        var configuration = TrainingConfiguration(
            stage: stage, model: "work_dirs/\(name)", output: "runs/\(stage.rawValue)",
            data: [DataSource("data/\(stage.rawValue).json")])
        configuration.adapter?.rank = system.loraRank
        configuration.adapter?.alpha = system.loraAlpha
        if preset == .tiny {
            // A model of that size fits everything and needs no care.
            (configuration.gradientCheckpointing, configuration.precision) = (false, .f32)
        }
        return try configuration.json()
    }
}
