// Malicious and damaged PyTorch files: refused with a reason; nothing is run, nothing is read outside of the file.
import Foundation
import MLX
import Testing

@testable import LyraModel

@Suite struct TorchArchiveHostileTests {
    private func message(_ pickle: PickleBuilder, storages: [Data] = []) -> String {
        torchMessage(ZipBuilder().archive(pickle: pickle.data, storages: storages))
    }

    @Test func codeIsRefused() {
        let start = PickleBuilder()
        #expect(message(start.global("os", "system").op("(").text("true").op("tR.")).contains("forbidden global os.system at byte 2"))
        #expect(message(start.op("}0").global("builtins", "eval").op(".")).contains("forbidden global builtins.eval at byte 4"))
        #expect(message(start.global("torch", "load").op(".")).contains("torch.load"))
        #expect(message(start.global("torch._utils", "_rebuild_parameter").op(".")).contains("forbidden global"))
        #expect(message(start.text("os").text("system").op("\u{93}.")).contains("forbidden global os.system"))
        #expect(message(start.op("(ios\nsystem\n.")).contains("forbidden operation INST"))
        #expect(message(start.op("(").global("collections", "OrderedDict").op("o.")).contains("forbidden operation OBJ"))
        #expect(message(start.global("collections", "OrderedDict").op(")\u{81}.")).contains("forbidden operation NEWOBJ"))
        #expect(message(start.op("]}b.")).contains("forbidden operation BUILD"))
        #expect(message(start.global("torch", "FloatStorage").op("}b.")).contains("forbidden operation BUILD"))
        #expect(message(start.op("}").text("x").op("b.")).contains("forbidden operation BUILD"))
        #expect(message(start.op("})R.")).contains("forbidden operation REDUCE"))
        #expect(message(start.global("torch", "FloatStorage").op(")R.")).contains("forbidden operation REDUCE"))
        #expect(message(start.op("\u{82}\u{1}.")).contains("forbidden operation EXT1"))
        #expect(message(start.op("P1\n.")).contains("forbidden operation PERSID"))
        #expect(message(start.op("}}b.")) == "no error")
    }

    @Test func nonsenseIsRefused() {
        let start = PickleBuilder()
        for program in ["", ".", "0.", "s.", "}s.", "(}", "}(u", "t.", "\u{85}.", "h\u{7}.", "a.", "]s.", "Q.", ")Q.", "q\u{1}.", "X\u{FF}\u{FF}\u{FF}\u{FF}a.", "cos", "J\u{1}", "\u{8A}\u{9}123456789.", "}]Ns.", "1.", "\u{80}\u{9}."] {
            #expect(message(start.op(program)) != "no error", "\(program.debugDescription)")
        }
        #expect(message(start.op("}").text(String(repeating: "k", count: 2000)).op("Ns.")).contains("key of 2000 bytes"))
        #expect(message(start.global("torch._utils", "_rebuild_tensor_v2").op(")R.")).contains("wrong arguments"))
        #expect(message(start.global("collections", "OrderedDict").op("]\u{85}R.")).contains("OrderedDict with arguments"))
        let text = start.op("}").adding(Data([0x58, 1, 0, 0, 0, 0xFF])).op("Ns.")
        #expect(message(text).contains("UTF-8"))
    }

    /// Containers that hold themselves, share their parts, or are nested without end.
    @Test(.timeLimit(.minutes(5))) func bombs() {
        let start = PickleBuilder()
        #expect(message(start.op("]q\u{1}h\u{1}a.")).contains("beyond measure"))
        #expect(message(start.op("}q\u{1}").text("a").op("h\u{1}s.")).contains("beyond measure"))
        // 2^30 leaves from 30 lists.
        let doubling = (0..<30).reduce(start.op("]Na")) { pickle, _ in pickle.op("q\u{1}]h\u{1}ah\u{1}a") }
        #expect(message(doubling.op(".")).contains("beyond measure"))
        #expect(message(start.op(String(repeating: "]", count: 500_000) + String(repeating: "a", count: 499_999) + ".")).contains("beyond measure"))
        #expect(message(start.op(String(repeating: "(", count: 500_000) + String(repeating: "t", count: 499_999) + ".")) != "")
        #expect(message(start.op(String(repeating: "N\u{85}", count: 100) + ".")) != "")
        #expect(message(start.op(String(repeating: "N", count: 2_000_000) + ".")).contains("too much on the stack"))
        #expect(message(start.op(String(repeating: "N0", count: 3_000_000) + "N.")).contains("operations"))
    }

