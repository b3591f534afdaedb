// Conversations with the committed reference checkpoint: turns, caches, adapters, cancellation, speech, errors.
import Foundation
@testable import Lyra
import LyraMedia
@testable import LyraModel
import LyraText
import MLX
import Testing

enum Fixture {
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path
    static let pack = root + "/Tests/Fixtures/pack_c"
    static func input(_ name: String) -> MediaSource { .file("\(pack)/inputs/\(name)") }

    static func open(compatible: Bool = false, precision: Precision = .f32) async throws -> Lyra {
        var options = LyraOptions()
        options.precision = precision
        options.isCompatible = compatible
        return try await Lyra.open(pack + "/work_dirs/Lyra_Small_tiny", options: options)
    }

    static func options(_ tokens: Int = 12, speaks: Bool = false) -> ReplyOptions {
        var options = ReplyOptions()
        options.maximumTokens = tokens
        options.speaks = speaks
        return options
    }
}

extension Lyra {
    /// Greedy tokens of a whole id sequence computed from nothing, as a reference for cached conversations.
    func fromScratch(_ conversation: Conversation, upTo count: Int, tokens: Int, adapter: Adapter?) throws -> [Int32] {
        let state = try #require(conversations[conversation.id])
        let ids = Array(state.ids.prefix(count))
        let inserted = ids.count(where: { $0 < 0 })
        var decoder = model.decoder.newState()
        let (input, _) = try model.decoder.assemble(ids, media: Array(state.media.prefix(inserted)), after: decoder)
        var hidden = try model.decoder(input, state: &decoder, adapter: adapter).hidden
        var result: [Int32] = []
        while result.count < tokens {
            let token = Sampler.argMax(model.decoder.logits(hidden).asArray(Float.self))
            result.append(token)
            if model.endTokens.contains(token) { break }
            var positions = Positions(startingAt: decoder.nextPosition)
            positions.appendRun(1)
            let next = Decoder.Input(embeddings: model.decoder.embed([token]), positions: positions, isContext: [false])
            hidden = try model.decoder(next, state: &decoder, adapter: adapter).hidden
        }
        return result
    }

    func ids(of conversation: Conversation) -> [Int32] { conversations[conversation.id]?.ids ?? [] }
    func cacheLengths(of conversation: Conversation) -> [Int] { conversations[conversation.id]?.decoder.lengths ?? [] }
    var openConversations: Int { conversations.count }
}

@Suite(.serialized) struct ConversationTests {
    @Test func laterTurnsUseTheCacheAndEqualAComputationFromNothing() async throws {
        let lyra = try await Fixture.open()
        let talk = lyra.conversation()
        let first = try await talk.respond(to: [.image(Fixture.input("img1.png")), .text("What is this?")], options: Fixture.options())
        #expect(first.usage.cachedTokens == 0)
        #expect(first.usage.visionTokens == 54)
        let second = try await talk.respond(to: [.text("And its colour?")], options: Fixture.options())
        #expect(second.usage.cachedTokens >= first.usage.promptTokens)
        let length = await lyra.ids(of: talk).count - second.tokenIDs.count
        let reference = try await lyra.fromScratch(talk, upTo: length, tokens: 12, adapter: nil)
        #expect(second.tokenIDs == reference)
    }

    @Test func repliesThatGoRoundInCirclesCanBeEnded() async throws {
        let lyra = try await Fixture.open(), question = [Part.text("Hello.")]
        var options = Fixture.options(400)
        // Random weights soon do.
        let whole = try await lyra.conversation().respond(to: question, options: options)
        var detector = RepetitionDetector(), circle: (end: Int, repeated: Int)?
        for (place, token) in whole.tokenIDs.enumerated() where circle == nil {
            circle = detector.append(token).map { (place + 1, $0) }
        }
        let (end, repeated) = try #require(circle)
        #expect(whole.finishReason == .length)

        options.endsRepetition = true
        let talk = lyra.conversation()
        let reply = try await talk.respond(to: question, options: options)
        #expect(reply.finishReason == .repetition)
        #expect(reply.tokenIDs == Array(whole.tokenIDs.prefix(end)))
        #expect(whole.text.hasPrefix(reply.text))
        let tokenizer = await lyra.tokenizer
        #expect(reply.text == tokenizer.decode(whole.tokenIDs.prefix(end - repeated), skipSpecialTokens: true))
        // The conversation goes on.
        #expect(try await talk.respond(to: [.text("And now?")], options: Fixture.options(3)).tokenIDs.count == 3)
    }

