// A checkpoint with random weights in the released layout: for tests, benchmarks and demonstrations.
import Foundation
import MLX

/// Writes whole random systems. The same preset and seed give the same bytes.
///
/// What tensors a checkpoint holds is not listed anywhere: the networks are built against a recorder, and what they ask for
/// is what is written.
public enum RandomCheckpoint {
    /// Writes the preset under `directory`: `work_dirs/NAME` with the model, tokenizer and adapters, `model_zoo/` with the
    /// towers and the vocoder.
    ///
    /// - Parameters:
    ///   - dtype: element type of the safetensors files (the torch files are float32).
    ///   - tokenizer: folder whose tokenizer files are copied, which `endTokens` of the system must go with; a tokenizer of
    ///     single bytes is made otherwise.
    ///   - maximumShardBytes: size beyond which a model's weights are split over several files.
    ///   - progress: part being written, share of all bytes done.
    /// - Returns: the model's folder.
    @discardableResult
    public static func write(
        preset: Preset, seed: UInt64, to directory: String, dtype: DType = .bfloat16, tokenizer: String? = nil,
        maximumShardBytes: Int? = nil, progress: (String, Double) throws -> Void = { _, _ in }
    ) throws -> String {
        try write(
            preset.configurations, seed: seed, to: directory, dtype: dtype, tokenizer: tokenizer,
            maximumShardBytes: maximumShardBytes, progress: progress)
    }

    @discardableResult
    public static func write(
        _ system: SystemConfiguration, seed: UInt64, to directory: String, dtype: DType = .bfloat16, tokenizer: String? = nil,
        maximumShardBytes: Int? = nil, progress: (String, Double) throws -> Void = { _, _ in }
    ) throws -> String {
        let model = "\(directory)/work_dirs/\(system.name)"
        guard !FileManager.default.fileExists(atPath: model) else {
            throw CheckpointWriteError.exists(model)
        }
        let parts = try self.parts(system, seed)
        let total = parts.reduce(0) { $0 + $1.bytes }
        var done = 0
        for part in parts {
            let folder = "\(directory)/\(part.folder)"
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            for (name, json) in part.files { try writeJSON(json, "\(folder)/\(name)") }
            for (name, requests) in part.torch {
                let archive = TorchArchiveWriter(
                    tensors: requests.map { ($0.name, $0.shape, RandomValues(seed, $0).floats()) },
                    outerKey: name.hasPrefix("g_") ? "generator" : nil)
                try archive.data().write(to: URL(fileURLWithPath: "\(folder)/\(name)"), options: .atomic)
            }
            for (name, requests) in part.safetensors {
                let shards = CheckpointShards(name, requests, dtype: dtype, limit: maximumShardBytes)
                for (file, requests) in shards.files {
                    let entries = requests.map { SafetensorsWriter.Entry(name: $0.name, dtype: dtype, shape: $0.shape) }
                    let byName = Dictionary(uniqueKeysWithValues: requests.map { ($0.name, $0) })
                    try SafetensorsWriter.save(
                        entries, metadata: ["format": "pt"], to: URL(fileURLWithPath: "\(folder)/\(file)")
                    ) { name in
                        guard let request = byName[name] else { throw CheckpointError(origin: folder, problems: [.missing(name: name, shape: [])]) }
                        let bytes = RandomValues(seed, request, part.heads).bytes(dtype)
                        done += bytes.count
                        try progress(part.folder, Double(done) / Double(max(1, total)))
                        return try MLXArray(bytes, request.shape, dtype: dtype)
                    }
                }
                try shards.writeIndex(in: folder)
            }
        }
        try TokenizerFiles.write(to: model, system, copying: tokenizer)
        return model
    }

    // MARK: What is written where

    private struct Part {
        var folder: String
        var files: [(String, any Encodable)] = []
        var safetensors: [(String, [Parameters.Request])] = []
        var torch: [(String, [Parameters.Request])] = []
        /// With which the decoder in it begins.
        var heads: InductionHeads?
        var bytes: Int { safetensors.reduce(0) { $0 + $1.1.reduce(0) { $0 + 2 * $1.shape.reduce(1, *) } } }
    }

