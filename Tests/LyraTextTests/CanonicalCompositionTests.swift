import Foundation
import Testing

@testable import LyraText

@Suite struct CanonicalCompositionTests {
    @Test(arguments: [
        ("e\u{301}", "\u{E9}"), ("\u{1100}\u{1161}\u{11A8}", "\u{AC01}"), ("\u{AC00}\u{11A8}", "\u{AC01}"), ("\u{212B}", "\u{C5}"),
        ("\u{37E}", ";"), ("q\u{307}\u{323}", "q\u{323}\u{307}"), ("a\u{327}\u{301}", "\u{E1}\u{327}"), ("\u{344}", "\u{308}\u{301}"),
        ("\u{958}", "\u{915}\u{93C}"), ("\u{9C7}\u{9BE}", "\u{9CB}"), ("\u{1D15E}", "\u{1D157}\u{1D165}"), ("\u{2F800}", "\u{4E3D}"),
        ("a\u{345}\u{301}", "\u{E1}\u{345}"), ("\u{1F82}", "\u{1F82}"), ("\u{3B1}\u{313}\u{300}\u{345}", "\u{1F82}"), ("\u{FB1D}", "\u{5D9}\u{5B4}"),
        ("\u{1E9B}\u{323}", "\u{1E9B}\u{323}"), ("\u{3053}\u{3099}", "\u{3054}"), ("<\u{338}", "\u{226E}"), ("plain", "plain"),
    ])
    func composes(_ text: String, _ expected: String) {
        expectSame(CanonicalComposition.compose(text), expected)
        expectSame(CanonicalComposition.compose(expected), expected)
    }

    /// Foundation is right about single scalars and short sequences, as far as its Unicode tables go.
    @Test func agreesWithFoundationOnShortText() {
        var random = SplitMix(seed: 5)
        for value in UInt32(0)..<0x30000 {
            guard let scalar = Unicode.Scalar(value), scalar.properties.age?.major ?? 0 < 16 else { continue }
            let mark = Unicode.Scalar(UInt32.random(in: 0x300...0x34F, using: &random)) ?? "\u{301}"
            var text = String.UnicodeScalarView([scalar])
            expectEqualToFoundation(String(text))
            guard value < 0x3100 else { continue }
            text.append(mark)
            expectEqualToFoundation(String(text))
        }
    }

    private func expectEqualToFoundation(_ text: String) {
        let ours = CanonicalComposition.compose(text).unicodeScalars
        let theirs = text.precomposedStringWithCanonicalMapping.unicodeScalars
        if !ours.elementsEqual(theirs) { Issue.record("\(text.unicodeScalars.map { String($0.value, radix: 16) })") }
    }
}
