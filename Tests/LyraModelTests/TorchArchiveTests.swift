import Foundation
import MLX
import Testing

@testable import LyraModel

@Suite struct TorchArchiveTests {
    static let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    static let packs = [
        "pack_c": package.appendingPathComponent("Tests/Fixtures/pack_c"),
        "pack_a": package.deletingLastPathComponent().appendingPathComponent("shared/oracle/pack_a"),
    ]

    /// A file, and what an independent reading of it (Python, double precision) gave.
    struct Known: Sendable, CustomTestStringConvertible {
        var pack: String
        var file: String
        var count: Int
        var sum: Double
        var absoluteSum: Double
        var tensor: String
        var shape: [Int]
        var tensorSum: Double
        var first: [Double]
        var testDescription: String { "\(pack)/\(file)" }
        var url: URL { (TorchArchiveTests.packs[pack] ?? TorchArchiveTests.package).appendingPathComponent(file) }
    }

    static let known: [Known] = [
        Known(pack: "pack_c", file: "model_zoo/audio/vocoder/g_00500000", count: 302, sum: 406.5275961015976, absoluteSum: 23022.599548250997,
              tensor: "generator.conv_pre.weight_v", shape: [32, 16, 7], tensorSum: 0.46233167370701267, first: [0.11096712, 0.08018316, 0.01517176]),
        Known(pack: "pack_c", file: "work_dirs/Lyra_Small_tiny/speech_lora/non_lora_trainables.bin", count: 4, sum: 1.5025384244509041, absoluteSum: 20868.73367885966,
              tensor: "model.model.mm_speech_projector.linear1.weight", shape: [2048, 80], tensorSum: 13.767982050776482, first: [0.03466797, -0.0065918, 0.25]),
        Known(pack: "pack_c", file: "work_dirs/Lyra_Small_tiny/long_speech_lora/non_lora_trainables.bin", count: 4, sum: 46.04551520943642, absoluteSum: 20914.92057717219,
              tensor: "model.model.mm_speech_projector.linear2.bias", shape: [48], tensorSum: 0.046051025390625, first: [-0.03930664, -0.00836182, -0.0025177]),
        Known(pack: "pack_a", file: "model_zoo/audio/vocoder/g_00500000", count: 302, sum: 1221.917867255797, absoluteSum: 60694.32509000087,
              tensor: "generator.conv_pre.weight_g", shape: [64, 1, 1], tensorSum: 64.69741851091385, first: [1.1798664, 0.94623244, 1.0872552]),
        Known(pack: "pack_a", file: "work_dirs/Lyra_Base_tiny/speech_lora/non_lora_trainables.bin", count: 4, sum: -8.79194380651461, absoluteSum: 36313.01631754992,
              tensor: "model.model.mm_speech_projector.linear2.weight", shape: [128, 2048], tensorSum: -0.5762511983630247, first: [0.00177002, -0.00393677, 0.00125122]),
        Known(pack: "pack_a", file: "work_dirs/Lyra_Base_tiny/long_speech_lora/non_lora_trainables.bin", count: 4, sum: -28.697585359681398, absoluteSum: 36337.53431344079,
              tensor: "model.model.mm_speech_projector.linear1.bias", shape: [2048], tensorSum: -3.543660968542099, first: [0.02392578, -0.09960938, -0.12695312]),
    ].filter { FileManager.default.fileExists(atPath: $0.url.path) }

    private func numbers(_ archive: TorchArchive, _ name: String) throws -> [Double] {
        try archive.array(named: name).asType(.float32).asArray(Float.self).map(Double.init)
    }

