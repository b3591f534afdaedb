// What is for training is not in validation or test: scenes, wordings, sentences, voices.
import LyraMedia
import Testing

import LyraMedia
@testable import LyraSynthesis

struct DisjointnessTests {
    private func expectDisjoint(_ seen: [Split: Set<String>], _ what: String) {
        for (a, b) in [(Split.train, Split.test), (.train, .validation), (.validation, .test)] {
            let both = (seen[a] ?? []).intersection(seen[b] ?? [])
            #expect(both.isEmpty, "\(what) in \(a) and \(b): \(both.sorted().prefix(3))")
        }
        #expect(seen.values.allSatisfy { $0.count > 5 })
    }

    /// The same seeds in all splits, and several: by content, not by chance.
    @Test func scenes() {
        for kind in SceneKind.allCases {
            var seen: [Split: Set<String>] = [:]
            for split in Split.allCases {
                for index in 0..<200 {
                    var random = SeededRandom(UInt64(index % 3), "\(kind)", index)
                    seen[split, default: []].insert(kind.scene(split, &random).content)
                }
            }
            expectDisjoint(seen, "\(kind)")
        }
        var videos: [Split: Set<String>] = [:]
        for split in Split.allCases {
            for index in 0..<200 {
                var random = SeededRandom(1, index)
                videos[split, default: []].insert(VideoScene.random(split, &random).content)
            }
        }
        expectDisjoint(videos, "video")
    }

    /// Questions as they are put, with everything filled in. Follow-ups are left out: "And the star?" says little of itself.
    @Test func questions() {
        var seen: [Split: Set<String>] = [:]
        for split in Split.allCases {
            for index in 0..<4_000 {
                var random = SeededRandom(2, "questions", index)
                let text =
                    switch index % 4 {
                    case 0: VideoScene.random(split, &random).question(split, &random).text
                    case 1: Knowledge.question(split, &random).text
                    case 2: Fact.random(split, &random).question.text
                    default: SceneKind.random(&random).scene(split, &random).question(split, &random).text
                    }
                seen[split, default: []].insert(text)
            }
        }
        expectDisjoint(seen, "question")
    }

    @Test func sentencesAndFacts() {
        var sentences: [Split: Set<String>] = [:], facts: [Split: Set<String>] = [:]
        for split in Split.allCases {
            for index in 0..<2_000 {
                var random = SeededRandom(3, "sentences", index)
                sentences[split, default: []].insert(Sentences.sentence(split, &random))
                facts[split, default: []].insert(Fact.random(split, &random).content)
            }
        }
        expectDisjoint(sentences, "sentence")
        expectDisjoint(facts, "fact")
    }

    /// By person: a variant of espeak-ng is in one split in all accents, and flite's and festival's recordings of one person go
    /// together.
    @Test func voices() {
        func people(_ split: Split) -> Set<String> {
            Set((Voice.all(split) + (split == .train ? Voice.more : [])).map { voice in
                for person in ["kal", "slt"] where voice.speaker.contains(person) { return person }
                return String(voice.speaker.split(separator: "+").last ?? "")
            })
        }
        expectDisjoint([.train: people(.train), .test: people(.test), .validation: people(.validation).union(["1", "2", "3"])], "voice")
        #expect(Set(Voice.all(.test).map(\.engine)).count == 3)
        var random = SeededRandom(4, "voices")
        for (split, speakers) in [(Split.train, Speakers.train), (.train, .more), (.test, .test)] {
            for _ in 0..<500 { #expect(speakers.voice(&random).split == split) }
        }
    }

    @Test func words() {
        #expect(Lexicon.all.count >= 1_000)
        // Most of them come up in sentences, and no sentence has others.
        var seen = Set<String>()
        for index in 0..<20_000 {
            var random = SeededRandom(5, index)
            for word in Sentences.sentence(.train, &random).lowercased().split(whereSeparator: { !$0.isLetter }) { seen.insert(String(word)) }
        }
        let known = Set(Lexicon.all.flatMap { $0.lowercased().split(separator: "-").map(String.init) })
        let few: Set = ["there", "talked", "asked", "please", "bring", "why", "did", "leave", "my", "an", "opposite", "beyond", "leaves"]
        #expect(seen.subtracting(known).subtracting(few).isSubset(of: ["near", "behind", "front", "next", "to", "inside", "outside"]))
        #expect(seen.count >= 1_000)
    }
}
