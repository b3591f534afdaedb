// Texts the command line writes: progress lines, times, sizes, subtitles, tables.
import Foundation
import Lyra
@testable import LyraCommand
import Testing

@Suite struct FormattingTests {
    @Test func progressLineShowsCountRateAndTimeLeft() {
        let line = ProgressLine(label: "transcribing", fraction: 0.5, count: "1:00/2:00", rate: "3.0x real time", elapsed: 20)
        let text = line.text(columns: 100)
        #expect(text.hasPrefix("transcribing  █"))
        #expect(text.contains("1:00/2:00"))
        #expect(text.contains("3.0x real time"))
        #expect(text.hasSuffix("0:20 left"))
        #expect(text.filter { $0 == "█" }.count == text.filter { $0 == "░" }.count)
    }

    @Test func progressLineFitsTheTerminal() {
        let line = ProgressLine(label: String(repeating: "long ", count: 30), fraction: 0.3, elapsed: 5)
        #expect(line.text(columns: 40).count <= 39)
        #expect(ProgressLine(label: "x", fraction: 2, elapsed: 0).text(columns: 80).contains("100 %"))
        #expect(ProgressLine(label: "x", fraction: -1, elapsed: 0).text(columns: 80).contains("0 %"))
    }

    @Test func estimatesAppearOnlyWhenTheyMeanSomething() {
        #expect(!ProgressLine(label: "x", fraction: 0.001, elapsed: 9).text(columns: 80).contains("left"))
        #expect(!ProgressLine(label: "x", fraction: 0.5, elapsed: 0.1).text(columns: 80).contains("left"))
        #expect(ProgressLine(label: "x", elapsed: 75).text(columns: 80) == "x  1:15")
    }

    @Test(arguments: [(0.0, "0:00"), (6.2, "0:07"), (59.9, "1:00"), (3_725, "1:02:05"), (.infinity, "?"), (.nan, "?")])
    func clock(seconds: Double, expected: String) {
        #expect(ProgressLine.clock(seconds) == expected)
    }

    @Test(arguments: [(0, "0 B"), (999, "999 B"), (1_000, "1.00 kB"), (4_423_000_000, "4.42 GB"), (15_300_000, "15.3 MB"), (999_999, "1.00 MB")])
    func bytes(count: Int, expected: String) {
        #expect(Bytes.text(count) == expected)
    }

    @Test func parameterCounts() {
        #expect(Bytes.count(512) == "512")
        #expect(Bytes.count(2_208_985_600) == "2.21 B")
    }

    @Test func subtitles() {
        let segment = TranscriptSegment(start: 3_723.0456, end: 3_750, text: "Hello <b> & you\n\nthere ")
        #expect(Caption.srt(segment, number: 7) == "7\n01:02:03,046 --> 01:02:30,000\nHello <b> & you\nthere\n\n")
        #expect(Caption.vtt(segment) == "01:02:03.046 --> 01:02:30.000\nHello &lt;b&gt; &amp; you\nthere\n\n")
        #expect(Caption.time(-1, separator: ".") == "00:00:00.000")
    }

    @Test func columnsAlign() {
        let lines = Columns.lines([["a", "1", "x"], ["long", "100", ""]], right: [1])
        #expect(lines == ["a       1  x", "long  100"])
    }

    @Test func medians() {
        #expect(Statistics.median([3, 1, 2]) == 2)
        #expect(Statistics.median([4, 1]) == 2.5)
        #expect(Statistics.median([]) == 0)
    }

    @Test func threeDigits() {
        #expect(BenchResults.number(1234.5) == "1234" || BenchResults.number(1234.5) == "1235")
        #expect(BenchResults.number(43.21) == "43.2")
        #expect(BenchResults.number(4.321) == "4.32")
        #expect(BenchResults.number(0.4321) == "0.432")
        #expect(BenchResults.number(0.0432) == "0.0432")
    }

    @Test func spokenRepliesAreNumbered() {
        #expect(ChatSession.numbered("out/reply.wav", 1) == "out/reply.wav")
        #expect(ChatSession.numbered("out/reply.wav", 3) == "out/reply-3.wav")
    }
}
