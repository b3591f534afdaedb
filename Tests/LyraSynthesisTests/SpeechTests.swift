// Speech by the synthesisers, where they are installed.
import Foundation
import LyraMedia
import Testing

@testable import LyraSynthesis

/// Whether espeak-ng, flite and festival are there.
let hasEngines = (try? SpeechSynthesiser.requireEngines()) != nil
let hasMoreEngines = (try? SpeechSynthesiser.requireEngines(more: true)) != nil
let noEngines: Comment = "skipped: espeak-ng, flite, festival or its voices are not installed"

@Suite(.enabled(if: hasEngines, noEngines)) struct SpeechTests {
    private func level(_ samples: some Collection<Float>) -> Double {
        10 * log10(samples.reduce(0) { $0 + Double($1 * $1) } / Double(samples.count))
    }

    /// Every voice speaks: for as long as speech takes, not clipped, at its level, with the silence asked for.
    @Test func allVoicesSpeak() throws {
        // Each variant of espeak-ng in one accent, and all of the others.
        let voices = (hasMoreEngines ? Voice.more : []) + Split.allCases.flatMap { split in
            Voice.all(split).enumerated().filter { $1.engine != .espeak || $0 % Voice.accents.count == ($0 / 8) % 8 }.map(\.element)
        }
        #expect(voices.count > 60)
        let text = "How many red circles are there?"
        let sounds = try SpeechSynthesiser().speak(voices.map { SpokenText(text, $0) })
        for (voice, sound) in zip(voices, sounds) {
            let seconds = Double(sound.count) / 16_000 - 0.2
            #expect((1.2...4).contains(seconds), "\(voice.name) takes \(seconds) s")
            #expect(sound.prefix(1_500).allSatisfy { $0 == 0 } && sound.suffix(1_500).allSatisfy { $0 == 0 })
            #expect(sound.allSatisfy { abs($0) <= 0.9701 })
            let speech = level(sound.dropFirst(1_600).dropLast(1_600))
            // Peaks may keep a voice below its level.
            #expect((-30 ... -22.9).contains(speech), "\(voice.name) has \(speech) dB")
        }
        // They are different voices.
        let alike = Dictionary(grouping: zip(voices, sounds)) { $0.1.dropFirst(8_000).prefix(4_000).map(\.bitPattern) }.values
            .filter { $0.count > 1 }.map { $0.map(\.0.name) }
        #expect(alike.isEmpty, "\(alike)")
    }

    /// espeak-ng takes a variant that it does not know for none at all, without a word.
    @Test func variantsExist() throws {
        let listing = Process()
        listing.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        listing.arguments = ["espeak-ng", "--voices=variant"]
        let pipe = Pipe()
        listing.standardOutput = pipe
        try listing.run()
        let text = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        for variant in Voice.variants.values.joined() { #expect(text.contains("!v/\(variant) "), "\(variant)") }
    }

    @Test func speedAndPitchAreHeard() throws {
        let usual = [Voice(engine: .espeak, speaker: "en-us+m3", split: .train), .answering, Voice(engine: .festival, speaker: "kal_diphone", split: .train)]
        for voice in usual + (hasMoreEngines ? Voice.more : []) {
            var slow = SpokenText("The garden near the river is quiet in the morning.", voice), fast = slow
            (slow.speed, fast.speed) = (0.85, 1.2)
            let lengths = try SpeechSynthesiser().speak([slow, fast]).map { Double($0.count) - 3_200 }
            #expect((1.2...1.6).contains(lengths[0] / lengths[1]), "\(voice.name): \(lengths)")
        }
    }

    /// A larger speaker takes as long, at lower frequencies: their root mean square, by the sound's steepness, falls as the size grows.
    @Test func sizeIsHeard() throws {
        func frequency(_ sound: [Float]) -> Double {
            let steps = zip(sound, sound.dropFirst()).reduce(0.0) { $0 + Double(($1.1 - $1.0) * ($1.1 - $1.0)) }
            return (steps / sound.reduce(0.0) { $0 + Double($1 * $1) }).squareRoot()
        }
        for voice in [.answering, Voice(engine: .festival, speaker: "kal_diphone", split: .train)] + (hasMoreEngines ? Voice.more : []) {
            let usual = SpokenText("The garden near the river is quiet in the morning.", voice)
            for size in [0.82, 1.22] {
                var other = usual
                other.size = size
                let sounds = try SpeechSynthesiser().speak([usual, other])
                #expect(abs(Double(sounds[1].count) / Double(sounds[0].count) - 1) < 0.08, "\(voice.name), \(size)")
                #expect(abs(frequency(sounds[1]) / frequency(sounds[0]) * size - 1) < 0.08, "\(voice.name), \(size)")
            }
        }
    }

    /// Only what is trained on has speakers of all sizes.
    @Test func voicesOfTestsAreAsTheyAre() {
        var random = SeededRandom(1, "sizes")
        func sizes(_ speakers: Speakers) -> [Double] { (0..<200).map { _ in speakers.say("", &random).size } }
        let trained = sizes(.train)
        #expect(trained.contains { $0 < 0.9 } && trained.contains { $0 > 1.15 } && trained.allSatisfy { (0.82...1.22).contains($0) })
        #expect([.seen, .validation, .test].allSatisfy { sizes($0).allSatisfy { $0 == 1 } })
    }

    @Test func whatCannotBeSaidIsAnError() throws {
        let synthesiser = try SpeechSynthesiser()
        #expect(throws: SpeechSynthesisError.self) { try synthesiser.speak([SpokenText(" ", .answering)]) }
        #expect(throws: SpeechSynthesisError.self) { try Command.run("no-such-program", []) }
        #expect(throws: SpeechSynthesisError.self) { try Command.run("false", []) }
    }

    /// Facts are where they are said to be: there is speech from that moment on, and silence before.
    @Test func recordingsStateTheirFacts() throws {
        var random = SeededRandom(1, "recording")
        let facts = Recording.facts(3, .train, &random)
        let recording = Recording(
            seconds: 40, isDiary: false, events: zip([5.0, 20, 39], facts).map { ($0, .fact($1)) }, topics: ["sport", "music"],
            voices: Recording.voices(2, .train, &random), random: random)
        var sound: [Float] = []
        let result = try recording.speak(SpeechSynthesiser().speak) { sound += $0 }
        #expect(abs(result.seconds - Double(sound.count) / 16_000) < 1e-6)
        #expect((40...60).contains(result.seconds))
        #expect(result.times.count == 3)
        for (time, (planned, fact)) in zip(result.times, zip([5.0, 20, 39], facts)) {
            let start = time.lowerBound, end = Int(time.upperBound * 16_000)
            #expect(start >= planned && start < planned + 25)
            let at = Int(start * 16_000)
            #expect(level(sound[at..<(at + 4_000)]) > -45)
            #expect(sound[(at - 1_600)..<(at - 10)].allSatisfy { $0 == 0 } && sound[(end + 10)..<(end + 1_600)].allSatisfy { $0 == 0 })
            #expect(level(sound[(end - 4_000)..<end]) > -60)
            #expect(result.transcript.contains(fact.statement))
        }
        #expect(Set(facts.map(\.subject)).count == 3)
    }
}
