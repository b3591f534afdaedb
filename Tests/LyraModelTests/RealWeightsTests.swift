// Whisper tiny.en's real encoder on real recordings, against numbers of other implementations. Skipped where
// ../shared/data is absent.
import Foundation
import LyraMedia
@testable import LyraModel
import MLX
import Testing

enum RealData {
    static let folder = OraclePack.root + "/../shared/data"
    static var isPresent: Bool { FileManager.default.fileExists(atPath: folder + "/README.md") }
    static func json(_ name: String) throws -> JSON {
        let data = try Data(contentsOf: URL(fileURLWithPath: "\(folder)/expected/\(name)"))
        return JSON(try JSONSerialization.jsonObject(with: data))
    }

    /// A little-endian float32 .npy file of C order.
    static func npy(_ name: String) throws -> [Float] {
        let data = try Data(contentsOf: URL(fileURLWithPath: "\(folder)/expected/\(name)"))
        let header = 10 + Int(data[8]) + Int(data[9]) << 8
        return data.dropFirst(header).withUnsafeBytes { raw in
            (0..<(raw.count / 4)).map { raw.loadUnaligned(fromByteOffset: $0 * 4, as: Float.self) }
        }
    }

    /// - Parameter bits: quantises the linear maps' weights, in groups of 64.
    static func encoder(_ precision: Precision = .f32, bits: Int? = nil) throws -> WhisperEncoder {
        let path = folder + "/weights/whisper-tiny.en"
        let configuration = try WhisperConfiguration.load(path + "/config.json")
        var source = try WeightFiles.openFile(path + "/encoder.f16.safetensors")
        let setting = Quantization.Setting(bits: bits ?? 8)
        if bits != nil {
            let recorder = Parameters(nil)
            _ = WhisperEncoder(recorder, configuration, prefix: WhisperEncoder.prefix(in: source))
            let maps = Set(recorder.requests.filter(\.isMap).map(\.name))
            var arrays: [String: MLXArray] = [:]
            for name in source.names {
                guard maps.contains(name) else {
                    arrays[name] = try source.array(name)
                    continue
                }
                let layer = name.dropLast(".weight".count)
                let packed = Kernel.quantize(try source.array(name).asType(.float32), groupSize: setting.groupSize, bits: setting.bits)
                (arrays[name], arrays["\(layer).scales"], arrays["\(layer).biases"]) = (packed.weight, packed.scales, packed.biases)
            }
            source = DictionarySource(arrays)
        }
        let parameters = Parameters(
            source, computeType: precision.dtype, quantization: Quantization(setting), usesInt8: precision == .int8)
        let encoder = WhisperEncoder(parameters, configuration, prefix: WhisperEncoder.prefix(in: source))
        try parameters.finish(isKnown: { _ in false })
        return encoder
    }
}

@Suite(.serialized, .enabled(if: RealData.isPresent, "needs ../shared/data"))
struct RealWeightsTests {
    @Test func logMelEqualsHuggingFaceAndTheReference() throws {
        let expected = try RealData.json("hf_whisper_feature_extractor_expected.json")
        let samples = try AudioReader.readAll(.file(RealData.folder + "/" + (expected["audio"].string ?? "")))
        let mel = LogMel(bins: 80)(samples).asArray(Float.self)
        let wanted = expected["expected_[0,0,:30]"].list.map { Float($0.double ?? .nan) }
        let worst = zip(mel, wanted).map { abs($0 - $1) }.max() ?? .infinity
        print("log-mel against Hugging Face's expected values: max abs difference \(worst)")
        #expect(worst <= 1e-4)

        let jfk = LogMel(bins: 80)(try AudioReader.readAll(.file(RealData.folder + "/speech/jfk/jfk.wav"))).asArray(Float.self)
        let reference = try RealData.npy("jfk.logmel80.f32.npy")
        let difference = zip(jfk, reference).map { abs($0 - $1) }.max() ?? .infinity
        print("log-mel of jfk against float64: max abs difference \(difference)")
        #expect(jfk.count == reference.count)
        #expect(difference <= 2e-4)
    }

    @Test func encoderStatesOfARealRecordingEqualTheReference() throws {
        let samples = try AudioReader.readAll(.file(RealData.folder + "/speech/jfk/jfk.wav"))
        let mel = LogMel(bins: 80)(samples).expandedDimensions(axis: 0)
        let reference = try RealData.npy("jfk.whisper-tiny.en.encoder_out.f32.npy")
        let exact = try RealData.encoder()(mel).asArray(Float.self)
        #expect(exact.count == reference.count)
        let difference = zip(exact, reference).map { abs($0 - $1) }.max() ?? .infinity
        print("Whisper tiny.en encoder on jfk, f32: max abs difference \(difference) against float64")
        #expect(difference <= 5e-3)

        let coarse = try RealData.encoder(.bf16)(mel).asType(.float32).asArray(Float.self)
        let errors = zip(coarse, reference).map { abs($0 - $1) }
        let mean = errors.reduce(0, +) / Float(errors.count)
        let scale = reference.reduce(0) { $0 + abs($1) } / Float(reference.count)
        print("Whisper tiny.en encoder on jfk, bf16: mean abs difference \(mean), mean abs value \(scale)")
        #expect(mean <= 0.02 * scale)
    }

