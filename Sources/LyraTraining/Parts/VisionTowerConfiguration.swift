// Everything that training of the vision tower depends on, as one JSON file.
import Foundation
import LyraModel

/// A run that trains the vision tower to name what it sees, where it sees it.
public struct VisionTowerConfiguration: PartConfiguration, Equatable {
    public var settings = PartSettings(batchSize: 32, steps: 4_000, learningRate: 1e-3)
    /// Pictures measured on, at most.
    public var validationLimit = 200

    public init() {}

    private enum CodingKeys: String, CodingKey, CaseIterable { case stage, validationLimit }

    public init(from decoder: any Swift.Decoder) throws {
        try settings.read(decoder)
        let values = try decoder.container(keyedBy: CodingKeys.self)
        try values.read(.validationLimit, &validationLimit)
        try PartSettings.refuseUnknown(
            decoder, known: CodingKeys.allCases.map(\.rawValue) + PartSettings.CodingKeys.allCases.map(\.rawValue))
    }

    public func encode(to encoder: any Swift.Encoder) throws {
        try settings.write(encoder)
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(PartStage.visionTower, forKey: .stage)
        try values.encode(validationLimit, forKey: .validationLimit)
    }

    public func check() throws {
        try settings.check()
        try PartSettings.range("validation_limit", Double(validationLimit), 1...1e9)
    }
}
