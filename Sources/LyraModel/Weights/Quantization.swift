// `quantization` in config.json, as MLX's tools write it: how the integers of each layer's weights are packed.
import Foundation

/// How the weights of a checkpoint's layers are quantised: settings for all, and for layers that have others.
public struct Quantization: Codable, Sendable, Equatable {
    /// Integers of `bits` bits; `groupSize` consecutive ones of a row share a scale and a bias.
    public struct Setting: Codable, Sendable, Equatable {
        public var groupSize: Int
        public var bits: Int

        public init(groupSize: Int = 64, bits: Int) { (self.groupSize, self.bits) = (groupSize, bits) }

        enum CodingKeys: String, CodingKey {
            case groupSize = "group_size"
            case bits
        }

        /// Whether a matrix with rows of `columns` weights can be packed so.
        public func fits(columns: Int) -> Bool { columns % groupSize == 0 }

        func check(_ key: String) throws {
            guard [32, 64, 128].contains(groupSize) else {
                throw ConfigurationError.invalid(key: "\(key).group_size", value: "\(groupSize)", expected: "32, 64 or 128")
            }
            guard [4, 8].contains(bits) else {
                throw ConfigurationError.invalid(key: "\(key).bits", value: "\(bits)", expected: "4 or 8")
            }
        }
    }

    public var all: Setting
    /// By the name of the layer, e.g. `model.layers.0.mlp.down_proj`.
    public var layers: [String: Setting] = [:]

    public init(_ all: Setting, layers: [String: Setting] = [:]) { (self.all, self.layers) = (all, layers) }

    /// The setting of a layer whose weights are quantised.
    public func setting(_ layer: String) -> Setting { layers[layer] ?? all }

    /// A layer's own setting; what it leaves out is as everywhere.
    private struct Partial: Decodable {
        var group_size: Int?
        var bits: Int?
    }

    private struct Key: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    public init(from decoder: any Swift.Decoder) throws {
        all = try Setting(from: decoder)
        let values = try decoder.container(keyedBy: Key.self)
        if let mode = try? values.decode(String.self, forKey: Key(stringValue: "mode")), mode != "affine" {
            throw ConfigurationError.invalid(key: "quantization.mode", value: mode, expected: "affine")
        }
        // Layers that are not quantised stand there as `false`, beside words about the whole.
        for key in values.allKeys {
            guard let own = try? values.decode(Partial.self, forKey: key) else { continue }
            layers[key.stringValue] = Setting(groupSize: own.group_size ?? all.groupSize, bits: own.bits ?? all.bits)
        }
        try all.check("quantization")
        for (name, setting) in layers { try setting.check("quantization.\(name)") }
    }

    public func encode(to encoder: any Swift.Encoder) throws {
        try all.encode(to: encoder)
        var values = encoder.container(keyedBy: Key.self)
        for (name, setting) in layers { try values.encode(setting, forKey: Key(stringValue: name)) }
    }

    private struct File: Decodable {
        var quantization: Quantization?
    }

    /// What a folder's `config.json` says; nil where weights are plain.
    public static func load(_ folder: String) throws -> Quantization? {
        let path = folder + "/config.json"
        guard let data = try? Data(contentsOf: URL(fileURLWithPath: path)) else { return nil }
        do {
            return try JSONDecoder().decode(File.self, from: data).quantization
        } catch let error as DecodingError {
            throw ConfigurationError.unreadable(path: path, reason: error.summary)
        }
    }
}
