// Whole data sets: the same by any number of jobs, gone on with after an end, and in the format that training reads.
import Foundation
import LyraMedia
import Testing

@testable import LyraSynthesis

@Suite(.serialized, .enabled(if: hasEngines, noEngines)) struct DataSetTests {
    private final class Folder {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("lyra-world-\(UUID().uuidString)").path
        deinit { try? FileManager.default.removeItem(atPath: path) }

        func lines(_ name: String) throws -> [[String: Any]] {
            try String(contentsOfFile: "\(path)/\(name)", encoding: .utf8).split(separator: "\n").map {
                try #require(JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
            }
        }
        func bytes(_ name: String) -> Data? { FileManager.default.contents(atPath: "\(path)/\(name)") }
    }

    private func plan(_ folder: Folder, _ counts: [String: Int], splits: [Split] = [.train]) -> SynthesisPlan {
        var plan = SynthesisPlan(folder: folder.path, splits: splits)
        for file in SynthesisPlan.files { plan.counts[file.name] = counts[file.name] ?? 0 }
        plan.heldOut = 4
        plan.longestMinutes = 1
        return plan
    }

    @Test func anyNumberOfJobsGivesTheSame() async throws {
        let counts = ["pictures": 401, "pages": 3, "spoken": 6, "dialogue": 4, "video": 4, "passages": 4, "answers": 6, "knowledge": 6, "long": 1]
        let one = Folder(), many = Folder()
        var first = plan(one, counts), second = plan(many, counts)
        (first.jobs, second.jobs) = (1, 3)
        let summary = try await DataSet.write(first)
        _ = try await DataSet.write(second)
        #expect(summary.items == 401 + 34 && summary.kept == 0)
        for name in counts.keys + ["speech", "answer_speech"] {
            #expect(try one.bytes("train/\(name).jsonl") == many.bytes("train/\(name).jsonl"), "\(name)")
        }
        for line in try one.lines("train/pictures.jsonl") {
            let picture = try #require(line["image"] as? String)
            #expect(try one.bytes("train/\(picture)") == many.bytes("train/\(picture)"))
        }
    }

    @Test func runsGoOn() async throws {
        let folder = Folder()
        _ = try await DataSet.write(plan(folder, ["pictures": 250]))
        let before = try #require(folder.bytes("train/pictures.jsonl"))
        // More items are added to those that are there; the shard that was not full is made anew.
        let more = try await DataSet.write(plan(folder, ["pictures": 450]))
        #expect(more.kept == 200 && more.items == 250)
        let after = try #require(folder.bytes("train/pictures.jsonl"))
        #expect(after.starts(with: before) && after.count > before.count)
        let nothing = try await DataSet.write(plan(folder, ["pictures": 450]))
        #expect(nothing.kept == 450 && nothing.items == 0)
        var other = plan(folder, ["pictures": 450])
        other.seed = 1
        await #expect(throws: SynthesisError.self) { try await DataSet.write(other) }
    }

    /// A run of some files does not take the others' utterances out of the list of all.
    @Test func aRunOfSomeFilesLeavesTheListOfAllSpeech() async throws {
        let folder = Folder()
        _ = try await DataSet.write(plan(folder, ["spoken": 4, "knowledge": 6]))
        let before = try #require(folder.bytes("train/speech.jsonl"))
        var some = plan(folder, ["spoken": 5])
        some.only = ["spoken"]
        _ = try await DataSet.write(some)
        #expect(try folder.lines("train/spoken.jsonl").count == 5)
        #expect(folder.bytes("train/speech.jsonl") == before)
    }

    /// `lyra transcribe` asks in the release's words, which are learnt beside the world's own, and are in no test.
    @Test func transcriptionsAreAskedForAsTheReleaseDoes() async throws {
        func questions(_ split: Split) async throws -> [String] {
            let folder = Folder()
            var plan = plan(folder, ["transcription": 60], splits: [split])
            (plan.isWritten, plan.heldOut, plan.only) = (true, 60, ["transcription"])
            _ = try await DataSet.write(plan)
            return try folder.lines("\(split.rawValue)/transcription.jsonl").map {
                try #require(($0["conversations"] as? [[String: String]])?.first?["value"])
            }
        }
        let instruction = "\n\nRecord the spoken words as text."
        let learnt = try await questions(.train), tested = try await questions(.test)
        #expect(learnt.count == 60 && (12...36).contains(learnt.count { $0.hasSuffix(instruction) }))
        #expect(tested.count == 60 && !tested.contains { $0.hasSuffix(instruction) })
    }

    /// One medium of training is asked several things in writing, and passages, which are of all lengths, about all they say.
    @Test func severalQuestionsAreAsked() async throws {
        let folder = Folder()
        var plan = plan(folder, ["video": 6, "passages": 40, "long": 6])
        (plan.isWritten, plan.questions, plan.longestMinutes) = (true, 3, 10)
        _ = try await DataSet.write(plan)
        func turns(_ name: String) throws -> [[[String: String]]] {
            try folder.lines("train/\(name).jsonl").map { try #require($0["conversations"] as? [[String: String]]) }
        }
        let videos = try turns("video")
        #expect(videos.allSatisfy { [2, 6].contains($0.count) && $0[0]["value"]?.hasPrefix("<video>\n") == true } && videos.contains { $0.count == 6 })
        let passages = try turns("passages"), facts = passages.compactMap { $0[0]["value"]?.components(separatedBy: "\n")[0].split(separator: ".").count }
        #expect((facts.min() ?? 0) == 1 && (9...18).contains(facts.max() ?? 0), "\(facts)")
        #expect(zip(passages, facts).allSatisfy { $0.count == 2 || $0.count == 2 * $1 } && passages.contains { $0.count > 12 })
        // Twelve facts of a recording and three things more, but a fact for each ten seconds where that is more.
        #expect(try turns("long").reduce(0) { $0 + $1.count / 2 } > 6 * 15)
    }

    /// Two of five answers of training are sentences that are to be said, as the library asks for it; a test has none.
    @Test func someAnswersAreToBeSaid() async throws {
        let folder = Folder()
        _ = try await DataSet.write(plan(folder, ["answers": 20], splits: [.train, .validation]))
        func said(_ split: String) throws -> [[String]] {
            try folder.lines("\(split)/answers.jsonl").map { try #require($0["conversations"] as? [[String: String]]).map { $0["value"] ?? "" } }
                .filter { $0[0].hasPrefix("Say this: ") }
        }
        let train = try said("train")
        #expect((2...16).contains(train.count) && train.allSatisfy { $0 == ["Say this: " + $0[1], $0[1]] }, "\(train)")
        #expect(try said("validation").isEmpty)
    }

    /// The written world is the spoken one with transcripts in the place of sound.
    @Test func theWrittenWorldSaysTheSame() async throws {
        let counts = ["spoken": 3, "transcription": 3, "knowledge": 8, "dialogue": 4, "passages": 4, "long": 1, "answers": 2, "voice": 2]
        let spoken = Folder(), written = Folder()
        _ = try await DataSet.write(plan(spoken, counts))
        var plan = plan(written, counts)
        plan.isWritten = true
        let summary = try await DataSet.write(plan)
        #expect(summary.utterances == 0 && summary.recordings == 0 && summary.pictures == 7)
        func turns(_ line: [String: Any]) throws -> [String] {
            try #require(line["conversations"] as? [[String: String]]).map { try #require($0["value"]) }
        }
        for name in ["spoken", "transcription", "knowledge", "dialogue", "passages"] {
            let pairs = zip(try spoken.lines("train/\(name).jsonl"), try written.lines("train/\(name).jsonl"))
            for (spoken, written) in pairs {
                var said = (spoken["speech_asr"] as? [String] ?? [spoken["speech_asr"] as? String].compactMap { $0 })[...]
                let expected = try turns(spoken).map { turn in
                    turn.split(separator: "<speech>", omittingEmptySubsequences: false).enumerated().reduce("") {
                        $0 + ($1.offset > 0 ? said.popFirst() ?? "?" : "") + $1.element
                    }
                }
                #expect(try turns(written) == expected)
                #expect(written["speech"] == nil && written["speech_asr"] == nil && written["voice"] == nil)
            }
        }
        // The sound of a recording decides what it holds, so only its questions are the same: fifteen in one line.
        for (spoken, written) in try zip(spoken.lines("train/long.jsonl"), written.lines("train/long.jsonl")) {
            let heard = try turns(spoken), read = try turns(written)
            #expect(heard.count == 30 && read.count == 30 && read[0].count > 500 && !read.contains { $0.contains("<speech>") })
            var said = try #require(spoken["speech_asr"] as? [Any]).compactMap { $0 as? String }.makeIterator()
            for (index, (heard, read)) in zip(heard, read).enumerated().dropFirst() {
                #expect(read == (heard == "<speech>" ? said.next() : heard), "\(index)")
            }
        }
        for name in ["answers", "voice", "speech"] { #expect(written.bytes("train/\(name).jsonl") == nil) }
    }

    /// Where all sound is Opus, a recording and the questions about it are files of their own still.
    @Test func compressedRecordingsAndTheirQuestions() async throws {
        let folder = Folder()
        var plan = plan(folder, ["long": 2])
        plan.audio = .opus
        _ = try await DataSet.write(plan)
        // Training is told where every answer's facts are.
        for line in try folder.lines("train/long.jsonl") {
            let evidence = try #require(line["evidence"] as? [[[Double]]]), length = try #require(line["seconds"] as? Double)
            #expect(2 * evidence.count == (line["conversations"] as? [[String: String]])?.count && evidence.contains { !$0.isEmpty })
            #expect(evidence.joined().allSatisfy { $0.count == 2 && $0[0] < $0[1] && $0[1] <= length })
            #expect(line["fact_seconds"] as? [Double] == evidence.joined().map { $0[0] })
        }
        let spoken = try folder.lines("train/long.jsonl").compactMap { $0["speech"] as? [String] }
        #expect(!spoken.isEmpty)
        for files in spoken {
            let seconds = try files.map { Double(try AudioReader.readAll(.file("\(folder.path)/train/\($0)")).count) / 16_000 }
            #expect(seconds.count > 1 && seconds[0] > 50 && seconds[1...].allSatisfy { $0 < 20 }, "\(files): \(seconds)")
        }
    }

    /// Of the questions about a picture or a page of training, one asks for all of it.
    @Test func picturesAreDescribedOnce() async throws {
        let folder = Folder()
        _ = try await DataSet.write(plan(folder, ["pictures": 40, "pages": 10]))
        for name in ["pictures", "pages"] {
            for line in try folder.lines("train/\(name).jsonl") {
                let turns = try #require(line["conversations"] as? [[String: String]]).map { ($0["value"] ?? "").lowercased() }
                #expect(turns.count == 8)
                if name == "pictures" {
                    let asked = stride(from: 0, to: 8, by: 2).count { number in
                        Wordings.describe.train.contains { turns[number].hasSuffix($0.lowercased()) }
                    }
                    #expect(asked == 1, "\(turns)")
                } else {
                    let regions = try #require(line["regions"] as? [[String: Any]]).compactMap { ($0["labels"] as? [String])?.first }
                    let words = regions.filter { !$0.hasPrefix(Region.letter) }.joined(separator: " ").lowercased()
                    #expect(turns.contains("it says \(words)."), "\(turns)")
                }
            }
        }
    }

    /// Rows and pairs of words: every answer is read off the text.
    @Test func recallIsReadOffTheText() async throws {
        let folder = Folder()
        _ = try await DataSet.write(plan(folder, ["recall": 90]))
        var questions = 0
        for (index, line) in try folder.lines("train/recall.jsonl").enumerated() {
            let turns = try #require(line["conversations"] as? [[String: String]]).map { $0["value"] ?? "" }
            let told = try #require(turns.first?.split(separator: "\n").first).dropLast()
            let answers = stride(from: 1, to: turns.count, by: 2).map { turns[$0] }
            switch index % 3 {
            case 0: #expect(answers == [told + "."])
            case 1: #expect(answers.count == 1 && Set(answers[0].dropLast().split(separator: ", ")) == Set(told.split(separator: ", ")))
            default:
                let pairs = told.split(separator: ", ")
                #expect(answers.count == pairs.count)
                for (number, answer) in answers.enumerated() {
                    questions += 1
                    // What the question does not name of a pair that it names.
                    let value = answer.split(separator: " ").dropFirst(2).joined(separator: " ").dropLast()
                    let asked = turns[2 * number].split(separator: "\n").last ?? ""
                    let isOther = pairs.contains { pair in
                        let words = pair.split(separator: " ")
                        return words.first == value && asked.contains(words.last ?? "") || words.last == value && asked.contains(words.first ?? "")
                    }
                    #expect(isOther, "\(told): \(asked) \(answer)")
                }
            }
        }
        #expect(questions > 60)
    }

    /// A picture told in writing: what is asked about it is in what is told.
    @Test func scenesAreToldInWriting() async throws {
        let folder = Folder()
        let summary = try await DataSet.write(plan(folder, ["scenes": 60]))
        #expect(summary.pictures == 0 && summary.utterances == 0)
        var found = 0, asked = 0
        for line in try folder.lines("train/scenes.jsonl") {
            let turns = try #require(line["conversations"] as? [[String: String]]).map { $0["value"] ?? "" }
            let told = try #require(turns.first).split(separator: "\n")
            #expect(line["image"] == nil && turns.count == 8 && told.count == 2 && told[0].hasSuffix("."))
            for answer in stride(from: 1, to: turns.count, by: 2).map({ turns[$0] }) where answer.hasPrefix("It says ") {
                asked += 1
                found += told[0].contains(answer.dropFirst(8).dropLast().split(separator: " ")[0]) ? 1 : 0
            }
        }
        #expect(asked > 5 && found == asked)
    }

    /// Files say truly what is heard in them: it decides which programs have to be there.
    @Test func filesTellWhatIsHeard() throws {
        let folder = Folder()
        for (split, files) in try plan(folder, Dictionary(uniqueKeysWithValues: SynthesisPlan.files.map { ($0.name, 40) }), splits: Split.allCases).files() {
            for file in files {
                let items = (0..<40).map { index in
                    var item = Item(split, file, index, seed: 0, format: .flac)
                    file.make(&item)
                    return item
                }
                let speaks = items.contains { !$0.spoken.isEmpty || $0.recording != nil }
                #expect(speaks == (file.sound != .nothing), "\(split)/\(file.name)")
            }
        }
    }

    @Test func cancelledRunsStop() async throws {
        let folder = Folder()
        let plan = plan(folder, ["pictures": 100_000])
        let work = Task { try await DataSet.write(plan) }
        try await Task.sleep(for: .milliseconds(500))
        work.cancel()
        await #expect(throws: CancellationError.self) { try await work.value }
        #expect(folder.bytes("train/pictures.jsonl") == nil)
    }

    /// What test items hold: media that can be read, accepted answers, seconds of facts, voices of the right split.
    @Test func testItemsAreComplete() async throws {
        let folder = Folder()
        var test = plan(folder, [:], splits: [.test])
        test.heldOut = 2
        // Recordings of hours are for another day.
        let files = try test.files()[0].files
        #expect(Set(files.map(\.name)).isSuperset(of: ["needle_5", "needle_30", "needle_120", "absent_picture", "spoken_answer"]))
        test.only = Set(files.map(\.name).filter { !$0.hasPrefix("needle") })
        _ = try await DataSet.write(test)
        let heldOut = Set(Voice.all(.test).map(\.name))
        for file in files where !file.name.hasPrefix("needle") {
            for line in try folder.lines("test/\(file.name).jsonl") {
                let answers = try #require(line["answers"] as? [String])
                #expect((line["ability"] as? String)?.isEmpty == false && !answers.isEmpty)
                let turns = try #require(line["conversations"] as? [[String: String]])
                if file.name != "transcription" {
                    #expect(answers.contains(try #require(turns.last?["value"]).dropLast().lowercased()))
                }
                let speech = (line["speech"] as? [String]) ?? (line["speech"] as? String).map { [$0] } ?? []
                #expect(turns.map { ($0["value"] ?? "").components(separatedBy: "<speech>").count - 1 }.reduce(0, +) == speech.count)
                for path in speech + [line["answer_speech"] as? String].compactMap({ $0 }) {
                    let sound = try AudioReader.readAll(.file("\(folder.path)/test/\(path)"))
                    #expect(sound.count > 4_000 && sound.contains { abs($0) > 0.01 } && !sound.contains { abs($0) >= 1 })
                }
                if let voice = line["voice"] as? String, !["picture_speech_seen", "spoken_answer"].contains(file.name) {
                    #expect(voice.components(separatedBy: ", ").allSatisfy(heldOut.contains), "\(voice)")
                }
                if let video = line["video"] as? String {
                    let info = try VideoReader(.file("\(folder.path)/test/\(video)")).info
                    #expect((info.frameCount, info.width) == (16, 112) && abs(info.frameRate - 4) < 1e-6)
                }
                if let image = line["image"] as? String {
                    #expect(try ImageReader.read(.file("\(folder.path)/test/\(image)")).width == 224)
                }
                if let seconds = line["fact_seconds"] as? [Double], let length = line["seconds"] as? Double {
                    #expect(seconds.allSatisfy { (0..<length).contains($0) })
                }
            }
        }
    }

    private static let digits = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("shared/data").path

    @Test(.enabled(if: FileManager.default.fileExists(atPath: digits), "skipped: ../shared with recordings of digits is not beside the package"))
    func digitsByPeople() async throws {
        let folder = Folder()
        var plan = plan(folder, ["digits": 30], splits: Split.allCases)
        plan.realSpeech = Self.digits
        plan.only = ["digits"]
        _ = try await DataSet.write(plan)
        // Every word where it is heard: before it and after it there is silence.
        for line in try folder.lines("train/.shards/speech-digits-0000-30.jsonl") {
            let words = try #require(line["words"] as? [[String: Any]])
            #expect(words.compactMap { $0["word"] as? String }.joined(separator: " ") + "." == (line["speech_asr"] as? String)?.lowercased())
            let sound = try AudioReader.readAll(.file(folder.path + "/train/\(try #require(line["speech"] as? String))"))
            for word in words {
                let start = Int(try #require(word["start"] as? Double) * 16_000 + 0.5), end = Int(try #require(word["end"] as? Double) * 16_000 + 0.5)
                #expect(start < end && end <= sound.count && sound[start - 500..<start].allSatisfy { $0 == 0 } && sound[start..<end].contains { abs($0) > 0.02 })
            }
        }
        func voices(_ split: Split) throws -> Set<String> { Set(try folder.lines("\(split)/digits.jsonl").compactMap { $0["voice"] as? String }) }
        #expect(try voices(.test).count == 1)
        #expect(try voices(.train).isDisjoint(with: voices(.test)) && voices(.train).count >= 3)
        plan.only = ["digit"]
        await #expect(throws: SynthesisError.noSuchFile("digit")) { try await DataSet.write(plan) }
        plan.realSpeech = folder.path + "/train"
        await #expect(throws: SynthesisError.self) { try await DataSet.write(plan) }
    }
}
