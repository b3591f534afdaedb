// What is for training is not in validation or test: scenes, wordings, sentences, voices.
import Testing

@testable import LyraSynthesis

struct DisjointnessTests {
    @Test func scenesAreDisjoint() {
        for kind in SceneKind.allCases {
            var seen: [Split: Set<String>] = [:]
            for split in Split.allCases {
                for index in 0..<300 {
                    var random = SeededRandom(UInt64(index % 3), split.rawValue, "\(kind)", index)
                    seen[split, default: []].insert(kind.scene(split, &random).content)
                }
            }
            #expect(seen[.train]?.isDisjoint(with: seen[.test] ?? []) == true, "\(kind)")
            #expect(seen[.train]?.isDisjoint(with: seen[.validation] ?? []) == true, "\(kind)")
            #expect(seen[.validation]?.isDisjoint(with: seen[.test] ?? []) == true, "\(kind)")
        }
    }

    /// By template: what is filled in may be the same.
    @Test func wordingsAreDisjoint() {
        for wording in [Wordings.colour, Wordings.count, Wordings.time, Wordings.mapNeighbour, Wordings.transcribe] {
            var random = SeededRandom(1, "wordings")
            var seen: [Split: Set<String>] = [:]
            for split in Split.allCases {
                for _ in 0..<2000 { seen[split, default: []].insert(wording.template(split, &random)) }
            }
            #expect(seen[.train]?.isDisjoint(with: seen[.test] ?? []) == true)
            #expect(seen[.train]?.isDisjoint(with: seen[.validation] ?? []) == true)
            #expect(seen[.validation]?.isDisjoint(with: seen[.test] ?? []) == true)
        }
    }

    @Test func sentencesAreDisjoint() {
        var seen: [Split: Set<String>] = [:]
        var random = SeededRandom(1, "sentences")
        for split in Split.allCases {
            for _ in 0..<3000 { seen[split, default: []].insert(Sentences.sentence(split, &random)) }
        }
        #expect(seen[.train]?.isDisjoint(with: seen[.test] ?? []) == true)
        #expect(seen[.train]?.isDisjoint(with: seen[.validation] ?? []) == true)
    }

    /// Also by speaker: a variant of espeak-ng is in one split in all accents, and flite's and festival's recordings of one
    /// person go together.
    @Test func voicesAreDisjoint() {
        func speakers(_ split: Split) -> Set<String> {
            Set(Voice.all(split).map { voice in
                if voice.speaker.contains("kal") { return "kal" }
                if voice.speaker.contains("slt") { return "slt" }
                return String(voice.speaker.split(separator: "+").last ?? "")
            })
        }
        #expect(speakers(.train).isDisjoint(with: speakers(.test)))
        #expect(speakers(.train).isDisjoint(with: speakers(.validation)))
        #expect(speakers(.validation).isDisjoint(with: speakers(.test)))
        #expect(Set(Voice.all(.test).map(\.engine)).count == 3)
    }

    @Test func thereAreEnoughWords() { #expect(Lexicon.all.count >= 1000) }
}
