import Foundation
import Testing

@testable import MLX

/// A scratch directory, removed when the last user is gone.
final class SafetensorsScratch {
    let url: URL
    init() throws {
        url = FileManager.default.temporaryDirectory.appendingPathComponent("lyra-safetensors-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }
    deinit { try? FileManager.default.removeItem(at: url) }

    func file(_ name: String, _ data: Data) throws -> URL {
        let file = url.appendingPathComponent(name)
        try data.write(to: file)
        return file
    }

    /// A file of the given header and a body of `bytes` zeros.
    func file(header: String, bytes: Int) throws -> URL {
        try file("\(UUID().uuidString).safetensors", Self.data(header: header, bytes: bytes))
    }

    static func data(header: String, bytes: Int) -> Data {
        var data = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Data($0) }
        data += Data(header.utf8)
        return data + Data(repeating: 0, count: bytes)
    }
}

@Suite struct SafetensorsTests {
    static let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    static let packs = [
        package.appendingPathComponent("Tests/Fixtures/pack_c"),
        package.deletingLastPathComponent().appendingPathComponent("shared/oracle/pack_a"),
    ].filter { FileManager.default.fileExists(atPath: $0.path) }

    static func safetensors(in pack: URL) -> [URL] {
        let found = FileManager.default.enumerator(at: pack, includingPropertiesForKeys: nil)?.allObjects as? [URL]
        return (found ?? []).filter { $0.pathExtension == "safetensors" }.sorted { $0.path < $1.path }
    }

    /// Reading and writing again gives the very file that the reference library wrote.
    @Test(arguments: packs) func rewritingIsIdentical(_ pack: URL) throws {
        let scratch = try SafetensorsScratch()
        let files = Self.safetensors(in: pack)
        #expect(files.count == 6)
        for url in files {
            let file = try SafetensorsFile(url)
            #expect(!file.tensors.isEmpty)
            var arrays: [String: MLXArray] = [:]
            for (name, info) in file.tensors {
                let array = try file.array(named: name)
                #expect(array.shape == info.shape && array.dtype == info.dtype && array.nbytes == info.byteRange.count)
                arrays[name] = array
            }
            let copy = scratch.url.appendingPathComponent("copy.safetensors")
            try SafetensorsWriter.save(arrays, metadata: file.metadata, to: copy)
            #expect(try Data(contentsOf: copy) == Data(contentsOf: url), "\(url.lastPathComponent)")
        }
    }

