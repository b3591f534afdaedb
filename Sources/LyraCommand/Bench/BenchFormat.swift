// Forms of weights that are measured against each other, and checkpoints in them.
import ArgumentParser
import Foundation
import Lyra
import LyraModel
import LyraTraining

/// "f32", "bf16", "int8": the checkpoint as it is, in that precision. "8bit", "4bit": a quantised copy; "8bit-int8", "4bit-int8":
/// one whose products are taken in 8-bit integers.
struct BenchFormat: Equatable, Sendable {
    var bits: Int?
    var precision: Precision
    let name: String

    static let known = ["f32", "bf16", "int8", "8bit", "4bit", "8bit-int8", "4bit-int8"]

    init(_ name: String) throws {
        self.name = name
        switch name {
        case "f32", "bf16", "int8": (bits, precision) = (nil, Precision(rawValue: name) ?? .bf16)
        case "8bit", "4bit": (bits, precision) = (name == "8bit" ? 8 : 4, .bf16)
        case "8bit-int8", "4bit-int8": (bits, precision) = (name == "8bit-int8" ? 8 : 4, .int8)
        default: throw UsageError("--formats: there is no format '\(name)'; there are \(Self.known.joined(separator: ", "))")
        }
    }

    static func list(_ text: String) throws -> [BenchFormat] {
        try text.split(separator: ",").map { try BenchFormat(String($0).trimmed) }
    }

    /// The checkpoint in this form: itself, or a copy beside `folder` that is made if it is not there.
    func checkpoint(_ model: String, in folder: String) throws -> String {
        guard let bits else { return model }
        let copy = "\(folder)/\(bits)bit"
        guard !FileManager.default.fileExists(atPath: copy) else { return copy }
        let (location, configuration) = try ModelLocation.resolve(model)
        let setting = Quantization.Setting(bits: bits)
        var quantizer = CheckpointQuantizer(setting)
        (quantizer.vision, quantizer.speech) = (setting, setting)
        let progress = ShareProgress()
        _ = try quantizer.write(location, configuration, to: copy) { share in
            try progress.show("quantising to \(bits) bits", share)
        }
        Terminal.shared.clearProgress()
        return copy
    }
}
