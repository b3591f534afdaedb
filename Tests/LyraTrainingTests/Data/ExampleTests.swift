import Foundation
import LyraText
@testable import LyraTraining
import Testing

@Suite struct ExampleTests {
    private func example(_ item: String) throws -> Example {
        let folder = try DataFolder()
        return try TrainingData([DataSource(folder.write("data.json", "[\(item)]"))]).example(0)
    }

    @Test func theReleasesItems() throws {
        #expect(
            try example(#"{"id":"a","image":"i.jpg","speech":"s.mp3","speech_asr":"What?","model":"x","conversations":\#(turns("<image>\n<speech>", "A cat."))}"#)
                == Example(
                    id: "a", images: ["i.jpg"], speeches: ["s.mp3"], transcripts: ["What?"],
                    turns: [.init(.user, "<image>\n<speech>"), .init(.assistant, "A cat.")]))
        #expect(
            try example(#"{"id":12,"tgt_unit":"<sosp><7><7><12><eosp>","conversations":[{"from":"system","value":"s"},{"value":"q","from":"human","weight":1},{"from":"gpt","value":""}]}"#)
                == Example(id: "12", units: [7, 12], turns: [.init(.system, "s"), .init(.user, "q"), .init(.assistant, "")]))
        #expect(
            try example(#"{"long_speech":["a","b"],"speech_asr":["x",null],"image":null,"video":["v"],"units":[3,3,4],"conversations":[]}"#)
                == Example(videos: ["v"], speeches: ["a", "b"], transcripts: ["x", nil], units: [3, 4], turns: []))
        #expect(
            try example(#"{"speech":"s","evidence":[[[0.5,2],[7,7.25e0]],[]],"conversations":[]}"#).evidence == [[0.5...2, 7...7.25], []])
        #expect(try example(#"{"unknown":{"deep":[1,{"a":null}]},"conversations":[{"from":"user","value":"\u00e9\ud83d\ude00"}]}"#).turns[0].text == "é😀")
    }

    @Test(arguments: [
        ("7", "not_json", "it is not an object"), ("null", "not_json", "it is not an object"), ("{\"id\":}", "wrong_key", "id: expected"),
        ("{\"x\":tru,\"conversations\":[]}", "not_json", "byte"),
        ("{\"x\":" + String(repeating: "[", count: 5000) + String(repeating: "]", count: 5000) + ",\"conversations\":[]}", "not_json", "nested deeper"),
        (#"{"id":"a"}"#, "wrong_key", "conversations: it is missing"),
        (#"{"id":[1],"conversations":[]}"#, "wrong_key", "id: expected text or a number"),
        (#"{"id":1,"id":2,"conversations":[]}"#, "wrong_key", "id: it is there twice"),
        (#"{"image":3,"conversations":[]}"#, "wrong_key", "image: expected a path"),
        (#"{"image":[["a"]],"conversations":[]}"#, "wrong_key", "image: expected a path"),
        (#"{"image":"","conversations":[]}"#, "wrong_key", "image: a path is empty"),
        (#"{"image":"a\u0000b","conversations":[]}"#, "wrong_key", "image"),
        (#"{"speech":"a","long_speech":"b","conversations":[]}"#, "wrong_key", "long_speech"),
        (#"{"speech_asr":"x","conversations":[]}"#, "wrong_key", "one transcript for 0 recordings"),
        (#"{"speech":["a","b"],"speech_asr":"x","conversations":[]}"#, "wrong_key", "one transcript for 2"),
        (#"{"speech":["a"],"speech_asr":["x","y"],"conversations":[]}"#, "wrong_key", "2 transcripts for 1"),
        (#"{"speech":["a"],"speech_asr":[7],"conversations":[]}"#, "wrong_key", "speech_asr: expected"),
        (#"{"units":"1 x 2","conversations":[]}"#, "units", "'x' is not a unit"),
        (#"{"units":[-1],"conversations":[]}"#, "units", "negative"),
        (#"{"units":[],"conversations":[]}"#, "units", "there are none"),
        (#"{"units":[1],"tgt_unit":"<1>","conversations":[]}"#, "wrong_key", "two keys"),
        (#"{"units":{},"conversations":[]}"#, "units", "expected a list"),
        (#"{"evidence":[[1,2]],"conversations":[]}"#, "wrong_key", "evidence: expected for each answer"),
        (#"{"evidence":[[["1",2]]],"conversations":[]}"#, "wrong_key", "evidence[0]: expected [start, end]"),
        (#"{"evidence":[[[1e999,2]]],"conversations":[]}"#, "not_json", "expected a number"),
        (#"{"evidence":[[],[[3,2]]],"conversations":[]}"#, "wrong_key", "evidence[1]: expected [start, end]"),
        (#"{"evidence":[[[-1,2]]],"conversations":[]}"#, "wrong_key", "evidence[0]: expected [start, end]"),
        (#"{"evidence":[[[1]]],"conversations":[]}"#, "wrong_key", "evidence[0]: expected [start, end]"),
        (#"{"conversations":"hi"}"#, "wrong_key", "conversations: expected a list"),
        (#"{"conversations":["hi"]}"#, "wrong_key", "conversations[0]: expected an object"),
        (#"{"conversations":[{"from":"human"}]}"#, "wrong_key", "conversations[0].value: it is missing"),
        (#"{"conversations":[{"value":"x"}]}"#, "wrong_key", "conversations[0].from: it is missing"),
        (#"{"conversations":[{"from":"robot","value":"x"}]}"#, "wrong_key", "it is 'robot'"),
        (#"{"conversations":[{"from":"human","value":["x"]}]}"#, "wrong_key", "conversations[0].value: expected text"),
        (#"{"conversations":[{"from":"human","value":"x","value":"y"}]}"#, "wrong_key", "twice"),
    ])
    func wrongItems(item: String, reason: String, words: String) throws {
        let bad = try #require(badSample { _ = try example(item) }, "\(item) is accepted")
        #expect(bad.reason.rawValue == reason)
        #expect(bad.localizedDescription.contains("data.json[0]"))
        #expect(bad.localizedDescription.contains(words), "\(bad.localizedDescription)")
    }

    @Test func whereABadItemIs() throws {
        let folder = try DataFolder()
        let good = #"{"id":"g","conversations":\#(turns("q", "a"))}"#
        let data = try TrainingData([
            DataSource(folder.write("a.json", "[\(good),\(good)]")),
            DataSource(folder.write("b.jsonl", "\(good)\n\n\(good)\n{\"id\":\"x\",\"conversations\":7}\nnonsense{}\n\u{0}\n")),
        ])
        #expect(data.count == 7)
        #expect(try (0..<4).map { try data.example($0).id } == ["g", "g", "g", "g"])
        let bad = try #require(badSample { _ = try data.example(4) })
        #expect((bad.file, bad.index, bad.line) == (folder.file("b.jsonl"), 2, 4))
        #expect(bad.localizedDescription.hasPrefix(folder.file("b.jsonl") + ":4: conversations: expected a list"))
        #expect(badSample { _ = try data.example(5) }?.reason == .notJSON)
        #expect(badSample { _ = try data.example(6) }?.line == 6)
        let bytes = Data("[{\"id\":\"\u{FF}\"}]".utf8).map { $0 == 0xBF ? 0xFF : $0 }
        let invalid = try TrainingData([DataSource(folder.write("c.json", Data(bytes)))])
        #expect(badSample { _ = try invalid.example(0) }?.detail == "the text is not UTF-8")
    }

    @Test func nothingToTrainOn() throws {
        let folder = try DataFolder()
        let path = try folder.write("none.json", "[]")
        #expect(throws: DataFileError.noSamples(paths: [path])) { try TrainingData([DataSource(path)]) }
        #expect(throws: DataFileError.self) { try TrainingData([]) }
        #expect(throws: DataFileError.invalidRepeats(path: path, value: 0)) { try TrainingData([DataSource(path, repeats: 0)]) }
    }

    @Test func sourcesAsConfigurationsWriteThem() throws {
        let source = try JSONDecoder().decode(DataSource.self, from: Data(#"{"path":"a.json","mediaFolder":"m","repeats":0.5}"#.utf8))
        #expect(source == DataSource("a.json", mediaFolder: "m", repeats: 0.5))
        #expect(try JSONDecoder().decode(DataSource.self, from: JSONEncoder().encode(source)) == source)
        let resolved = source.resolved(in: "/x")
        #expect((resolved.path, resolved.mediaFolder) == ("/x/a.json", "/x/m"))
        #expect(MediaFolders(DataSource("/d/a.json", speechFolder: "/s")) == MediaFolders(pictures: "/d", speech: "/s"))
    }
}
