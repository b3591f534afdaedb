// Windows of a transcript are cut where nobody speaks.
import Foundation
@testable import Lyra
import Testing

@Suite struct QuietCutTests {
    private let rate = 16_000
    private func tone(_ seconds: Double) -> [Float] { (0..<Int(seconds * Double(rate))).map { sin(Float($0) * 0.3) * 0.5 } }

    @Test func findsThePause() {
        var sound = tone(30)
        for i in (26 * rate)..<(26 * rate + rate / 2) { sound[i] = 0 }
        let cut = Double(QuietCut.find(sound, sampleRate: rate)) / Double(rate)
        #expect(cut > 26 && cut < 26.5)
    }

    @Test func ignoresPausesTooEarly() {
        var sound = tone(30)
        for i in (5 * rate)..<(6 * rate) { sound[i] = 0 }
        #expect(QuietCut.find(sound, sampleRate: rate) >= Int(22.5 * Double(rate)))
    }

    @Test func silenceAndShortSoundStayWhole() {
        let silence = [Float](repeating: 0, count: 30 * rate)
        #expect(QuietCut.find(silence, sampleRate: rate) > 29 * rate)
        #expect(QuietCut.find([0.1, 0.2], sampleRate: rate) == 2)
        #expect(QuietCut.find([], sampleRate: rate) == 0)
    }
}
