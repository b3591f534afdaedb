// The documentation tells the truth about code: its Swift blocks are lines of sources that compile, its links lead
// somewhere, and every known property of the original has its line.
import Foundation
import Testing

@Suite struct ReadmeTests {
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    static func pages() throws -> [String] {
        let docs = try FileManager.default.contentsOfDirectory(atPath: root.path + "/docs").filter { $0.hasSuffix(".md") }
        return ["README.md"] + docs.sorted().map { "docs/" + $0 }
    }

    static func text(_ path: String) throws -> String {
        try String(contentsOf: root.appendingPathComponent(path), encoding: .utf8)
    }

    /// The lines without indentation, so that code reads the same at any depth.
    private static func lines(_ text: some StringProtocol) -> [String] {
        text.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
    }

    private static func swiftBlocks(_ page: String) throws -> [[String]] {
        try text(page).components(separatedBy: "```swift\n").dropFirst().compactMap { $0.components(separatedBy: "```").first }
            .map { lines($0) }
    }

    @Test(arguments: try pages()) func swiftCodeCompiles(page: String) throws {
        let files = ["LyraTests/ReadmeExample.swift", "LyraTests/ExampleGuideTests.swift", "LyraTrainingTests/TrainingGuideTests.swift"]
        let sources = try files.map { Self.lines(try Self.text("Tests/" + $0)) }
        for block in try Self.swiftBlocks(page) {
            let body = Array(block.drop { $0.hasPrefix("import ") })
            let imports = block.prefix { $0.hasPrefix("import ") }
            let found = sources.contains { source in
                imports.allSatisfy(source.contains)
                    && source.indices.contains { source[$0...].starts(with: body) }
            }
            #expect(found, "no source of the tests has these lines of \(page):\n\(block.joined(separator: "\n"))")
        }
    }

    @Test(arguments: try pages()) func linksLeadSomewhere(page: String) throws {
        let folder = Self.root.appendingPathComponent(page).deletingLastPathComponent()
        // Every other piece between fences is code.
        let prose = try Self.text(page).components(separatedBy: "```").enumerated().filter { $0.offset % 2 == 0 }.map(\.element)
        for match in prose.joined().matches(of: /\]\(([^)#\s]+)[^)]*\)/) where !match.1.contains("://") {
            let target = folder.appendingPathComponent(String(match.1)).path
            #expect(FileManager.default.fileExists(atPath: target), "\(page) links to \(match.1), which does not exist")
        }
    }

    @Test func readmeHasCode() throws {
        #expect(try Self.swiftBlocks("README.md").count == 1)
        #expect(try Self.swiftBlocks("docs/api.md").count >= 5)
    }

    @Test func everyQuirkHasItsLine() throws {
        let index = try JSONSerialization.jsonObject(with: Data(Self.text("Tests/Fixtures/pack_c/expected.json").utf8))
        let quirks = try #require((index as? [String: Any])?["quirks"] as? [[String: Any]]).compactMap { $0["id"] as? String }
        #expect(quirks.count > 40)
        let page = try Self.text("docs/compatibility.md")
        for quirk in quirks {
            #expect(page.contains("| `\(quirk)` |"), "docs/compatibility.md has no line for \(quirk)")
        }
    }

    @Test func examplesAreThere() throws {
        for (file, beginning) in [("picture.png", "\u{89}PNG"), ("question.wav", "RIFF"), ("recording.ogg", "OggS")] {
            let data = try Data(contentsOf: Self.root.appendingPathComponent("examples/" + file))
            #expect(data.starts(with: beginning.unicodeScalars.map { UInt8($0.value) }), "\(file)")
            #expect(data.count < 300_000)
        }
    }
}
