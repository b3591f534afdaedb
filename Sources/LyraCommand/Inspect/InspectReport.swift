// What `lyra inspect` found, for programs; InspectText writes it for people.
import Foundation
import Lyra
import LyraModel
import LyraText

struct InspectReport: Encodable {
    struct Group: Encodable {
        var name: String
        var tensors = 0
        var parameters = 0
        var bytes = 0
        /// Bytes by element type.
        var types: [String: Int] = [:]

        mutating func add(_ tensor: CheckpointAudit.Tensor) {
            tensors += 1
            parameters += tensor.parameters
            bytes += tensor.bytes
            types["\(tensor.dtype)", default: 0] += tensor.bytes
        }
    }
    struct Tensor: Encodable {
        var name: String
        var shape: [Int]
        var type: String
        /// Whether the model reads it from there.
        var isUsed: Bool
    }
    struct Part: Encodable {
        var name: String
        var path: String
        var total: Group
        var parameters: Int { total.parameters }
        /// What its tensors belong to, where a file holds several networks.
        var groups: [Group]
        var problems: [String]
        var quantization: Quantization?
        var quantizedLayers = 0
        var tensors: [Tensor]?

        enum CodingKeys: String, CodingKey {
            case name, path, parameters, bytes, types, tensorCount, groups, problems, quantization, quantizedLayers, tensors
        }
        func encode(to encoder: any Encoder) throws {
            var values = encoder.container(keyedBy: CodingKeys.self)
            try values.encode(name, forKey: .name)
            try values.encode(path, forKey: .path)
            try values.encode(total.parameters, forKey: .parameters)
            try values.encode(total.bytes, forKey: .bytes)
            try values.encode(total.types, forKey: .types)
            try values.encode(total.tensors, forKey: .tensorCount)
            if groups.count > 1 { try values.encode(groups, forKey: .groups) }
            try values.encode(problems, forKey: .problems)
            if let quantization {
                try values.encode(quantization, forKey: .quantization)
                try values.encode(quantizedLayers, forKey: .quantizedLayers)
            }
            try values.encodeIfPresent(tensors, forKey: .tensors)
        }
    }
    struct AdapterSettings: Encodable {
        var name: String
        var rank: Int
        var scale: Float
    }
    struct TokenizerFacts: Encodable {
        var size: Int
        var eos: Int32?
    }

    var path: String
    var parts: [Part]
    var language: LyraConfiguration?
    var vision: VisionConfiguration?
    var speech: WhisperConfiguration?
    var vocoder: VocoderConfiguration?
    var adapters: [AdapterSettings] = []
    var tokenizer: TokenizerFacts?
    var endTokens: [Int32] = []
    /// Parts that are named but not there, and parts that cannot be opened.
    var missing: [String] = []
    var failures: [String] = []
    /// Tensors with values that are no numbers; nil if nobody looked.
    var nonFinite: [String]?

    var problemCount: Int { failures.count + parts.reduce(0) { $0 + $1.problems.count } + (nonFinite?.count ?? 0) }
    var isBroken: Bool { problemCount > 0 }

    init(file path: String, _ audit: CheckpointAudit) {
        self.path = path
        parts = audit.parts.map(Self.part)
    }

    init(_ location: ModelLocation, _ configuration: LyraConfiguration, _ audit: CheckpointAudit) {
        path = location.model
        parts = audit.parts.map(Self.part)
        language = configuration
        vision = location.vision.flatMap { try? VisionConfiguration.load($0 + "/config.json") }
        speech = location.speech.flatMap { try? WhisperConfiguration.load($0 + "/config.json") }
        vocoder = location.vocoder.flatMap { try? VocoderConfiguration.load($0 + "/config.json") }
        adapters = location.adapters.sorted { $0.key.rawValue < $1.key.rawValue }.compactMap { adapter, folder in
            (try? AdapterConfiguration.load(folder + "/adapter_config.json")).map {
                AdapterSettings(name: adapter.rawValue, rank: $0.rank, scale: $0.scale)
            }
        }
        endTokens = audit.endTokens
        missing = location.missing.values.map(\.localizedDescription).sorted()
        failures = audit.failures
        do {
            let loaded = try Tokenizer(directory: URL(fileURLWithPath: location.model))
            tokenizer = TokenizerFacts(size: loaded.vocabularySize, eos: loaded.eos)
            if loaded.vocabularySize > configuration.vocabularySize {
                failures.append(
                    "tokenizer: it has \(loaded.vocabularySize) tokens, the model's table \(configuration.vocabularySize) rows")
            }
        } catch {
            failures.append("tokenizer: \(error.localizedDescription)")
        }
    }