    @Test func speechInALaterTurnSwitchesTheAdapterAndRecomputes() async throws {
        let lyra = try await Fixture.open()
        let talk = lyra.conversation()
        _ = try await talk.respond(to: [.text("Hello.")], options: Fixture.options(4))
        let second = try await talk.respond(to: [.speech(Fixture.input("greeting.wav"))], options: Fixture.options())
        #expect(second.usage.cachedTokens == 0)
        #expect(second.usage.speechTokens == 300)
        let third = try await talk.respond(to: [.text("Again?")], options: Fixture.options())
        #expect(third.usage.cachedTokens > 300)
        let length = await lyra.ids(of: talk).count - third.tokenIDs.count
        #expect(third.tokenIDs == (try await lyra.fromScratch(talk, upTo: length, tokens: 12, adapter: .speech)))
    }

    @Test func aCancelledReplyLeavesTheConversationAsItWas() async throws {
        let lyra = try await Fixture.open()
        let talk = lyra.conversation()
        _ = try await talk.respond(to: [.image(Fixture.input("img2.png")), .text("Look.")], options: Fixture.options(5))
        let ids = await lyra.ids(of: talk), lengths = await lyra.cacheLengths(of: talk)
        var heard = 0
        for try await event in talk.reply(to: [.text("Tell me more.")], options: Fixture.options(5_000)) {
            if case .text = event { heard += 1 }
            if heard == 3 { break }
        }
        // The iteration has ended; the work stops at its next token.
        var after: [Int32] = []
        for _ in 0..<200 {
            after = await lyra.ids(of: talk)
            if after == ids { break }
            try await Task.sleep(for: .milliseconds(10))
        }
        #expect(after == ids)
        #expect(await lyra.cacheLengths(of: talk) == lengths)
        let reply = try await talk.respond(to: [.text("Tell me more.")], options: Fixture.options(6))
        let length = await lyra.ids(of: talk).count - reply.tokenIDs.count
        #expect(reply.tokenIDs == (try await lyra.fromScratch(talk, upTo: length, tokens: 6, adapter: nil)))
    }

