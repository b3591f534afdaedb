// Pictures of evidence: well-formed, of the right size, the same every time, and showing what they should.
import Foundation
@testable import Lyra
import LyraMedia
@testable import LyraModel
import Testing
#if canImport(FoundationXML)
    import FoundationXML
#endif

/// Whether a text is an XML document.
enum XMLChecker {
    static func isWellFormed(_ text: String) -> Bool { XMLParser(data: Data(text.utf8)).parse() }
}

@Suite struct EvidencePictureTests {
    /// Every second token of the first half is kept, with rising scores.
    private func evidence(_ kind: MediumSpan.Kind, tokens: Int, grid: PatchGrid? = nil, seconds: Double = 0) -> Evidence {
        let all = (0..<Int32(tokens)).map { $0 }
        let survivors = all.filter { $0 < tokens / 2 && $0 % 2 == 0 }
        return Evidence(
            [Extraction(layer: 1, survivors: survivors, candidates: all, scores: all.map { Float($0 + 1) })],
            spans: [MediumSpan(kind: kind, index: 0, range: 0..<tokens)], grids: grid.map { [$0] } ?? [], secondsPerToken: 0.1,
            speechSeconds: [seconds])
    }

    private func tone(_ seconds: Double) -> Waveform { Waveform((0..<Int(seconds * 16_000)).map { sin(Float($0) * 0.05) * 0.5 }) }

    private func picture(_ width: Int, _ height: Int) throws -> RGBImage {
        try RGBImage(width: width, height: height, pixels: [UInt8](repeating: 200, count: width * height * 3))
    }

    @Test func soundAsSVG() throws {
        let drawing = EvidencePicture(
            evidence(.speech, tokens: 300, seconds: 20), of: [.sound(tone(20), name: "a <b> & \"c\".wav")],
            question: "Is 1 < 2 & \"3\"?\u{1} Sí… 東京")
        let svg = try drawing.svg()
        #expect(XMLChecker.isWellFormed(svg))
        #expect(svg == (try drawing.svg()))
        #expect(svg.contains("a &lt;b&gt; &amp; &quot;c&quot;.wav"))
        #expect(svg.contains("東京"))
        #expect(!svg.contains("\u{1}"))
        #expect(svg.contains("38 % kept: 75 of 200 tokens"))
        #expect(svg.contains("dropped after layer 2"))
    }

    @Test func sizesAreAsAsked() throws {
        let drawing = EvidencePicture(evidence(.speech, tokens: 300, seconds: 20), of: [.sound(tone(20), name: "x")], question: "?")
        let small = try drawing.image(scale: 1), large = try drawing.image(scale: 2)
        #expect((small.width, large.width) == (1_200, 2_400))
        #expect(abs(large.height - 2 * small.height) <= 1)
        #expect(small == (try drawing.image(scale: 1)))
    }

    @Test func hoursStaySmall() throws {
        var drawing = EvidencePicture(
            evidence(.speech, tokens: 72_000, seconds: 7_200), of: [.sound(tone(60), name: "x")], question: "")
        #expect(try drawing.svg().utf8.count < 400_000)
        drawing = EvidencePicture(evidence(.speech, tokens: 72_000, seconds: 7_200), of: [], question: "")
        #expect(XMLChecker.isWellFormed(try drawing.svg()))
    }

    @Test func keptCellsKeepTheirColour() throws {
        let grid = PatchGrid(time: 1, height: 2, width: 2)
        var shown = evidence(.vision, tokens: 4, grid: grid)
        for i in 0..<4 { shown.media[0].pieces[i].kept = i == 0 }
        let shaded = try VisionPanel.shade(picture(20, 20), shown.media[0].pieces)
        #expect(Array(shaded.pixels.prefix(3)) == [200, 200, 200])
        #expect(shaded.pixels[(15 * 20 + 15) * 3] < 100)
        #expect(shaded.pixels[(5 * 20 + 9) * 3] == 200 && shaded.pixels[(5 * 20 + 10) * 3] < 100)
    }

    @Test func picturesAndVideosAreEmbedded() throws {
        let grid = PatchGrid(time: 3, height: 2, width: 3)
        let frames = try (0..<3).map { _ in try picture(84, 56) }
        let drawing = EvidencePicture(
            evidence(.vision, tokens: 18, grid: grid), of: [.frames(frames, times: [0, 1, 2], name: "v.mp4")], question: "Where?")
        let svg = try drawing.svg()
        #expect(XMLChecker.isWellFormed(svg))
        #expect(svg.components(separatedBy: "data:image/png;base64,").count == 4)
        #expect(svg.contains("3 frame pairs"))
        #expect(try drawing.image().width == 2_400)
    }

    @Test func scoresSpreadOverTheScale() {
        let scale = ScoreScale((1...100).map(Float.init))
        #expect(scale.position(Double(scale.low)) == 0)
        #expect(scale.position(1_000) == 1)
        #expect(scale.position(0) == 0)
        #expect(scale.position(.nan) == 0)
        #expect(abs(scale.position(scale.score(at: 0.5)) - 0.5) < 1e-9)
        #expect(ScoreScale([Float]()).high > ScoreScale([Float]()).low)
        #expect(ScoreScale([Float](repeating: 3, count: 9)).high > 3)
    }

    @Test(arguments: [(0.0, "0:00"), (65, "1:05"), (7_389, "2:03:09")]) func times(seconds: Double, text: String) {
        #expect(Label.time(seconds) == text)
    }

    @Test func numbers() {
        #expect(Label.count(72_000) == "72,000")
        #expect(Label.count(999) == "999")
        #expect(Label.count(1_234_567) == "1,234,567")
        #expect(Label.factor(0.42) == "0.42×")
        #expect(Label.factor(5) == "5×")
        #expect(Label.factor(12.3) == "12×")
        #expect(Label.percent(0.052) == "5.2 %")
        #expect(Label.step(3_600, most: 12) == 300)
    }

    @Test func waveformIsBounded() {
        let long = Waveform([Float](repeating: 0.25, count: 16_000 * 120))
        #expect(long.peaks.count <= Waveform.limit)
        #expect(abs(long.duration - 120) < 1e-6)
        #expect(long.peak(from: 3, to: 4) == 0.25)
        #expect(Waveform([]).duration == 0)
        #expect(Waveform([]).peak(from: 0, to: 1) == 0)
    }

    @Test func jsonHasSnakeCaseKeys() throws {
        let data = try evidence(.speech, tokens: 40, seconds: 4).json()
        let json = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        let medium = try #require((json["media"] as? [[String: Any]])?.first)
        #expect(medium["kept_share"] as? Double == 0.25)
        let piece = try #require((medium["pieces"] as? [[String: Any]])?.first)
        #expect(Set(piece.keys) == ["score", "depth", "kept", "start", "end"])
    }

    @Test func letters() {
        #expect(StrokeFont.width("Über", size: 20) == StrokeFont.width("Uber", size: 20))
        #expect(StrokeFont.width("…", size: 20) == StrokeFont.width("...", size: 20))
        #expect(!StrokeFont.lines("東", x: 0, y: 0, size: 20).isEmpty)
        for code in 33..<127 {
            let letter = String(UnicodeScalar(UInt8(code)))
            let lines = StrokeFont.lines(letter, x: 0, y: 0, size: 20)
            #expect(lines.contains { !$0.isEmpty }, "\(letter)")
        }
    }
}
