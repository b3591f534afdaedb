// Quantised weights: what MLX's own tools wrote is read, and what does not fit is told.
import Foundation
@testable import LyraModel
import MLX
import Testing

@Suite struct QuantizationTests {
    private static let folder = OraclePack.root + "/Tests/Fixtures/mlx_quantized"

    private func decode(_ json: String) throws -> Quantization { try JSONDecoder().decode(Quantization.self, from: Data(json.utf8)) }

    @Test func settingsAreThoseOfMLX() throws {
        let quantization = try #require(try Quantization.load(Self.folder))
        #expect(quantization.all == .init(groupSize: 64, bits: 4))
        #expect(quantization.setting("down_proj") == .init(groupSize: 32, bits: 8))
        #expect(quantization.setting("up_proj") == .init(groupSize: 64, bits: 4))
        let again = try JSONDecoder().decode(Quantization.self, from: JSONEncoder().encode(quantization))
        #expect(again == quantization)
        #expect(try Quantization.load("/nowhere") == nil)
    }

    @Test func otherKindsAreRefused() {
        for json in [
            #"{"group_size": 64, "bits": 3}"#, #"{"group_size": 16, "bits": 4}"#, #"{"group_size": 32, "bits": 4, "mode": "mxfp4"}"#,
            #"{"bits": 4}"#, #"{"group_size": 64, "bits": 4, "lm_head": {"group_size": 64, "bits": 2}}"#,
        ] { #expect(throws: (any Error).self, "\(json)") { try decode(json) } }
    }

    /// Weights, scales and results by mlx.core.
    @Test func aCheckpointOfMLXGivesItsNumbers() throws {
        let source = try WeightFiles.open(Self.folder)
        let expected = try SafetensorsFile(URL(fileURLWithPath: Self.folder + "/expected.safetensors"))
        let parameters = Parameters(source, quantization: try Quantization.load(Self.folder))
        let table = Embedding(parameters, "embed_tokens", count: 24, width: 128)
        let up = Linear(parameters, "up_proj", in: 128, out: 64, bias: true)
        let down = Linear(parameters, "down_proj", in: 64, out: 32, bias: false)
        let plain = Linear(parameters, "plain_proj", in: 32, out: 16, bias: false)
        try parameters.finish(isKnown: { _ in false })
        func worst(_ array: MLXArray, _ name: String) throws -> Float {
            let wanted = try expected.array(named: name).asArray(Float.self), found = array.asArray(Float.self)
            #expect(found.count == wanted.count)
            return zip(found, wanted).reduce(0) { max($0, abs($1.0 - $1.1)) }
        }
        let x = table(try expected.array(named: "ids").asArray(Int32.self))
        #expect(try worst(x, "embedded") < 1e-6)
        let a = up(x), b = down(a)
        #expect(try worst(a, "up") < 1e-5)
        #expect(try worst(b, "down") < 1e-5)
        #expect(try worst(plain(b), "plain") < 1e-5)
    }

    @Test func whatDoesNotFitIsTold() throws {
        let source = try WeightFiles.open(Self.folder)
        var arrays = Dictionary(uniqueKeysWithValues: try source.names.map { ($0, try source.array($0)) })
        func problems(_ quantization: Quantization?, rows: Int = 64) -> String {
            let parameters = Parameters(DictionarySource(arrays), quantization: quantization)
            _ = Linear(parameters, "up_proj", in: 128, out: rows, bias: true)
            do { try parameters.finish() } catch { return error.localizedDescription }
            return ""
        }
        let setting = Quantization(.init(groupSize: 64, bits: 4))
        #expect(problems(setting) == "")
        #expect(problems(nil).contains("\"quantization\""))
        #expect(problems(Quantization(.init(groupSize: 64, bits: 8))).contains("wrong shape: up_proj.weight"))
        #expect(problems(Quantization(.init(groupSize: 32, bits: 4))).contains("wrong shape: up_proj.scales"))
        #expect(problems(setting, rows: 65).contains("wrong shape: up_proj.weight"))
        arrays["up_proj.biases"] = nil
        #expect(problems(setting).contains("missing: up_proj.biases"))
        arrays["up_proj.biases"] = arrays["up_proj.scales"]?.asType(.float32)
        #expect(problems(setting).contains("unusable: up_proj.weight"))
    }
}