    @Test(arguments: known) func realFiles(_ known: Known) throws {
        let archive = try TorchArchive(known.url)
        #expect(archive.tensors.count == known.count)
        var (sum, absoluteSum) = (0.0, 0.0)
        for name in archive.names {
            let values = try numbers(archive, name)
            sum += values.reduce(0, +)
            absoluteSum += values.reduce(0) { $0 + Swift.abs($1) }
        }
        #expect(Swift.abs(sum - known.sum) < 1e-8)
        #expect(Swift.abs(absoluteSum - known.absoluteSum) < 1e-7)
        let tensor = try archive.array(named: known.tensor)
        #expect(tensor.shape == known.shape)
        #expect(archive.tensors[known.tensor]?.dtype == (known.file.hasSuffix(".bin") ? .bfloat16 : .float32))
        let values = try numbers(archive, known.tensor)
        #expect(Swift.abs(values.reduce(0, +) - known.tensorSum) < 1e-9)
        for (value, expected) in zip(values, known.first) { #expect(Swift.abs(value - expected) < 1e-7) }
        #expect(throws: TorchArchiveError.self) { try archive.array(named: "nope") }
    }

    @Test func stridesAreHonoured() throws {
        let storage = (0..<12).map(Float.init).withUnsafeBytes { Data($0) }
        func values(offset: Int = 0, _ shape: [Int], _ strides: [Int]) throws -> [Float] {
            let pickle = PickleBuilder.one(count: 12, offset: offset, shape: shape, strides: strides)
            let scratch = try TorchArchiveScratch(ZipBuilder().archive(pickle: pickle, storages: [storage]))
            let array = try TorchArchive(scratch.url).array(named: "x")
            #expect(array.shape == shape)
            return array.asArray(Float.self)
        }
        #expect(try values([3, 4], [4, 1]) == (0..<12).map(Float.init))
        #expect(try values([4, 3], [1, 4]) == [0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11])
        #expect(try values(offset: 5, [2, 2], [4, 2]) == [5, 7, 9, 11])
        #expect(try values(offset: 11, [], []) == [11])
        #expect(try values([2, 0, 3], [3, 3, 1]) == [])
        #expect(try values(offset: 2, [1, 3, 1], [99, 1, 77]) == [2, 3, 4])
    }

    @Test(arguments: [
        ("FloatStorage", DType.float32), ("HalfStorage", .float16), ("BFloat16Storage", .bfloat16), ("LongStorage", .int64),
        ("IntStorage", .int32), ("ShortStorage", .int16), ("CharStorage", .int8), ("ByteStorage", .uint8), ("BoolStorage", .bool),
        ("DoubleStorage", .float64),
    ])
    func elementTypes(_ storage: String, _ dtype: DType) throws {
        let data = Data((0..<2 * dtype.size).map { UInt8($0 % 2) })
        let pickle = PickleBuilder.one(storage: storage, count: 2, shape: [2], strides: [1])
        let scratch = try TorchArchiveScratch(ZipBuilder().archive(pickle: pickle, storages: [data]))
        let archive = try TorchArchive(scratch.url)
        #expect(try archive.array(named: "x").dtype == dtype)
        #expect(try archive.tensors["x"]?.bytes() == data)
    }

    @Test func nestedContainersBecomePaths() throws {
        let pickle = PickleBuilder().op("}").text("epoch").int(3).op("s").text("list").op("](").op("N\u{88}").op("es")
            .text("deep").op("}").text("er").tensor(count: 1, shape: [1], strides: [1]).op("ss").text("name").text("é").op("s.").data
        let scratch = try TorchArchiveScratch(ZipBuilder().archive(pickle: pickle, storages: [Data(count: 4)]))
        let archive = try TorchArchive(scratch.url)
        #expect(archive.names == ["deep.er"])
        #expect(archive.values == ["epoch": .int(3), "list.0": .none, "list.1": .bool(true), "name": .string("é")])
    }

    @Test func wideZipFiles() throws {
        let pickle = PickleBuilder.one(count: 2, shape: [2], strides: [1])
        var builder = ZipBuilder()
        builder.wide = true
        #expect(torchMessage(builder.archive(pickle: pickle, storages: [Data(count: 8)])) == "no error")
    }

    @Test func checksumOfKnownText() {
        let text = Array("123456789".utf8)
        #expect(text.withUnsafeBytes { CRC32.checksum($0) } == 0xCBF4_3926)
    }
}
