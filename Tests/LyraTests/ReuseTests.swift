// What is computed once and used again: encoded speech, caches of contexts, weights read for several conversations at once.
// Whatever is reused, replies are those of a computation from nothing.
import Foundation
@testable import Lyra
import LyraMedia
@testable import LyraModel
import MLX
import Testing

@Suite(.serialized) struct ReuseTests {
    private func folder() -> String { NSTemporaryDirectory() + "lyra-reuse-\(UUID().uuidString)" }

    private func open(cache: String? = nil, cacheBytes: Int = 1 << 30, contexts: Int = 1 << 28) async throws -> Lyra {
        var options = LyraOptions()
        options.precision = .f32
        options.cacheFolder = cache
        options.cacheBytes = cacheBytes
        options.keptContextBytes = contexts
        return try await Lyra.open(Fixture.pack + "/work_dirs/Lyra_Small_tiny", options: options)
    }

    /// 70 s: three windows that differ.
    private static let recording: [Float] = (0..<(16_000 * 70)).map { i in
        let t = Float(i) / 16_000
        return 0.3 * sin(t * (300 + 40 * (t / 7).rounded(.down)) * 2 * .pi)
    }

    private func files(_ folder: String) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
    }

    // MARK: Owners

    @Test func ownersShareNothing() async throws {
        let lyra = try await open()
        let question: [Part] = [.samples(Self.recording), .text("What is repeated?")]
        func ask(_ conversation: Conversation) async throws -> Reply {
            try await conversation.respond(to: question, options: Fixture.options())
        }
        let first = lyra.conversation(owner: "first"), same = lyra.conversation(owner: "first"), other = lyra.conversation(owner: "other")
        let reply = try await ask(first), stranger = try await ask(other), again = try await ask(same)
        #expect(stranger.usage.cachedTokens == 0 && stranger.usage.knownSpeechWindows == 0)
        #expect(again.usage.cachedTokens > 0 && again.usage.knownSpeechWindows == 3)
        // Media are counted wherever their tokens come from.
        #expect(again.usage.speechTokens == reply.usage.speechTokens && reply.usage.speechTokens == stranger.usage.speechTokens)
        #expect(stranger.tokenIDs == reply.tokenIDs && again.tokenIDs == reply.tokenIDs)
    }

    // MARK: Encoded speech

    @Test func encodedSpeechIsReadFromTheFolder() async throws {
        let folder = folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let question: [Part] = [.samples(Self.recording), .text("What is repeated?")]
        let plain = try await open().conversation().respond(to: question, options: Fixture.options())
        let first = try await open(cache: folder).conversation().respond(to: question, options: Fixture.options())
        #expect((first.usage.speechWindows, first.usage.knownSpeechWindows) == (3, 0))
        #expect(files(folder).count == 3)
        let second = try await open(cache: folder).conversation().respond(to: question, options: Fixture.options())
        #expect((second.usage.speechWindows, second.usage.knownSpeechWindows) == (3, 3))
        #expect(first.tokenIDs == plain.tokenIDs)
        #expect(second.tokenIDs == plain.tokenIDs)
        // A longer recording shares the windows it begins with.
        let longer = try await open(cache: folder).conversation().respond(
            to: [.samples(Array(Self.recording[..<(16_000 * 60)]) + Self.recording), .text("And now?")], options: Fixture.options(2))
        #expect((longer.usage.speechWindows, longer.usage.knownSpeechWindows) == (5, 5))
    }

    @Test func damagedWindowsAreEncodedAndWrittenAnew() async throws {
        let folder = folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let question: [Part] = [.samples(Self.recording), .text("What is repeated?")]
        let first = try await open(cache: folder).conversation().respond(to: question, options: Fixture.options())
        let paths = files(folder).map { "\(folder)/\($0)" }
        let whole = try paths.map { try Data(contentsOf: URL(fileURLWithPath: $0)) }
        var flipped = whole[0]
        flipped[flipped.count - 7] ^= 4
        try flipped.write(to: URL(fileURLWithPath: paths[0]))
        try whole[1].prefix(1_000).write(to: URL(fileURLWithPath: paths[1]))
        try whole[0].write(to: URL(fileURLWithPath: paths[2]))  // another window's content
        let second = try await open(cache: folder).conversation().respond(to: question, options: Fixture.options())
        #expect(second.usage.knownSpeechWindows == 0)
        #expect(second.tokenIDs == first.tokenIDs)
        #expect(try paths.map { try Data(contentsOf: URL(fileURLWithPath: $0)) } == whole)
    }

    @Test func theFolderStaysWithinItsSize() async throws {
        let folder = folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let question: [Part] = [.samples(Self.recording)]
        _ = try await open(cache: folder).conversation().respond(to: question, options: Fixture.options(1))
        let path = "\(folder)/\(try #require(files(folder).first))"
        let size = try #require(try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int)
        let limit = size * 5 / 2
        let other = Self.recording.map { -$0 }
        _ = try await open(cache: folder, cacheBytes: limit).conversation().respond(to: [.samples(other)], options: Fixture.options(1))
        #expect(files(folder).count <= 2)
        let again = try await open(cache: folder, cacheBytes: limit).conversation().respond(to: [.samples(other)], options: Fixture.options(1))
        #expect(again.usage.knownSpeechWindows == 2)  // the newest two are there
    }

    @Test func aFolderThatCannotBeUsedIsAnError() async throws {
        await #expect(throws: SpeechCacheError.self) { _ = try await open(cache: "/proc/nowhere/cache") }
        await #expect(throws: SpeechCacheError.self) { _ = try await open(cache: Fixture.pack + "/expected.json") }
    }

    @Test func digestsAreThoseOfTheStandard() {
        func hex(_ text: String) -> String {
            var digest = SHA256()
            digest.update(text)
            return digest.hex()
        }
        #expect(hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        #expect(hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        let long = "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu"
        #expect(hex(long) == "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1")
        var pieces = SHA256()
        for _ in 0..<10_000 { pieces.update(String(repeating: "a", count: 100)) }
        #expect(pieces.hex() == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
    }

    // MARK: Contexts

    @Test(arguments: [false, true]) func aNewConversationGoesOnFromTheSameRecording(firstIsOver: Bool) async throws {
        let lyra = try await open()
        var first: Conversation? = lyra.conversation()
        _ = try await first?.respond(to: [.samples(Self.recording), .text("What is repeated?")], options: Fixture.options(8))
        if firstIsOver {
            first = nil
            for _ in 0..<500 where await lyra.openConversations > 0 { try await Task.sleep(for: .milliseconds(5)) }
        }
        let question: [Part] = [.samples(Self.recording), .text("How long is it?")]
        let second = try await lyra.conversation().respond(to: question, options: Fixture.options())
        #expect(second.usage.cachedTokens >= 900)
        #expect(second.usage.knownSpeechWindows == 3)
        let alone = try await open(contexts: 0).conversation().respond(to: question, options: Fixture.options())
        #expect(alone.usage.cachedTokens == 0)
        #expect(second.tokenIDs == alone.tokenIDs)
        // What differs within the recording shares only what comes before.
        var other = Self.recording
        other[16_000 * 40] += 0.1
        let third = try await lyra.conversation().respond(to: [.samples(other), .text("How long is it?")], options: Fixture.options(2))
        #expect(third.usage.cachedTokens == 0)
        #expect(third.usage.knownSpeechWindows == 2)
        withExtendedLifetime(first) {}
    }

    @Test func picturesAreNotEncodedTwice() async throws {
        let lyra = try await open()
        let question: [Part] = [.image(Fixture.input("img1.png")), .text("What is this?")]
        let talk = lyra.conversation()
        let first = try await talk.respond(to: question, options: Fixture.options())
        let second = try await lyra.conversation().respond(to: question, options: Fixture.options())
        #expect(second.usage.cachedTokens >= 60)
        #expect(second.tokenIDs == first.tokenIDs)
        let other = try await lyra.conversation().respond(
            to: [.image(Fixture.input("img2.png")), .text("What is this?")], options: Fixture.options())
        #expect(other.usage.cachedTokens == 0)
    }

    @Test func withTheExtractorTheFirstBlockIsShared() async throws {
        var options = Fixture.options()
        options.extractor = ExtractorOptions(gap: 2, keepRate: 0.5)
        let lyra = try await open()
        let talk = lyra.conversation()
        let first = try await talk.respond(to: [.samples(Self.recording), .text("What is repeated?")], options: options)
        let question: [Part] = [.samples(Self.recording), .text("How long is it, and why?")]
        let second = try await lyra.conversation().respond(to: question, options: options)
        #expect(first.usage.cachedTokens == 0)
        #expect(second.usage.cachedTokens >= 900)
        let alone = try await open(contexts: 0).conversation().respond(to: question, options: options)
        #expect(second.tokenIDs == alone.tokenIDs)

        // The next turn sees what the first question left, or chooses anew.
        var evidence: [Evidence] = []
        func ask(_ conversation: Conversation, anew: Bool) async throws -> Reply {
            var options = options
            options.choosesAnew = anew
            for try await event in conversation.reply(to: [.text("And what is quiet?")], options: options) {
                if case .evidence(let found) = event { evidence.append(found) }
                if case .done(let reply) = event { return reply }
            }
            throw CancellationError()
        }
        let kept = try await ask(talk, anew: false)
        #expect(evidence.isEmpty)
        #expect(kept.usage.cachedTokens > first.usage.promptTokens)
        let lengths = await lyra.cacheLengths(of: talk)
        let anew = try await ask(talk, anew: true)
        #expect(evidence.count == 1)
        #expect(evidence.first?.media.first?.pieces.count == 900)
        #expect(anew.usage.cachedTokens >= 900 && anew.usage.cachedTokens < first.usage.promptTokens)
        let after = await lyra.cacheLengths(of: talk)
        #expect(after[0] > lengths[0] && after[5] < after[0])
        // The same conversation read from nothing, the extractor asking by all of its text.
        let reference = try await lyra.extractedFromScratch(talk, tokens: 12, dropping: anew.tokenIDs.count, options.extractor)
        #expect(anew.tokenIDs == reference)
    }

    @Test func aFailedNewChoiceLeavesAUsableConversation() async throws {
        var options = Fixture.options(40)
        options.extractor = ExtractorOptions(gap: 2, keepRate: 0.5)
        let lyra = try await open()
        let talk = lyra.conversation()
        _ = try await talk.respond(to: [.samples(Self.recording), .text("What is repeated?")], options: options)
        options.choosesAnew = true
        let ids = await lyra.ids(of: talk)
        for try await event in talk.reply(to: [.text("Tell me more.")], options: options) {
            if case .progress(.prefill, 1) = event { break }
        }
        for _ in 0..<500 where await lyra.ids(of: talk) != ids { try await Task.sleep(for: .milliseconds(5)) }
        #expect(await lyra.ids(of: talk) == ids)
        let reply = try await talk.respond(to: [.text("Tell me more.")], options: options)
        let reference = try await lyra.extractedFromScratch(talk, tokens: 40, dropping: reply.tokenIDs.count, options.extractor)
        #expect(reply.tokenIDs == reference)
    }

    // MARK: Several tokens at once

    @Test func guessedTokensChangeNothing() async throws {
        let lyra = try await open(contexts: 0)
        var guessed = 0
        for text in ["One two three one two three one two", "Say it again and again and again.", "Which is larger, 7 or 12?"] {
            for temperature: Float in [0, 0.7] {
                var options = Fixture.options(60)
                options.sampling = SamplingOptions(temperature: temperature, topP: 0.9, seed: 5)
                options.guessesAhead = false
                let plain = lyra.conversation(), ahead = lyra.conversation()
                let one = try await plain.respond(to: [.text(text)], options: options)
                options.guessesAhead = true
                // Right up to its middle, then not.
                options.prediction = String(one.text.prefix(one.text.count / 2)) + " no " + one.text
                let many = try await ahead.respond(to: [.text(text)], options: options)
                #expect(many.tokenIDs == one.tokenIDs)
                #expect(await lyra.cacheLengths(of: ahead) == lyra.cacheLengths(of: plain))
                guessed += many.usage.guessedTokens
                options.prediction = nil
                let follow = try await ahead.respond(to: [.text("Go on.")], options: options)
                #expect(follow.tokenIDs == (try await plain.respond(to: [.text("Go on.")], options: options)).tokenIDs)
            }
        }
        print("tokens guessed right: \(guessed)")
        #expect(guessed > 10)
    }

    @Test func conversationsShareOnePassAndAnswerAsAlone() async throws {
        let lyra = try await open(contexts: 0)
        let questions: [[Part]] = [
            [.text("One.")], [.text("Two, and what comes after it?")], [.image(Fixture.input("img1.png")), .text("What is this?")],
            [.samples(Array(Self.recording[..<48_000]))], [.text("Three three three three!")],
        ]
        var alone: [[Int32]] = []
        for question in questions {
            alone.append(try await lyra.conversation().respond(to: question, options: Fixture.options(24)).tokenIDs)
        }
        #expect(await lyra.largestPass == 1)
        let together = try await withThrowingTaskGroup(of: (Int, [Int32]).self) { group in
            for (i, question) in questions.enumerated() {
                group.addTask { (i, try await lyra.conversation().respond(to: question, options: Fixture.options(24)).tokenIDs) }
            }
            var results = [[Int32]](repeating: [], count: questions.count)
            for try await (i, ids) in group { results[i] = ids }
            return results
        }
        #expect(together == alone)
        print("conversations in one pass: \(await lyra.largestPass)")
        #expect(await lyra.largestPass >= 3)
    }
}

extension Lyra {
    /// Greedy tokens after all but the newest `dropping` ids, with the extractor, from nothing.
    func extractedFromScratch(
        _ conversation: Conversation, tokens: Int, dropping: Int, _ extractor: ExtractorOptions?
    ) throws -> [Int32] {
        let state = try #require(conversations[conversation.id])
        let ids = Array(state.ids.dropLast(dropping))
        var decoder = model.decoder.newState()
        let (input, _) = try model.decoder.assemble(ids, media: state.media, after: decoder)
        var hidden = try model.decoder(input, state: &decoder, adapter: state.adapter, extractor: extractor).hidden
        var result: [Int32] = []
        while result.count < tokens {
            let token = Sampler.argMax(model.decoder.logits(hidden).asArray(Float.self))
            result.append(token)
            if model.endTokens.contains(token) { break }
            var positions = Positions(startingAt: decoder.nextPosition)
            positions.appendRun(1)
            let next = Decoder.Input(embeddings: model.decoder.embed([token]), positions: positions, isContext: [false])
            hidden = try model.decoder(next, state: &decoder, adapter: state.adapter).hidden
        }
        return result
    }
}