    private static func part(_ part: CheckpointAudit.Part) -> Part {
        var total = Group(name: part.name), groups: [Group] = []
        for tensor in part.tensors {
            total.add(tensor)
            let name = group(tensor.name, in: part)
            if let at = groups.firstIndex(where: { $0.name == name }) {
                groups[at].add(tensor)
            } else {
                groups.append(Group(name: name))
                groups[groups.count - 1].add(tensor)
            }
        }
        return Part(
            name: part.name, path: part.path, total: total, groups: groups.sorted { $0.parameters > $1.parameters },
            problems: part.problems.map(\.text), quantization: part.quantization, quantizedLayers: part.quantizedLayers)
    }

    /// The network a tensor belongs to.
    private static func group(_ name: String, in part: CheckpointAudit.Part) -> String {
        if part.unused.contains(name) { return "not used from here" }
        guard part.name == "language model" else { return part.name }
        for (prefix, group) in [
            ("model.mm_speech_projector.", "speech projector"), ("speech_generator.", "speech generator"),
            ("model.embed_tokens.", "embedding and head"), ("lm_head.", "embedding and head"),
        ] where name.hasPrefix(prefix) { return group }
        return "layers"
    }

    mutating func listTensors(_ audit: CheckpointAudit) {
        for (i, part) in audit.parts.enumerated() {
            parts[i].tensors = part.tensors.map {
                Tensor(name: $0.name, shape: $0.shape, type: "\($0.dtype)", isUsed: !part.unused.contains($0.name))
            }
        }
    }

    /// Reads every value.
    mutating func scan(_ audit: CheckpointAudit) throws {
        let total = audit.parts.reduce(0) { $0 + $1.tensors.reduce(0) { $0 + $1.bytes } }
        var done = 0, found: [String] = []
        let began = ContinuousClock.now
        for part in audit.parts {
            for tensor in part.tensors {
                try Task.checkCancellation()
                do {
                    let (nan, infinite) = try part.nonFinite(tensor)
                    if nan + infinite > 0 {
                        let counts = [(nan, "NaN"), (infinite, "infinite")].filter { $0.0 > 0 }.map { "\($0.0) \($0.1)" }
                        found.append("\(part.name): \(tensor.name): \(counts.joined(separator: ", ")) of \(tensor.count) values")
                    }
                } catch {
                    failures.append("\(part.name): \(tensor.name): \(error.localizedDescription)")
                }
                done += tensor.bytes
                let elapsed = (ContinuousClock.now - began) / .seconds(1)
                Terminal.shared.draw(
                    ProgressLine(
                        label: "checking", fraction: Double(done) / Double(max(1, total)), rate: Bytes.text(Double(done) / max(0.001, elapsed)) + "/s",
                        elapsed: elapsed
                    ).text(columns: Terminal.columns))
            }
        }
        Terminal.shared.clearProgress()
        nonFinite = found
    }
}

/// Sizes as people read them.
enum Bytes {
    /// "512 B", "1.3 MB", "4.42 GB", in powers of 1000.
    static func text(_ bytes: some BinaryFloatingPoint) -> String { scaled(Double(bytes), ["B", "kB", "MB", "GB", "TB"]) }
    static func text(_ bytes: Int) -> String { text(Double(bytes)) }

    /// "512", "1.3 M", "2.21 B"
    static func count(_ value: Int) -> String { scaled(Double(value), ["", "k", "M", "B", "T"]) }

    private static func scaled(_ value: Double, _ units: [String]) -> String {
        var value = value, unit = 0
        while value >= 999.5, unit < units.count - 1 {
            value /= 1000
            unit += 1
        }
        let digits = unit == 0 ? 0 : value < 9.995 ? 2 : value < 99.95 ? 1 : 0
        return String(format: "%.\(digits)f", value) + (units[unit].isEmpty ? "" : " \(units[unit])")
    }
}