    private static func parts(_ system: SystemConfiguration, _ seed: UInt64) throws -> [Part] {
        let language = system.language, model = "work_dirs/\(system.name)"
        func record(_ build: (Parameters) -> Void) -> [Parameters.Request] {
            let recorder = Parameters(nil)
            build(recorder)
            return recorder.requests
        }
        var parts = [
            Part(
                folder: model,
                files: [("config.json", language), ("generation_config.json", GenerationFile(system.endTokens))],
                safetensors: [
                    (
                        "model.safetensors",
                        record {
                            _ = Decoder($0, language)
                            _ = SpeechProjector($0, language)
                            if let generator = language.generator { _ = SpeechGenerator($0, language, generator) }
                        }
                    )
                ],
                heads: system.hasInductionHeads ? InductionHeads(language, seed: seed) : nil)
        ]
        for folder in ["speech_lora", "long_speech_lora"] {
            let adapter = AdapterConfiguration(rank: system.loraRank, alpha: system.loraAlpha)
            let lora = record {
                var decoder = Decoder(Parameters(nil), language)
                decoder.attach(.speech, $0, prefix: "base_model.model.", rank: adapter.rank, scale: adapter.scale)
            }.map { Parameters.Request(name: $0.name, shape: $0.shape, isMatrix: true, salt: folder) }
            let projector = record { _ = SpeechProjector($0, language, prefix: "model.") }
                .map { Parameters.Request(name: $0.name, shape: $0.shape, isMatrix: $0.isMatrix, salt: folder) }
            parts.append(
                Part(
                    folder: "\(model)/\(folder)", files: [("adapter_config.json", adapter)],
                    safetensors: [("adapter_model.safetensors", lora)], torch: [("non_lora_trainables.bin", projector)]))
        }
        parts.append(
            Part(
                folder: language.visionTower ?? "model_zoo/vision",
                files: [("config.json", system.vision), ("preprocessor_config.json", ImageProcessorConfiguration())],
                safetensors: [("model.safetensors", record { _ = VisionTransformer($0, system.vision) })]))
        parts.append(
            Part(
                folder: language.speechTower ?? "model_zoo/audio/whisper", files: [("config.json", system.whisper)],
                safetensors: [("model.safetensors", record { _ = WhisperEncoder($0, system.whisper, prefix: "model.encoder.") })]))
        parts.append(
            Part(
                folder: ModelLocation.vocoderFolder, files: [("config.json", system.vocoder)],
                torch: [("g_00500000", record { _ = Vocoder($0, system.vocoder) })]))
        return parts
    }

    private struct GenerationFile: Encodable {
        var ids: [Int]
        init(_ end: SystemConfiguration.EndTokens) { ids = [end.turn, end.text] }
        enum CodingKeys: String, CodingKey { case ids = "eos_token_id" }
    }

    private static func writeJSON(_ value: any Encodable, _ path: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        try encoder.encode(value).write(to: URL(fileURLWithPath: path), options: .atomic)
    }
}

/// A checkpoint that cannot be written.
public enum CheckpointWriteError: Error, LocalizedError, Equatable {
    case exists(String)
    /// A torch archive holds 4 GiB at most here.
    case tooLarge(String)
    public var errorDescription: String? {
        switch self {
        case .tooLarge(let path): "\(path) would be larger than 4 GiB; write it as safetensors instead"
        case .exists(let path): "\(path) exists already; remove it or choose another folder"
        }
    }
}

/// Random values of one tensor: uniform, scaled so that signals neither vanish nor grow.
struct RandomValues {
    private let request: Parameters.Request
    private let heads: InductionHeads?
    private var generator: SplitMix64

    init(_ seed: UInt64, _ request: Parameters.Request, _ heads: InductionHeads? = nil) {
        (self.request, self.heads) = (request, heads)
        // FNV-1a of the name, so that a tensor's values do not depend on the others.
        let hash = (request.name + request.salt).utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
        generator = SplitMix64(state: seed &* 0x9E37_79B9_7F4A_7C15 ^ hash)
    }

    private var count: Int { request.shape.reduce(1, *) }

    /// Centre and half-width of the values.
    private var distribution: (centre: Float, spread: Float) {
        let name = request.name
        if name.hasSuffix("weight_g") { return (1.4, 0.1) }
        if name == "dur_predictor.proj.bias" { return (1.1, 0) }
        if name.hasSuffix("bias") { return (0, 0.02) }
        if !request.isMatrix { return (1, 0.05) }  // a norm's scale
        let fanIn = request.shape.dropFirst().reduce(1, *)
        // Adapters change the output by about a tenth.
        let gain: Float = name.contains("lora_B") ? 0.1 : 1
        return (0, gain * (3 / Float(max(1, fanIn))).squareRoot())
    }

    func floats() -> [Float] {
        if request.name.hasSuffix("embed_positions.weight"), request.shape.count == 2 {
            return Self.sinusoids(rows: request.shape[0], width: request.shape[1])
        }
        let (centre, spread) = distribution
        var random = generator
        var values = (0..<count).map { _ in
            centre + spread * (Float(random.next() >> 40) / Float(1 << 23) - 1)
        }
        heads?.apply(to: &values, of: request.name)
        return values
    }

