// Damaged and malicious safetensors files: an error that says why, never a crash or a read outside of the file.
import Foundation
import Testing

@testable import MLX

@Suite struct SafetensorsHostileTests {
    private let scratch: SafetensorsScratch
    init() throws { scratch = try SafetensorsScratch() }

    private func message(_ header: String, bytes: Int = 16) -> String {
        do {
            let file = try SafetensorsFile(scratch.file(header: header, bytes: bytes))
            for name in file.names { _ = try file.array(named: name) }
            return "no error"
        } catch { return error.localizedDescription }
    }

    private func tensor(_ name: String = "x", _ dtype: String = "F32", _ shape: String = "[4]", _ offsets: String = "[0,16]") -> String {
        "\"\(name)\":{\"dtype\":\"\(dtype)\",\"shape\":\(shape),\"data_offsets\":\(offsets)}"
    }

    @Test func headersThatLie() {
        #expect(message("{\(tensor())}") == "no error")
        #expect(message("{\(tensor("x", "F32", "[-4]"))}").contains("not negative"))
        #expect(message("{\(tensor("x", "F32", "[4.0]"))}").contains("expected"))
        #expect(message("{\(tensor("x", "F32", "[04]"))}").contains("whole number"))
        #expect(message("{\(tensor("x", "F32", "[99999999999999999999]"))}").contains("whole number"))
        #expect(message("{\(tensor("x", "F32", "[4294967296,4294967296,4294967296]"))}").contains("too large"))
        #expect(message("{\(tensor("x", "F32", "[0,4294967296,4294967296,4294967296]", "[0,0]"))}", bytes: 0).contains("beyond"))
        #expect(message("{\(tensor("x", "F32", "[9223372036854775807,3]"))}").contains("too large"))
        #expect(message("{\(tensor("x", "F32", "[5]"))}").contains("needs 20 bytes but has 16"))
        #expect(message("{\(tensor("x", "F32", "[4]", "[16,0]"))}").contains("not a begin and an end"))
        #expect(message("{\(tensor("x", "F32", "[4]", "[0]"))}").contains("not a begin and an end"))
        #expect(message("{\(tensor("x", "F32", "[0]", "[9223372036854775807,9223372036854775807]"))}").contains("belong to no tensor"))
        #expect(message("{\(tensor("x", "F9", "[1]", "[0,9223372036854775807]"))}").contains("cut off"))
        #expect(message("{\(tensor("x", "F9"))}").contains("F9"))
        #expect(message("{\(tensor()),\(tensor())}").contains("duplicate"))
        #expect(message("{\(tensor("e\u{301}")),\(tensor("\u{E9}"))}").contains("duplicate"))
        #expect(message("{\"__metadata__\":{},\"__metadata__\":{},\(tensor())}").contains("duplicate"))
        #expect(message("{\"__metadata__\":{\"a\":\"1\",\"a\":\"2\"},\(tensor())}").contains("duplicate"))
        #expect(message("{\"__metadata__\":{\"a\":1},\(tensor())}").contains("expected"))
        #expect(message("{\(tensor("x")),\(tensor("y", "F32", "[2]", "[8,16]"))}").contains("overlaps"))
        #expect(message("{\(tensor("x", "F32", "[1]", "[0,4]")),\(tensor("y", "F32", "[2]", "[8,16]"))}").contains("belong to no tensor"))
        #expect(message("{\(tensor("x", "F32", "[1]", "[0,4]"))}").contains("at its end belong to no tensor"))
        #expect(message("{\(tensor())}", bytes: 15).contains("cut off"))
        #expect(message("{\"x\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}}").contains("two entries"))
        #expect(message("{\"x\":{\"dtype\":\"F32\"}}").contains("lacks"))
        #expect(message("{\"x\":3}").contains("expected"))
    }

    @Test(arguments: ["", " {}", "{", "[]", "{}x", "{\"a\"}", "{\"a\":{}}", "{\"\\x\":{}}", "{\"\\ud800\":{}}", "{\"a\":{\"b\":nope}}", "{,}"])
    func brokenHeaders(_ header: String) {
        #expect(message(header) != "no error")
    }

    @Test func nestingAndSizeAreBounded() throws {
        #expect(message(String(repeating: "{\"a\":", count: 1_000_000)).contains("nested too deeply"))
        #expect(message("{\"x\":{\"y\":" + String(repeating: "[", count: 1_000_000)).contains("nested too deeply"))
        #expect(message("{\"x\":{\"y\":" + String(repeating: "{\"a\":", count: 1_000_000)).contains("nested too deeply"))
        func error(_ data: Data) -> String {
            do { _ = try SafetensorsFile(scratch.file("f", data)); return "no error" } catch { return error.localizedDescription }
        }
        #expect(error(Data()).contains("cut off"))
        #expect(error(Data([1, 2, 3])).contains("8 bytes expected, 3 there"))
        #expect(error(Data(repeating: 0xFF, count: 16)).contains("more than 100000000"))
        #expect(error(Data([100, 0, 0, 0, 0, 0, 0, 0, 0x7B])).contains("108 bytes expected, 9 there"))
        #expect(error(Data("version https://git-lfs.github.com/spec/v1\n".utf8)).contains("git-lfs pointer"))
        #expect(error(Data([2, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFE])).contains("UTF-8"))
        #expect(throws: SafetensorsError.self) { try SafetensorsFile(URL(fileURLWithPath: "/nonexistent/file")) }
        #expect(throws: SafetensorsError.self) { try SafetensorsFile(scratch.url) }
    }

    @Test func everyTruncationIsNoticed() throws {
        let whole = SafetensorsScratch.data(header: "{\(tensor())}", bytes: 16)
        for length in 0..<whole.count {
            #expect(throws: SafetensorsError.self) { try SafetensorsFile(scratch.file("cut", whole.prefix(length))) }
        }
    }

    @Test func flippedBitsNeverCrash() throws {
        let header = "{\"__metadata__\":{\"format\":\"pt\"},\(tensor("a", "BF16", "[2,2]", "[0,8]")),\(tensor("b", "F32", "[2]", "[8,16]")),\(tensor("c", "U8", "[0]", "[16,16]"))}"
        let whole = SafetensorsScratch.data(header: header, bytes: 16)
        var state: UInt64 = 1
        var accepted = 0
        for _ in 0..<2500 {
            var data = whole
            for _ in 0...(state >> 60) % 3 {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                data[Int(state >> 33) % data.count] ^= 1 << UInt8(state >> 30 & 7)
            }
            let file = try? SafetensorsFile(scratch.file("flipped", data))
            for name in file?.names ?? [] {
                if let array = try? file?.array(named: name) { #expect(array.nbytes <= 16) }
            }
            if file != nil { accepted += 1 }
        }
        #expect(accepted > 100 && accepted < 2000)
    }
}
