// Against numbers of the original implementation (torchaudio, Pillow, torchvision).
import Foundation
import LyraMedia
import Testing

@Suite(.enabled(if: Shared.hasOracle, Shared.missing))
struct OracleTests {
    struct Pack {
        let folder: String
        let index: [String: Any]
        let tensors: [UInt8]

        init(_ name: String) throws {
            folder = Shared.path("oracle/\(name)")
            let json = try Data(contentsOf: URL(fileURLWithPath: folder + "/expected.json"))
            index = try #require(JSONSerialization.jsonObject(with: json) as? [String: Any])
            tensors = try readBytes(folder + "/expected.safetensors")
        }

        /// A float tensor: the file is a length, a JSON table of contents, and the numbers.
        func tensor(_ key: String) throws -> [Float] {
            let length = (0..<8).reversed().reduce(0) { $0 << 8 | Int(tensors[$1]) }
            let header = Data(tensors[8..<(8 + length)])
            let table = try #require(JSONSerialization.jsonObject(with: header) as? [String: Any])
            let entry = try #require(table[key] as? [String: Any])
            let offsets = try #require(entry["data_offsets"] as? [Int])
            return stride(from: offsets[0], to: offsets[1], by: 4).map { offset in
                let place = 8 + length + offset
                return Float(bitPattern: (0..<4).reversed().reduce(0) { $0 << 8 | UInt32(tensors[place + $1]) })
            }
        }
    }

    /// Measured: at most 6.9e-4, relative 1.03e-3 (libswresample's own filter: 1.5e-2 and 2.1e-2). The windows differ:
    /// Hann there, Kaiser here.
    @Test(arguments: ["pack_a", "pack_c"])
    func resampling(name: String) throws {
        let pack = try Pack(name)
        let cases = try #require(pack.index["resample"] as? [String: [String: Any]])
        #expect(cases.count == 3)
        for (key, value) in cases {
            let file = try #require(value["file"] as? String), out = try #require(value["out"] as? [String: Any])
            let expected = try pack.tensor(try #require(out["key"] as? String))
            let samples = try AudioReader.readAll(.file(pack.folder + "/" + file), channels: .first)
            #expect(samples.count == expected.count, "\(key)")
            let difference = differences(samples[...], expected[...])
            #expect(difference.maximum < 8e-4, "\(key)")
            #expect(difference.relative < 1.2e-3, "\(key)")
        }
    }

    @Test(arguments: ["pack_a", "pack_c"])
    func resizedPicture(name: String) throws {
        let folder = Shared.path("oracle/\(name)")
        let expected = try ImageReader.read(.file(folder + "/expected_resized/img3.png"))
        let image = try ImageReader.read(.file(folder + "/inputs/img3.png"))
        #expect(image.resized(width: expected.width, height: expected.height) == expected)
    }

    @Test(arguments: ["pack_a", "pack_c"])
    func resizedFrames(name: String) throws {
        let folder = Shared.path("oracle/\(name)")
        for number in 0..<8 {
            let expected = try ImageReader.read(.file(folder + "/expected_resized/frame_\(number).png"))
            let frame = try ImageReader.read(.file(folder + "/inputs/frame_\(number).png"))
            #expect(frame.resizedAntialiased(width: expected.width, height: expected.height) == expected)
        }
    }

    /// The numbers beside the pictures: the sum over all frames says that the original rounds.
    @Test(arguments: ["pack_a", "pack_c"])
    func sumOfResizedFrames(name: String) throws {
        let pack = try Pack(name)
        let video = try #require(pack.index["video"] as? [String: Any])
        let frames = try #require(video["resized_frames"] as? [String: Any])
        let size = try #require(video["resized_tchw"] as? [Int])
        var sum = 0
        for path in try #require(video["frames"] as? [String]) {
            let frame = try ImageReader.read(.file(pack.folder + "/" + path))
            sum += frame.resizedAntialiased(width: size[3], height: size[2]).pixels.reduce(0) { $0 + Int($1) }
        }
        #expect(Double(sum) == frames["sum"] as? Double)
    }
}
