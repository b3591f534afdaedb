import Foundation
@testable import LyraTraining
import Testing

@Suite struct DataFileTests {
    private func texts(_ file: DataFile) throws -> [String] {
        try (0..<file.count).map { String(decoding: try file.bytes($0), as: UTF8.self) }
    }

    @Test func aListInAnyLayout() throws {
        let folder = try DataFolder()
        for text in [
            #"[{"a":1},{"b":"],}\"\\"},[1,[2]],"x,]",7]"#,
            "\u{FEFF}\n [\n {\"a\":1} ,\n\t{\"b\":\"],}\\\"\\\\\"}\r\n, [1,[2]], \"x,]\" ,7\n]\n\n",
        ] {
            let file = try DataFile(folder.write("list.json", text))
            #expect(file.isList)
            #expect(try texts(file) == [#"{"a":1}"#, #"{"b":"],}\"\\"}"#, "[1,[2]]", #""x,]""#, "7"])
            #expect(file.line(0) == nil)
        }
        #expect(try DataFile(folder.write("none.json", " [ ] ")).count == 0)
    }

    @Test func linesAndTheirNumbers() throws {
        let folder = try DataFolder()
        let file = try DataFile(folder.write("data.jsonl", "{\"a\":1}\r\n\n  \n{\"b\":2}\n  {\"c\":3}  \n\n{\"d\":4}"))
        #expect(!file.isList)
        #expect(try texts(file) == [#"{"a":1}"#, #"{"b":2}"#, #"{"c":3}"#, #"{"d":4}"#])
        #expect((0..<4).map { file.line($0) } == [1, 4, 5, 7])
        let late = try DataFile(folder.write("late.jsonl", "\n\n{\"a\":1}\n{\"a\":2}"))
        #expect((0..<2).map { late.line($0) } == [3, 4])
    }

    /// Escapes, strings and items that lie across the blocks in which the file is gone through.
    @Test(arguments: [true, false]) func itemsAcrossBlocks(isList: Bool) throws {
        let folder = try DataFolder()
        let block = 1 << 20
        for shift in 0..<6 {
            let filler = String(repeating: "x", count: block - 14 - shift)
            let items = [#"{"filler":"\#(filler)"}"#, #"{"q":"\\\"},{["}"#, #"{"last":"é\n"}"#]
            let text = isList ? "[" + items.joined(separator: ",") + "]" : items.joined(separator: "\n")
            #expect(try texts(DataFile(folder.write("big", text))) == items)
        }
    }

    @Test func hostileFiles() throws {
        let folder = try DataFolder()
        for (text, words) in [
            ("", "it is empty"), ("  \n ", "it is empty"), ("hello", "begins neither with"), ("\"a\"", "begins neither with"),
            ("[{\"a\":1},{\"b\":", "item 1, which begins at byte 9, does not end"), ("[", "does not end"),
            ("[{\"a\":\"", "item 0"), ("[{}] {}", "something after the list"), ("[{},]", "nothing stands before"),
            ("[,{}]", "nothing stands before"), ("[{}}]", "a } without its {"), ("{\n \"a\": 1\n}\n", "spans several lines"),
        ] {
            let path = try folder.write("bad.json", text)
            let error = #expect(throws: DataFileError.self) { try DataFile(path) }
            #expect(error?.localizedDescription.contains(words) == true, "\(text): \(error?.localizedDescription ?? "")")
            #expect(error?.localizedDescription.contains(path) == true)
        }
        #expect(throws: DataFileError.self) { try DataFile(folder.file("absent.json")) }
        #expect(throws: DataFileError.self) { try DataFile(folder.path) }
        #expect(mkfifo(folder.file("pipe"), 0o600) == 0)
        #expect(throws: DataFileError.self) { try DataFile(folder.file("pipe")) }
        #expect(throws: DataFileError.self) { try UnitsFile(folder.file("pipe")) }
    }

    @Test func aFileThatBecomesShorter() throws {
        let folder = try DataFolder()
        let path = try folder.write("data.jsonl", "{\"a\":1}\n{\"b\":2}\n")
        let file = try DataFile(path)
        #expect(truncate(path, 10) == 0)
        #expect(try file.bytes(0).count == 7)
        #expect(throws: DataFileError.changed(path: path)) { try file.bytes(1) }
    }

    /// The index of a large list takes little memory, and any item of it can be had.
    @Test func manyItems() throws {
        let folder = try DataFolder()
        var text = "["
        for i in 0..<200_000 { text += #"{"id":\#(i),"conversations":[{"from":"human","value":"q"},{"from":"gpt","value":"a"}]},"# }
        text.removeLast()
        let data = try TrainingData([DataSource(folder.write("many.json", text + "]"))])
        #expect(data.count == 200_000)
        for i in [0, 1, 77_777, 199_999] { #expect(try data.example(i).id == "\(i)") }
    }
}