    @Test func arraysOutliveTheFile() throws {
        let scratch = try SafetensorsScratch()
        let url = scratch.url.appendingPathComponent("x.safetensors")
        var data = SafetensorsScratch.data(header: #"{"x":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}}"#, bytes: 0)
        data += [Float(1), 2, 3, 4].withUnsafeBytes { Data($0) }
        try data.write(to: url)
        var arrays: [MLXArray] = []
        do {
            let file = try SafetensorsFile(url)
            arrays.append(try file.array(named: "x"))
            arrays.append(try file.array(named: "x"))
            #expect(arrays[0] === arrays[1])
        }
        try FileManager.default.removeItem(at: url)
        let again = scratch.url.appendingPathComponent("y.safetensors")
        try SafetensorsWriter.save(["x": arrays[0]], to: again)
        #expect(try SafetensorsFile(again).bytes(named: "x") == Array(data.suffix(16)))
    }

    @Test func oddPlacesTypesAndShapes() throws {
        let scratch = try SafetensorsScratch()
        // A header of odd length puts every tensor out of alignment.
        let header = #"{"__metadata__":{"k":"v\u00e9\ud83d\ude42"},"none":{"dtype":"F32","shape":[0,3],"data_offsets":[0,0]},"one":{"dtype":"I64","shape":[],"data_offsets":[0,8]},"new":{"dtype":"F8_E4M3","shape":[3],"data_offsets":[8,11],"extra":[{"a":null}]}}"#
        let padded = header + String(repeating: " ", count: header.utf8.count % 2 == 0 ? 1 : 0)
        let file = try SafetensorsFile(scratch.file(header: padded, bytes: 11))
        #expect(file.metadata == ["k": "vé🙂"])
        #expect(try file.array(named: "none").shape == [0, 3])
        #expect(try file.array(named: "one").shape == [])
        #expect(try file.bytes(named: "new") == [0, 0, 0])
        #expect(throws: SafetensorsError.unsupportedType(tensor: "new", type: "F8_E4M3", path: file.path)) { try file.array(named: "new") }
        #expect(throws: SafetensorsError.missingTensor(name: "nope", path: file.path)) { try file.array(named: "nope") }
    }

    @Test func writingSaysWhatIsWrongAndLeavesNothingBehind() throws {
        let scratch = try SafetensorsScratch()
        let x = try SafetensorsFile(scratch.file(header: #"{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#, bytes: 8)).array(named: "x")
        let url = scratch.url.appendingPathComponent("out.safetensors")
        try Data("old".utf8).write(to: url)
        #expect(throws: SafetensorsError.self) {
            try SafetensorsWriter.save([.init(name: "x", dtype: .float32, shape: [3])], to: url) { _ in x }
        }
        #expect(throws: SafetensorsError.self) {
            try SafetensorsWriter.save([.init(name: "x", dtype: .float32, shape: [2]), .init(name: "x", dtype: .float32, shape: [2])], to: url) { _ in x }
        }
        #expect(throws: SafetensorsError.self) { try SafetensorsWriter.save(["__metadata__": x], to: url) }
        #expect(throws: SafetensorsError.self) { try SafetensorsWriter.save(["x": x], to: scratch.url.appendingPathComponent("no/such/place")) }
        #expect(try Data(contentsOf: url) == Data("old".utf8))
        #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.url.path).count == 2)
        let name = "quote \" slash \\ tab \t é"
        try SafetensorsWriter.save([name: x], metadata: ["a": "\n\u{1}"], to: url)
        let back = try SafetensorsFile(url)
        #expect(back.names == [name])
        #expect(back.metadata == ["a": "\n\u{1}"])
        #expect(try Data(contentsOf: url)[0] % 8 == 0)
    }

    @Test func shards() throws {
        let scratch = try SafetensorsScratch()
        func one(_ name: String) -> String { "{\"\(name)\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}" }
        _ = try scratch.file("model-1.safetensors", SafetensorsScratch.data(header: one("a"), bytes: 1))
        _ = try scratch.file("model-2.safetensors", SafetensorsScratch.data(header: one("b"), bytes: 1))
        func index(_ text: String) throws { _ = try scratch.file("model.safetensors.index.json", Data(text.utf8)) }
        func message() -> String {
            do { _ = try ShardedSafetensors(directory: scratch.url); return "no error" } catch { return error.localizedDescription }
        }
        #expect(message().contains("looked for model.safetensors, model.safetensors.index.json"))
        try index(#"{"metadata":{"total_size":2},"weight_map":{"a":"model-1.safetensors","b":"model-2.safetensors"}}"#)
        let weights = try ShardedSafetensors(directory: scratch.url)
        #expect(weights.names == ["a", "b"])
        #expect(weights.contains("b") && !weights.contains("c"))
        #expect(weights.info(named: "b")?.shape == [1])
        #expect(try weights.array(named: "b").shape == [1])
        #expect(throws: SafetensorsError.self) { try weights.array(named: "c") }
        try index(#"{"weight_map":{"a":"model-3.safetensors"}}"#)
        #expect(message().contains("model-3.safetensors"))
        try index(#"{"weight_map":{"c":"model-1.safetensors"}}"#)
        #expect(message().contains("no tensor \"c\""))
        try index(#"{"weight_map":{"a":"../x/model-1.safetensors"}}"#)
        #expect(message().contains("not a file name"))
        try index(#"{"weight_map":[]}"#)
        #expect(message().contains("weight_map"))
        try index(String(repeating: "[", count: 1_000_000))
        #expect(message().contains("weight_map"))
    }
}
