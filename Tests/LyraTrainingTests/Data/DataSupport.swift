// What the tests of data share: folders, media files and the reference packs.
import Foundation
import LyraMedia
import LyraModel
import LyraText
@testable import LyraTraining
import Testing

/// A folder that is gone when the last reference to it is.
final class DataFolder {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("lyra-data-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String) -> String { "\(path)/\(name)" }

    @discardableResult func write(_ name: String, _ text: String) throws -> String { try write(name, Data(text.utf8)) }

    @discardableResult func write(_ name: String, _ data: Data) throws -> String {
        try data.write(to: URL(fileURLWithPath: file(name)))
        return file(name)
    }

    @discardableResult func picture(_ name: String, _ width: Int = 56, _ height: Int = 56, red: UInt8 = 200) throws -> String {
        let pixels = (0..<width * height).flatMap { i -> [UInt8] in [red, UInt8(truncatingIfNeeded: i), 40] }
        try RGBImage(width: width, height: height, pixels: pixels).write(png: file(name))
        return file(name)
    }

    @discardableResult func sound(_ name: String, seconds: Double = 0.5) throws -> String {
        let samples = (0..<Int(seconds * 16_000)).map { 0.3 * sin(Float($0) * 0.1) }
        try AudioFile.write(samples, sampleRate: 16_000, to: file(name))
        return file(name)
    }

    /// A WAV file of float samples, which can hold what is no number.
    @discardableResult func floatSound(_ name: String, _ samples: [Float]) throws -> String {
        func little<T: FixedWidthInteger>(_ value: T) -> [UInt8] { withUnsafeBytes(of: value.littleEndian) { Array($0) } }
        var data = Array("RIFF".utf8) + little(UInt32(36 + samples.count * 4)) + Array("WAVEfmt ".utf8)
        data += little(UInt32(16)) + little(UInt16(3)) + little(UInt16(1)) + little(UInt32(16_000)) + little(UInt32(64_000))
        data += little(UInt16(4)) + little(UInt16(32)) + Array("data".utf8) + little(UInt32(samples.count * 4))
        for sample in samples { data += little(sample.bitPattern) }
        return try write(name, Data(data))
    }

    /// The first part of a file under another name.
    @discardableResult func cut(_ name: String, to share: Double, as other: String) throws -> String {
        let data = try Data(contentsOf: URL(fileURLWithPath: file(name)))
        return try write(other, data.prefix(Int(Double(data.count) * share)))
    }
}

/// A reference pack: the committed one, or one beside the package.
struct DataPack: CustomTestStringConvertible, Sendable {
    let name: String
    let folder: String
    var testDescription: String { name }

    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().path
    static let committed = DataPack(name: "pack_c", folder: root + "/Tests/Fixtures/pack_c")
    static let available = [committed, DataPack(name: "pack_a", folder: root + "/../shared/oracle/pack_a")]
        .filter { FileManager.default.fileExists(atPath: $0.folder + "/expected.json") }

    func expected() throws -> [String: Any] {
        let data = try Data(contentsOf: URL(fileURLWithPath: folder + "/expected.json"))
        return try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    }

    func encoder(_ adjust: (inout SampleEncoder.Settings) -> Void = { _ in }) throws -> SampleEncoder {
        let (location, configuration) = try ModelLocation.resolve(folder)
        var settings = SampleEncoder.Settings()
        adjust(&settings)
        return try SampleEncoder(location, configuration, settings: settings)
    }
}

/// An encoder of a tiny model.
func tinyEncoder(_ adjust: (inout SampleEncoder.Settings) -> Void = { _ in }) throws -> SampleEncoder {
    try DataPack.committed.encoder(adjust)
}

/// The bad sample that `body` throws.
func badSample(_ body: () throws -> Void) -> BadSample? {
    do {
        try body()
        return nil
    } catch {
        return error as? BadSample
    }
}

/// A question and an answer, as JSON.
func turns(_ texts: String...) -> String {
    let objects = texts.enumerated().map { ["from": $0 % 2 == 0 ? "human" : "gpt", "value": $1] }
    return String(decoding: (try? JSONSerialization.data(withJSONObject: objects)) ?? Data(), as: UTF8.self)
}