    @Test func tensorsThatLie() {
        let big = Int.max / 2
        func message(_ count: Int, _ shape: [Int], _ strides: [Int], offset: Int = 0, bytes: Int = 16) -> String {
            torchMessage(ZipBuilder().archive(
                pickle: PickleBuilder.one(count: count, offset: offset, shape: shape, strides: strides), storages: [Data(count: bytes)]))
        }
        #expect(message(4, [4], [1]) == "no error")
        #expect(message(4, [2], [1], bytes: 15).contains("too few"))
        #expect(message(big, [big], [1]).contains("too few"))
        #expect(message(4, [5], [1]).contains("reaches element 4"))
        #expect(message(4, [4], [1], offset: 1).contains("reaches element 4"))
        #expect(message(4, [2, 2], [3, 1]).contains("reaches element 4"))
        #expect(message(4, [4], [-1]).contains("negative"))
        #expect(message(4, [4], [1], offset: -1).contains("negative"))
        #expect(message(4, [-1], [1]).contains("impossible shape"))
        #expect(message(4, [4, 1], [1]).contains("strides"))
        #expect(message(4, [1 << 40], [0]).contains("impossible shape"))
        #expect(message(4, [1 << 30], [0]).contains("repeats"))
        #expect(message(4, [1 << 30, 1 << 30, 1 << 30], [0, 0, 0]).contains("too large"))
        #expect(message(4, [3], [Int.max]).contains("too large"))
        #expect(message(4, [3], [2], offset: big * 2).contains("too large"))
        #expect(message(4, [0, 1 << 30, 1 << 30], [1, 1, 1]) == "no error")
        #expect(message(4, [1, 2, 1], [Int.max, 2, Int.max], offset: 1) == "no error")
        #expect(message(4, Array(repeating: 1, count: 40), Array(repeating: 1, count: 40)).contains("wrong arguments"))
        let missing = PickleBuilder().op("}").text("x").tensor(key: "9", count: 1, shape: [1], strides: [1]).op("s.").data
        #expect(torchMessage(ZipBuilder().archive(pickle: missing)).contains("not in the file"))
        let outside = PickleBuilder().op("}").text("x").tensor(key: "../data.pkl", count: 1, shape: [1], strides: [1]).op("s.").data
        #expect(torchMessage(ZipBuilder().archive(pickle: outside)).contains("not in the file"))
        let twice = PickleBuilder().op("}").text("a.b").tensor(count: 1, shape: [1], strides: [1]).op("s")
            .text("a").op("}").text("b").tensor(count: 1, shape: [1], strides: [1]).op("ss.").data
        #expect(torchMessage(ZipBuilder().archive(pickle: twice, storages: [Data(count: 4)])).contains("two of this name"))
    }

