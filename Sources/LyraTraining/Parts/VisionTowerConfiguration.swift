// Everything that training of the vision tower depends on, as one JSON file.
import Foundation
import LyraModel

/// A run that trains the vision tower to name what it sees, where it sees it.
public struct VisionTowerConfiguration: PartConfiguration, Equatable {
    public var settings = PartSettings(batchSize: 32, steps: 4_000, learningRate: 1e-3)
    /// Pictures measured on, at most.
    public var validationLimit = 200
    /// A checkpoint in whose words the tower is to speak: labels are read from the tokens by the language model's embeddings of their
    /// names, so that each token becomes the sum of those of what is in its place. nil: by a map that is learnt and left behind.
    public var languageModel: String?

    public init() {}

    private enum CodingKeys: String, CodingKey, CaseIterable { case stage, validationLimit, languageModel }

    public init(from decoder: any Swift.Decoder) throws {
        try settings.read(decoder)
        let values = try decoder.container(keyedBy: CodingKeys.self)
        try values.read(.validationLimit, &validationLimit)
        languageModel = try values.decodeIfPresent(String.self, forKey: .languageModel)
        try PartSettings.refuseUnknown(
            decoder, known: CodingKeys.allCases.map(\.rawValue) + PartSettings.CodingKeys.allCases.map(\.rawValue))
    }

    public func encode(to encoder: any Swift.Encoder) throws {
        try settings.write(encoder)
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(PartStage.visionTower, forKey: .stage)
        try values.encode(validationLimit, forKey: .validationLimit)
        try values.encodeIfPresent(languageModel, forKey: .languageModel)
    }

    mutating func resolve(in folder: String) {
        settings.resolve(in: folder)
        languageModel = languageModel.map { MediaFolders.join(folder, $0) }
    }

    public func check() throws {
        try settings.check()
        try PartSettings.range("validation_limit", Double(validationLimit), 1...1e9)
    }
}