    /// Stages of the encoder, so that a difference is found where it begins.
    @Test func encoderStagesEqualTheReference() throws {
        let all = try RealData.json("whisper_tiny_en_encoder_stages.json")
        let expected = try #require(all.object.first { $0.key.contains("1272-128104-0000") }?.value)
        let samples = try AudioReader.readAll(.file(RealData.folder + "/speech/librispeech/1272-128104-0000.flac"))
        #expect(samples.count == expected["samples"].int)
        var stages: [String: [Float]] = [:]
        _ = try RealData.encoder().states(LogMel(bins: 80)(samples).expandedDimensions(axis: 0)) { name, array in
            stages[name] = Array(array.asType(.float32).asArray(Float.self))
        }
        for (ours, theirs) in [("embedded", "embed_row0_0..7")] + (0..<4).map({ ("layer.\($0)", "block\($0)_row0_0..7") }) {
            let wanted = expected[theirs].list.map { Float($0.double ?? .nan) }
            let found = Array(try #require(stages[ours]).prefix(wanted.count))
            let worst = zip(found, wanted).map { abs($0 - $1) }.max() ?? .infinity
            #expect(worst <= 2e-3, "\(ours)")
        }
    }

    /// 600 recordings of digits by six people: what the encoder hears tells them apart.
    @Test func digitsAreToldApart() throws {
        let folder = NSTemporaryDirectory() + "digits-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let tar = Process()
        tar.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        tar.arguments = ["tar", "xzf", RealData.folder + "/speech/free-spoken-digits.tar.gz", "-C", folder]
        try tar.run()
        tar.waitUntilExit()
        let files = FileManager.default.enumerator(atPath: folder)?.compactMap { $0 as? String } ?? []
        let logMel = LogMel(bins: 80)
        var spectra: [(digit: Int, take: Int, mel: MLXArray)] = []
        for file in files.sorted() where file.hasSuffix(".wav") {
            let parts = (file as NSString).lastPathComponent.dropLast(4).split(separator: "_")
            guard parts.count == 3, let digit = Int(parts[0]), let take = Int(parts[2]), take < 10 else { continue }
            let samples = try AudioReader.readAll(.file("\(folder)/\(file)"))
            let mel = logMel(samples.prefix(logMel.windowSamples))[0..., ..<200]
            spectra.append((digit, take, mel.expandedDimensions(axis: 0)))
        }
        let exact = Self.accuracy(try RealData.encoder(), spectra)
        print("free-spoken-digits, nearest centroid: \(exact)")
        #expect(spectra.count { $0.take < 5 } >= 250)
        #expect(exact >= 0.95)
        // A form of weights is accepted on evidence: within a point of float32.
        for (name, precision, bits) in [
            ("bf16", Precision.bf16, nil), ("8 bits", .bf16, 8), ("4 bits", .bf16, 4), ("int8", .int8, nil), ("8 bits, int8", .int8, 8),
        ] as [(String, Precision, Int?)] {
            let found = Self.accuracy(try RealData.encoder(precision, bits: bits), spectra)
            print("free-spoken-digits, nearest centroid, \(name): \(found)")
            if bits != 4 { #expect(found >= exact - 0.01, "\(name)") }
        }
    }

    /// Share of digits nearest to the centroid of their own kind, by mean encoder states; takes from 5 on make the centroids.
    private static func accuracy(_ encoder: WhisperEncoder, _ spectra: [(digit: Int, take: Int, mel: MLXArray)]) -> Double {
        let features = spectra.map { sample in
            let states = encoder(sample.mel)[0]  // [100, width]
            return (digit: sample.digit, take: sample.take, mean: mean(states[..<50].asType(.float32), axis: 0).asArray(Float.self))
        }
        let train = features.filter { $0.take >= 5 }, test = features.filter { $0.take < 5 }
        let centroids = (0..<10).map { digit -> [Float] in
            let rows = train.filter { $0.digit == digit }.map(\.mean)
            return (rows.first ?? []).indices.map { i in rows.reduce(0) { $0 + $1[i] } / Float(rows.count) }
        }
        let right = test.count { sample in
            let distances = centroids.map { zip($0, sample.mean).reduce(Float(0)) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) } }
            return distances.indices.min { distances[$0] < distances[$1] } == sample.digit
        }
        return Double(right) / Double(max(1, test.count))
    }
}