    @Test func zipFilesThatLie() {
        let pickle = PickleBuilder.one(count: 2, shape: [2], strides: [1])
        func message(_ change: @escaping (inout Data) -> Void) -> String {
            torchMessage(ZipBuilder(change: change).archive(pickle: pickle, storages: [Data(count: 8)]))
        }
        #expect(message { _ in } == "no error")
        #expect(message { $0[8] = 1 }.contains("encrypted"))
        #expect(message { $0[10] = 8 }.contains("compressed (method 8)"))
        #expect(message { $0[16] ^= 1 }.contains("checksum"))
        #expect(message { $0[20] ^= 1 }.contains("impossible"))
        #expect(message { $0[23] = 0x7F; $0[27] = 0x7F }.contains("not where"))
        for field in [20, 24, 42] { #expect(message { $0.replaceSubrange(field..<field + 4, with: [255, 255, 255, 255]) }.contains("impossible")) }
        #expect(message { $0[45] = 1 }.contains("impossible"))
        #expect(message { $0[28] = 1 } != "no error")
        #expect(message { $0[30] = 200 } != "no error")
        #expect(message { $0[0] = 0 }.contains("no directory entry"))
        // Every entry points at the first.
        #expect(message { $0.replaceSubrange(42..<46, with: [0, 0, 0, 0]) }.contains("not where"))
        let doubled = ZipBuilder().zip([("a/data.pkl", pickle), ("a/data.pkl", pickle)])
        #expect(torchMessage(doubled).contains("two entries"))
        #expect(torchMessage(ZipBuilder().zip([("x/y.txt", Data())])).contains("no data.pkl"))
        #expect(torchMessage(ZipBuilder().zip([("a/data.pkl", pickle), ("b/data.pkl", pickle)])).contains("no data.pkl"))
        #expect(torchMessage(ZipBuilder().archive(pickle: pickle, storages: [Data(count: 8)], byteOrder: "big")).contains("big-endian"))
    }

    @Test func otherFilesGetAHint() {
        #expect(torchMessage(Data()).contains("empty"))
        #expect(torchMessage(Data([0x80, 2, 0x8A, 0x0A, 0x6C, 0xFC, 0x9C, 0x46, 0xF9])).contains("before version 1.6"))
        #expect(torchMessage(Data("version https://git-lfs.github.com/spec/v1".utf8)).contains("git-lfs"))
        #expect(torchMessage(Data([2, 0, 0, 0, 0, 0, 0, 0, 0x7B, 0x7D])).contains("safetensors"))
        #expect(torchMessage(Data("hello world".utf8)).contains("not those of any PyTorch file"))
        #expect(throws: TorchArchiveError.self) { try TorchArchive(URL(fileURLWithPath: "/nonexistent/file")) }
    }

    private var small: Data {
        let pickle = PickleBuilder().op("}q\u{0}(").text("a").tensor(count: 4, shape: [2, 2], strides: [1, 2])
            .text("b").tensor(storage: "BFloat16Storage", key: "1", count: 3, offset: 1, shape: [2], strides: [1]).op("u.").data
        return ZipBuilder().archive(pickle: pickle, storages: [Data(count: 16), Data(count: 6)])
    }

    @Test func everyTruncationIsNoticed() {
        #expect(torchMessage(small) == "no error")
        for length in 0..<small.count { #expect(torchMessage(small.prefix(length)) != "no error") }
    }

    /// With checksums almost every flip is noticed; without, the flips reach the interpreter.
    @Test(arguments: [true, false]) func flippedBitsNeverCrash(_ verify: Bool) {
        var state: UInt64 = 9
        var accepted = 0
        for _ in 0..<3000 {
            var data = small
            for _ in 0...(state >> 60) % 3 {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                data[Int(state >> 33) % data.count] ^= 1 << UInt8(state >> 30 & 7)
            }
            if torchMessage(data, verifyChecksums: verify) == "no error" { accepted += 1 }
        }
        #expect(accepted < 1800)
    }

    /// The pickle alone, with whole bytes replaced.
    @Test func scrambledPicklesNeverCrash() {
        let pickle = PickleBuilder.one(count: 4, shape: [2, 2], strides: [2, 1])
        var state: UInt64 = 4
        for _ in 0..<3000 {
            var data = pickle
            for _ in 0..<1 + (state >> 61) {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                data[Int(state >> 33) % data.count] = UInt8(truncatingIfNeeded: state >> 20)
            }
            _ = torchMessage(ZipBuilder().archive(pickle: data, storages: [Data(count: 16)]))
        }
    }
}
