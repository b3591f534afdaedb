// The model that ships answers rightly: about a picture, by voice, aloud, in a conversation.
import Foundation
import Testing

@Suite(.serialized) struct ShippedNanoTests {
    private typealias Lyra = CommandLineProcess
    private static let media = "examples/nano/"
    private static let description =
        "A big red ring in the middle, a big blue ring on the right and a big pink moon at the bottom."

    /// Without --model and LYRA_MODEL.
    private func ask(_ arguments: [String]) throws -> CommandLineProcess.Result { try Lyra.run(["ask"] + arguments, environment: [:]) }

    /// A program that was put elsewhere has nano in share/lyra, or needs to be told.
    @Test func itIsFoundBesideTheProgram() throws {
        let folder = try TemporaryFolder(), files = FileManager.default, copy = folder.file("bin/lyra")
        for name in ["bin", "share/lyra"] { try files.createDirectory(atPath: folder.file(name), withIntermediateDirectories: true) }
        try files.copyItem(atPath: try #require(Lyra.program).path, toPath: copy)
        let alone = try Lyra.run(["ask", "--text", "x"], copy: copy, environment: [:])
        #expect(alone.status == 64 && alone.errors.contains("LYRA_MODEL"), "\(alone.errors)")
        try files.createSymbolicLink(atPath: folder.file("share/lyra/nano"), withDestinationPath: Lyra.root + "/models/nano")
        #expect(try Lyra.run(["inspect", "--check"], copy: copy, environment: [:]).status == 0)
    }

    @Test func itSeesAndHears() throws {
        for (question, answer) in [
            ("What colour is the moon?", "It is pink."), ("Where is the moon?", "It is at the bottom."), ("What is on the right?", "It is a blue ring."),
            ("Is there a green star?", "No."),
        ] {
            let written = try ask(["--image", Self.media + "picture.png", "--text", question])
            #expect(written.output == answer + "\n", "\(question) \(written.errors)")
        }

        let spoken = try ask(["--image", Self.media + "picture.png", "--speech", Self.media + "question.wav"])
        #expect(spoken.output == Self.description + "\n", "\(spoken.errors)")
    }

    /// To ears that were trained apart from it: those of the encoder that spells.
    @Test func itSaysWhatItWrites() throws {
        let folder = try TemporaryFolder(), aloud = folder.file("answer.wav")
        let reply = try ask(["--image", Self.media + "picture.png", "--text", "What colour is the moon?", "--speak", aloud])
        #expect(reply.output == "It is pink.\n", "\(reply.errors)")
        let heard = try Lyra.run(["data", "listen", aloud, "--encoder", "models/nano-towers"])
        #expect(heard.output.contains("pink"), "\(heard.output) \(heard.errors)")
    }

    /// "The car of Grace is grey" is said once in half an hour, 349.6 s from its beginning.
    @Test func itFindsAMomentInHalfAnHour() throws {
        let folder = try TemporaryFolder(), evidence = folder.file("evidence.json")
        let arguments = ["--speech", Self.media + "news.ogg", "--text", "Which colour has the car of Grace?", "--extract", "2,0.4", "--evidence", evidence]
        let told = try ask(arguments)
        #expect(told.output == "It is grey.\n" && told.errors.contains("the answer was heard at 5:4"), "\(told.output)\(told.errors)")
        let report = try ask(arguments + ["--json"]).json()
        let heard = try #require(report["heard"] as? [String: Double]), start = try #require(heard["start"]), end = try #require(heard["end"])
        #expect(start < 352 && end > 349.6 && end - start < 4.2, "\(start) to \(end)")
    }

    @Test func itTranscribes() throws {
        let result = try Lyra.run(["transcribe", Self.media + "sentence.flac"], environment: [:])
        #expect(result.output == "The train to London leaves at six nineteen.\n", "\(result.errors)")
    }

    @Test func itTalks() throws {
        let turns = "/image \(Self.media)picture.png\nWhat colour is the moon?\nWhat is on the right?\n"
        let result = try Lyra.run(["chat"], input: Data(turns.utf8), environment: [:])
        #expect(result.status == 0 && result.output == "It is pink.\nIt is blue.\n", "\(result.output) \(result.errors)")
    }
}
