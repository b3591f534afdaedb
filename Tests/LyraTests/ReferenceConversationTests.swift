// The reference pack's cases once more, from files and words through the public interface to tokens.
import Foundation
@testable import Lyra
import LyraMedia
@testable import LyraModel
import LyraText
import Testing

@Suite(.serialized) struct ReferenceConversationTests {
    private static var json: [String: Any] {
        get throws {
            let data = try Data(contentsOf: URL(fileURLWithPath: Fixture.pack + "/expected.json"))
            return try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        }
    }

    private static func ids(_ name: String, _ setting: String) throws -> (prompt: [Int32], greedy: [Int32]) {
        let cases = try #require(try json["cases"] as? [String: Any])
        let entry = try #require(cases[name] as? [String: Any])
        let run = try #require((entry["runs"] as? [String: Any])?[setting] as? [String: Any])
        func numbers(_ value: Any?) -> [Int32] { (value as? [NSNumber])?.map(\.int32Value) ?? [] }
        return (numbers(entry["input_ids"]), numbers(run["greedy_ids"]))
    }

    private static func long() throws -> [Float] {
        let names = try #require((try json["audio"] as? [String: Any])?["long_is_concatenation_of"] as? [String])
        return try names.flatMap { try AudioReader.readAll(Fixture.input($0 + ".wav")) }
    }

    private static let describe = Part.text("Describe the colours and the numbers in the picture.")

    /// Name, adapter the original's command line selects, parts.
    private static func single() throws -> [(String, String, [Part])] {
        [
            ("text", "off", [.text("Which is larger, 7 or 12? Explain it to a child.")]),
            ("image_text", "off", [.image(Fixture.input("img1.png")), describe]),
            ("image_text_odd", "off", [.image(Fixture.input("img3.png")), describe]),
            ("speech_text", "speech", [.speech(Fixture.input("question_short.wav")), .text("Reply to the question you hear.")]),
            ("image_speech", "speech", [.image(Fixture.input("img2.png")), .speech(Fixture.input("greeting.wav"))]),
            ("long_speech_text", "long_speech", [.samples(try long()), .text("Tell me what is repeated in this long recording.")]),
        ]
    }

    @Test(arguments: [false, true]) func oneTurn(compatible: Bool) async throws {
        let lyra = try await Fixture.open(compatible: compatible)
        for (name, setting, parts) in try Self.single() {
            let expected = try Self.ids(name, setting)
            let talk = lyra.conversation()
            let reply = try await talk.respond(to: parts, options: Fixture.options(24))
            #expect(Array(await lyra.ids(of: talk).prefix(expected.prompt.count)) == expected.prompt, "\(name) prompt")
            #expect(reply.tokenIDs == expected.greedy, "\(name)")
        }
    }

    private static let answer = "12 is larger: it comes after 7."
    private static let follow = Part.text("Then what is 7 + 12?")

    private func second(_ name: String, _ setting: String, compatible: Bool, first: [Part]) async throws {
        let lyra = try await Fixture.open(compatible: compatible)
        let expected = try Self.ids(name, setting)
        let talk = lyra.conversation()
        try await talk.add(first, answer: Self.answer)
        let reply = try await talk.respond(to: [Self.follow], options: Fixture.options(24))
        #expect(Array(await lyra.ids(of: talk).prefix(expected.prompt.count)) == expected.prompt, "\(name) prompt")
        #expect(reply.tokenIDs == expected.greedy, "\(name)")
    }

    @Test func twoTurns() async throws {
        let question = Part.text("Which is larger, 7 or 12? Explain it to a child.")
        for compatible in [false, true] {
            try await second("two_turn_text", "off", compatible: compatible, first: [question])
        }
        // Pictures of earlier turns stay in ours and are lost in the original.
        let picture = [Part.image(Fixture.input("img1.png")), Self.describe]
        try await second("two_turn_image_kept", "off", compatible: false, first: picture)
        try await second("two_turn_image_cli", "off", compatible: true, first: picture)
        // The adapter stays on in ours; the original drops it and keeps its projector.
        let speech = [Part.speech(Fixture.input("question_short.wav")), .text("Reply to the question you hear.")]
        try await second("two_turn_speech", "speech", compatible: false, first: speech)
        try await second("two_turn_speech", "off+speech_projector", compatible: true, first: speech)
    }
}
