import Foundation
@testable import LyraTraining
import Testing

@Suite struct SpeechUnitsTests {
    @Test func formsOfUnitsFiles() throws {
        let folder = try DataFolder()
        let path = try folder.write(
            "units.txt",
            """
            a|12 12 7 7 7 3
            b c | 5

            {"id": "d", "units": [1, 1, 2]}
            {"id": 9, "tgt_unit": "<sosp><4><4><5><eosp>"}
            {"audio": "/wavs/e.f.wav", "hubert": "8 8 9", "duration": 1.5}
            bad|1 two
            """)
        let units = try UnitsFile(path)
        #expect(units.count == 6)
        #expect(try units.units("a") == [12, 7, 3])
        #expect(try units.units("b c") == [5])
        #expect(try units.units("d") == [1, 2])
        #expect(try units.units("9") == [4, 5])
        #expect(try units.units("e.f") == [8, 9])
        #expect(try units.units("z") == nil)
        #expect(throws: SampleFault.self) { try units.units("bad") }
    }

    @Test func hostileUnitsFiles() throws {
        let folder = try DataFolder()
        for (text, words) in [
            ("a 1 2 3\n", "line 1"), ("a|1\n{\"id\":\"b\"}\n", "line 2"), ("a|1\n{\"id\":\n", "line 2"),
            ("a|1\nb|2\na|3\n", "units for 'a' twice"),
        ] {
            let path = try folder.write("bad.txt", text)
            let error = #expect(throws: DataFileError.self) { try UnitsFile(path) }
            #expect(error?.localizedDescription.contains(words) == true, "\(error?.localizedDescription ?? "")")
        }
        #expect(throws: DataFileError.self) { try UnitsFile(folder.file("absent")) }
        #expect(try UnitsFile(folder.write("empty.txt", "")).units("a") == nil)
    }

    @Test func unitsReachTheirSamples() throws {
        let folder = try DataFolder()
        try folder.write("units.txt", "a|1 2\nc|2000\nd|x\n")
        let items = ["a", "b", "c", "d"].map { #"{"id":"\#($0)","conversations":\#(turns("q", "a"))}"# }
        let both = #"{"id":"a","units":[5],"conversations":\#(turns("q", "a"))}"#
        let data = try TrainingData([
            DataSource(folder.write("x.jsonl", (items + [both]).joined(separator: "\n")), unitsFile: folder.file("units.txt"))
        ])
        let encoder = try tinyEncoder { $0.requiresUnits = true }
        #expect(try data.sample(0, encoder).units == [1, 2])
        #expect(try data.sample(0, tinyEncoder()).units == [1, 2])
        for (index, words) in [(1, "there are none"), (2, "beyond the last of the model's"), (3, "not a unit"), (4, "in the item and in")] {
            let bad = try #require(badSample { _ = try data.sample(index, encoder) })
            #expect(bad.reason == .units)
            #expect(bad.localizedDescription.contains(words), "\(bad.localizedDescription)")
        }
        #expect(try data.sample(1, tinyEncoder()).units == nil)
    }
}