    /// Row-major little-endian elements.
    func bytes(_ dtype: DType) -> Data {
        let isTable = request.name.hasSuffix("embed_positions.weight")
        guard dtype != .float32, !isTable, heads == nil, count >= 1 << 16 else {
            let values = floats()
            return dtype == .float32
                ? values.withUnsafeBytes { Data($0) }
                : values.map { Self.half($0, dtype) }.withUnsafeBytes { Data($0) }
        }
        // Large 16-bit tensors: a table of all 65,536 values, four draws from every random word, on all processors.
        let (centre, spread) = distribution
        let table = (0..<65_536).map { Self.half(centre + spread * (Float($0) / 32_768 - 1), dtype) }
        let count = count, start = generator.state, piece = 1 << 20
        var data = Data(count: count * 2)
        data.withUnsafeMutableBytes { raw in
            let out = raw.bindMemory(to: UInt16.self)
            concurrently((count + piece - 1) / piece) { p in
                var random = SplitMix64(state: start &+ UInt64(p) &* 0xD134_2543_DE82_EF95)
                var i = p * piece
                let end = min(count, i + piece)
                table.withUnsafeBufferPointer { table in
                    while i < end {
                        var word = random.next()
                        for _ in 0..<min(4, end - i) {
                            out[i] = table[Int(word & 0xFFFF)]
                            word >>= 16
                            i += 1
                        }
                    }
                }
            }
        }
        return data
    }

    private static func half(_ value: Float, _ dtype: DType) -> UInt16 {
        if dtype == .float16 { return Float16(value).bitPattern }
        let bits = value.bitPattern
        return UInt16(truncatingIfNeeded: (bits &+ 0x7FFF &+ ((bits >> 16) & 1)) >> 16)
    }

    /// Whisper's position table: sines in the first half of the width, cosines in the second.
    static func sinusoids(rows: Int, width: Int) -> [Float] {
        let half = width / 2
        let step = log(10_000.0) / Double(max(1, half - 1))
        var values = [Float](repeating: 0, count: rows * width)
        for row in 0..<rows {
            for i in 0..<half {
                let angle = Double(row) * exp(-step * Double(i))
                values[row * width + i] = Float(sin(angle))
                values[row * width + half + i] = Float(cos(angle))
            }
        }
        return values
    }
}

/// A tokenizer of single bytes and Qwen2's special tokens.
enum TokenizerFiles {
    /// In the order of their ids.
    static let specials = [
        "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>",
        "<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>",
        "<|image_pad|>", "<|video_pad|>",
    ]
    private static let names = ["vocab.json", "merges.txt", "tokenizer_config.json", "tokenizer.json"]

    private struct Added: Encodable { var content: String, special = true, normalized = false }
    private struct Config: Encodable {
        var added: [String: Added]
        var tokenizerClass = "Qwen2Tokenizer", eosToken = "<|im_end|>", padToken = "<|endoftext|>"
        enum CodingKeys: String, CodingKey {
            case added = "added_tokens_decoder"
            case tokenizerClass = "tokenizer_class"
            case eosToken = "eos_token"
            case padToken = "pad_token"
        }
    }

    static func write(to folder: String, _ system: SystemConfiguration, copying source: String?) throws {
        if let source {
            for name in names where FileManager.default.fileExists(atPath: "\(source)/\(name)") {
                try Data(contentsOf: URL(fileURLWithPath: "\(source)/\(name)"))
                    .write(to: URL(fileURLWithPath: "\(folder)/\(name)"), options: .atomic)
            }
            return
        }
        // Byte-level BPE writes bytes as printable characters; those that are printable already stand for themselves.
        var vocabulary: [String: Int] = [:]
        let printable = Array(33...126) + Array(161...172) + Array(174...255)
        var shifted = 256
        let others = (0...255).filter { !printable.contains($0) }
        for (id, byte) in (printable + others).enumerated() {
            let code = printable.contains(byte) ? byte : shifted
            if !printable.contains(byte) { shifted += 1 }
            if let scalar = Unicode.Scalar(code) { vocabulary[String(Character(scalar))] = id }
        }
        let first = system.endTokens.text
        let added = Dictionary(
            uniqueKeysWithValues: specials.enumerated().map { ("\(first + $0.offset)", Added(content: $0.element)) })
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        for (name, data) in [
            ("vocab.json", try encoder.encode(vocabulary)), ("merges.txt", Data("#version: 0.2\n".utf8)),
            ("tokenizer_config.json", try encoder.encode(Config(added: added))),
        ] {
            try data.write(to: URL(fileURLWithPath: "\(folder)/\(name)"), options: .atomic)
        }
    }
}
