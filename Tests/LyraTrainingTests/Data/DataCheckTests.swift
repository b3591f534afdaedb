import Foundation
import LyraModel
@testable import LyraTraining
import Testing

@Suite struct DataCheckTests {
    @Test(arguments: [true, false]) func reports(decoding: Bool) async throws {
        let folder = try DataFolder()
        try folder.picture("i.png")
        try folder.sound("s.wav")
        try folder.cut("s.wav", to: 0.5, as: "cut.wav")
        let items = [
            #"{"id":"a","image":"i.png","conversations":\#(turns("<image>", "A"))}"#,
            #"{"id":"b","speech":"s.wav","speech_asr":"x","units":[1],"conversations":\#(turns("<speech>", "A"))}"#,
            #"{"id":"c","image":"absent.png","conversations":\#(turns("<image>", "A"))}"#,
            #"{"id":"d","conversations":\#(turns("<image>", "A"))}"#,
            #"{"id":"e","speech":"cut.wav","conversations":\#(turns("<speech>", "A"))}"#,
            "7",
        ]
        let data = try TrainingData([DataSource(folder.write("data.jsonl", "{\"conversations\":[]}\n" + items.joined(separator: "\n")))])
        let report = try await DataCheck.run(data, tinyEncoder(), decoding: decoding)
        #expect(report.samples == 7)
        #expect(report.good == (decoding ? 2 : 3))
        #expect((report.pictures, report.videos, report.recordings) == (1, 0, decoding ? 1 : 2))
        #expect((report.transcripts, report.withUnits) == (1, 1))
        #expect(report.soundSeconds == (decoding ? 0.5 : 0))
        let bad = ["missing_file": 1, "placeholders": 1, "not_json": 1, "conversation": 1]
        #expect(report.bad == bad.merging(decoding ? ["damaged": 1] : [:]) { $1 })
        #expect(report.problems.compactMap(\.line) == (decoding ? [1, 4, 5, 6, 7] : [1, 4, 5, 7]))
        let lengths = try #require(report.lengths)
        #expect(lengths.buckets.reduce(0) { $0 + $1.count } == report.good)
        let encoder = try tinyEncoder()
        var total = decoding ? 0 : try data.length(5, encoder)
        for i in 0..<7 { total += (try? data.measuredSample(i, encoder).tokens) ?? 0 }
        #expect(lengths.total == total)
        #expect(try JSONDecoder().decode(DataReport.self, from: JSONEncoder().encode(report)) == report)
    }

    /// What docs/training-data.md shows can be used as it stands there.
    @Test func theDocumentsExamplesWork() throws {
        let text = try String(contentsOfFile: DataPack.root + "/docs/training-data.md", encoding: .utf8)
        let blocks = text.components(separatedBy: "```json\n").dropFirst().compactMap { $0.components(separatedBy: "```").first }
        let items = blocks.filter { $0.contains("conversations") }
        #expect(items.count == 2 && blocks.count == 3)
        let folder = try DataFolder()
        let data = try TrainingData([
            DataSource(
                folder.write("items.json", "[\(items.joined(separator: ","))]"), mediaFolder: DataPack.root + "/examples/training")
        ])
        for index in items.indices { #expect(try data.sample(index, tinyEncoder()).media.count == index + 2) }
        struct Run: Decodable { var data: [DataSource] }
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase  // as configurations are read
        let run = try decoder.decode(Run.self, from: Data(#require(blocks.last).utf8))
        #expect(run.data.map(\.repeats) == [1, 2, 0.25])
        #expect(run.data[0].imageFolder == "images" && run.data[1].mediaFolder == "extra")
    }

    /// The data set that comes with the package is sound.
    @Test func theExamplesAreGood() async throws {
        let folder = DataPack.root + "/examples/training"
        let data = try TrainingData([
            DataSource(folder + "/train.json"), DataSource(folder + "/speak.jsonl", unitsFile: folder + "/units.txt"),
        ])
        var settings = SampleEncoder.Settings()
        settings.maximumTokens = 2000
        let encoder = try SampleEncoder(tokenizer: tinyEncoder().tokenizer, unitCount: 1000, settings: settings)
        let report = try await DataCheck.run(data, encoder)
        #expect(report.problems == [])
        #expect(report.samples == 19)
        #expect((report.pictures, report.recordings, report.transcripts, report.withUnits) == (10, 14, 14, 3))
        #expect(report.soundSeconds > 10)
    }
}