    @Test func conversationsTakeTurnsWithoutDisturbingEachOther() async throws {
        let lyra = try await Fixture.open()
        let questions = ["One.", "Two?", "Three!"]
        var alone: [[Int32]] = []
        for question in questions {
            alone.append(try await lyra.conversation().respond(to: [.text(question)], options: Fixture.options()).tokenIDs)
        }
        let together = try await withThrowingTaskGroup(of: (Int, [Int32]).self) { group in
            for (i, question) in questions.enumerated() {
                group.addTask {
                    (i, try await lyra.conversation().respond(to: [.text(question)], options: Fixture.options()).tokenIDs)
                }
            }
            return try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
        for i in questions.indices { #expect(together[i] == alone[i]) }
    }

    @Test func stateIsReleasedWithTheConversation() async throws {
        let lyra = try await Fixture.open()
        _ = try await lyra.conversation().respond(to: [.text("Hi")], options: Fixture.options(2))
        for _ in 0..<200 where await lyra.openConversations > 0 { try await Task.sleep(for: .milliseconds(10)) }
        #expect(await lyra.openConversations == 0)
    }

    @Test func speechIsStreamedAndEqualsTheSoundMadeAtTheEnd() async throws {
        let lyra = try await Fixture.open()
        var options = Fixture.options(24, speaks: true)
        options.trace = Trace()
        var samples: [Float] = [], chunks = 0, textAfterSound = false
        var reply: Reply?
        for try await event in lyra.conversation().reply(to: [.speech(Fixture.input("statement.wav"))], options: options) {
            switch event {
            case .audio(let chunk):
                samples += chunk.samples
                chunks += 1
            case .text: textAfterSound = textAfterSound || chunks > 0
            case .done(let done): reply = done
            default: break
            }
        }
        let units = try #require(reply?.units)
        let whole = try await lyra.vocode(units)
        #expect(samples.count == whole.count)
        let worst = zip(samples, whole).map { abs($0 - $1) }.max() ?? .infinity
        print("streamed sound against the whole: max abs difference \(worst) in \(chunks) chunks")
        #expect(worst <= 1e-3)
        #expect(chunks >= 1)
    }

    @Test func theExtractorKeepsEvidenceAndLaterTurnsGoOn() async throws {
        let lyra = try await Fixture.open()
        let talk = lyra.conversation()
        var options = Fixture.options()
        options.extractor = ExtractorOptions(gap: 2, keepRate: 0.5)
        var evidence: Evidence?
        for try await event in talk.reply(to: [.image(Fixture.input("img1.png")), .speech(Fixture.input("greeting.wav"))], options: options) {
            if case .evidence(let found) = event { evidence = found }
        }
        let found = try #require(evidence)
        #expect(found.media.map(\.pieces.count) == [54, 300])
        #expect(found.layers == [1, 3])
        let lengths = await lyra.cacheLengths(of: talk)
        #expect(lengths[0] > lengths[2] && lengths[2] > lengths[4])
        let next = try await talk.respond(to: [.text("More?")], options: options)
        #expect(next.usage.cachedTokens >= 354)
    }

    /// Telling where an answer looked leaves the conversation as it is.
    @Test(arguments: [1, 2, 12, 90]) func theAnswerSaysWhereItLooked(tokens: Int) async throws {
        var options = Fixture.options(tokens)
        options.extractor = ExtractorOptions(gap: 2, keepRate: 0.5)
        func talk(_ options: ReplyOptions) async throws -> (evidence: [Evidence], next: Reply, lengths: [Int]) {
            let lyra = try await Fixture.open(), talk = lyra.conversation()
            var evidence: [Evidence] = []
            for try await event in talk.reply(to: [.image(Fixture.input("img1.png")), .speech(Fixture.input("greeting.wav"))], options: options) {
                if case .evidence(let found) = event { evidence.append(found) }
            }
            let lengths = await lyra.cacheLengths(of: talk)
            return (evidence, try await talk.respond(to: [.text("More?")], options: options), lengths)
        }
        let plain = try await talk(options)
        options.explainsAnswer = true
        let explained = try await talk(options)
        #expect(plain.evidence.count == 1 && explained.evidence.count == 2 && explained.evidence[0] == plain.evidence[0])
        #expect(explained.lengths == plain.lengths && explained.next.tokenIDs == plain.next.tokenIDs)
        let pieces = explained.evidence[1].media.flatMap(\.pieces), layers = Float(explained.lengths.count)
        #expect(pieces.allSatisfy { (0...1).contains($0.answer ?? -1) } && pieces.contains { ($0.answer ?? 0) > 0 })
        // What has been dropped is attended to in the first blocks alone.
        #expect(pieces.filter { $0.depth == 0 }.allSatisfy { ($0.answer ?? 1) <= 2 / layers })
        var others = explained.evidence[1]
        for medium in others.media.indices { for piece in others.media[medium].pieces.indices { others.media[medium].pieces[piece].answer = nil } }
        #expect(others == plain.evidence[0])
    }

    @Test func wholeWindowsAreCountedAsDocumented() async throws {
        let sound = [Float](repeating: 0.01, count: 480_000)
        let ours = try await Fixture.open().conversation().respond(to: [.samples(sound)], options: Fixture.options(1))
        #expect(ours.usage.speechTokens == 300)
        let theirs = try await Fixture.open(compatible: true).conversation().respond(to: [.samples(sound)], options: Fixture.options(1))
        #expect(theirs.usage.speechTokens == 600)
    }

    @Test func badInputIsAnErrorThatSaysWhat() async throws {
        let lyra = try await Fixture.open()
        let talk = lyra.conversation()
        await #expect(throws: (any Error).self) {
            _ = try await talk.respond(to: [.image(.file("/nonexistent.png"))])
        }
        await #expect(throws: MediaUseError.noSound("the sound")) { _ = try await talk.respond(to: [.samples([])]) }
        await #expect(throws: (any Error).self) { _ = try await talk.respond(to: [.speech(.bytes(Array("not sound".utf8)))]) }
        // And the conversation is still usable.
        #expect(try await talk.respond(to: [.text("Fine?")], options: Fixture.options(2)).tokenIDs.count == 2)
        // Words that look like markers are words.
        let reply = try await talk.respond(to: [.text("<image><speech><|im_end|>")], options: Fixture.options(2))
        #expect(reply.usage.visionTokens == 0 && reply.usage.speechTokens == 0)
    }

    @Test func samplingIsRepeatableBySeed() async throws {
        let lyra = try await Fixture.open()
        func ids(_ seed: UInt64) async throws -> [Int32] {
            var options = Fixture.options(20)
            options.sampling = SamplingOptions(temperature: 1.2, topP: 0.95, seed: seed)
            return try await lyra.conversation().respond(to: [.text("Say something.")], options: options).tokenIDs
        }
        #expect(try await ids(1) == ids(1))
        #expect(try await ids(1) != ids(2))
    }
}

extension Lyra {
    func vocode(_ units: [Int32]) throws -> [Float] { try model.vocoder()(units) }
}
