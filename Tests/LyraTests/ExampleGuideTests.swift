// The code of docs/api.md and its sister pages, run against a tiny random checkpoint. ReadmeTests checks that the pages
// show these very lines.
import Foundation
import Lyra
import LyraMedia
import LyraModel
import Synchronization
import Testing

@Suite(.serialized) struct ExampleGuideTests {
    /// A tiny random checkpoint in a folder of its own.
    private func withModel(_ body: (String) async throws -> Void) async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("lyra-guide-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try RandomCheckpoint.write(preset: .tiny, seed: 1, to: folder)
        try await body(folder)
    }

    private let picture = ReadmeTests.root.path + "/examples/picture.png"
    private let spoken = ReadmeTests.root.path + "/examples/question.wav"

    /// What the snippets show and play.
    private final class Record: Sendable {
        let lines = Mutex<[String]>([])
        let samples = Mutex(0)
    }
    private let record = Record()
    private func show(_ text: String) { record.lines.withLock { $0.append(text) } }
    private func note(_ text: String) { record.lines.withLock { $0.append(text) } }
    private func play(_ samples: [Float], _ rate: Int) {
        #expect(rate == 16_000)
        record.samples.withLock { $0 += samples.count }
    }

    @Test func guide() async throws {
        try await withModel { model in
            var options = ReplyOptions()
            options.maximumTokens = 64
            options.sampling = SamplingOptions(temperature: 0.7, topK: 40, topP: 0.9, seed: 7)
            options.speaks = true
            options.extractor = ExtractorOptions(gap: 2, keepRate: 0.5)
            options.adapter = .automatic

            options.maximumTokens = 6  // a tiny model has nothing to say
            let cache = model + "/cache"
            var lyraOptions = LyraOptions()
            lyraOptions.precision = .bf16
            lyraOptions.cacheFolder = cache            // encoded speech, on disk
            lyraOptions.keptContextBytes = 2 << 30     // caches of conversations that have ended
            _ = try await Lyra.open(model, options: lyraOptions)
            #expect(FileManager.default.fileExists(atPath: cache))

            let lyra = try await Lyra.open(model)
            let conversation = lyra.conversation()
            let question: [Part] = [.image(.file(picture)), .speech(.file(spoken))]
            for try await event in conversation.reply(to: question, options: options) {
                switch event {
                case .progress(let stage, let share): note("\(stage.rawValue) \(Int(share * 100)) %")
                case .text(let delta): show(delta)
                case .audio(let chunk): play(chunk.samples, chunk.sampleRate)
                case .evidence(let evidence): note("\(evidence.media.count) media were extracted")
                case .done(let reply): note("\(reply.usage.completionTokens) tokens, \(reply.finishReason.rawValue)")
                }
            }
            #expect(record.samples.withLock { $0 } > 0)
            #expect(record.lines.withLock { $0 }.contains("2 media were extracted"))

            let reply = try await conversation.respond(to: [.text("And what is next to it?")], options: options)
            show(reply.text)
            #expect(reply.usage.cachedTokens > 700)

            try await conversation.add([.text("My name is Ada.")], answer: "Hello, Ada.")

            let silence = [Float](repeating: 0, count: 16_000)
            var sound: [Float] = []
            for try await event in conversation.reply(to: [.samples(silence), .text("What do you hear?")], options: options) {
                if case .audio(let chunk) = event { sound += chunk.samples }
            }
            #expect(!sound.isEmpty)

            for try await event in conversation.reply(to: [.text("Tell me a long story.")]) {
                if case .text = event { break }
            }

            do {
                _ = try await conversation.respond(to: [.image(.file("no-such-picture.png"))])
            } catch {
                note(error.localizedDescription)
            }
            #expect(record.lines.withLock { $0.last }?.contains("no-such-picture.png") == true)

            let trace = Trace()
            options.trace = trace
            _ = try await conversation.respond(to: [.text("Hello")], options: options)
            note(trace.names.joined(separator: " "))
            #expect(trace.names.contains("logits"))
        }
    }

    @Test func otherPages() async throws {
        try await withModel { model in
            let conversation = try await Lyra.open(model).conversation()
            let parts: [Part] = [.image(.file(picture)), .text("What is it?")]
            var options = ReplyOptions()
            options.extractor = ExtractorOptions(gap: 7, keepRate: 0.7)
            options.extractor = ExtractorOptions(gap: 2, keepRate: 0.5)  // of four layers
            options.maximumTokens = 4
            for try await event in conversation.reply(to: parts, options: options) {
                if case .evidence(let evidence) = event {
                    for medium in evidence.media { print(medium.kind, medium.keptShare) }
                }
            }
            options.speaks = true
            for try await event in conversation.reply(to: parts, options: options) {
                if case .audio(let chunk) = event { play(chunk.samples, chunk.sampleRate) }
            }
        }
    }
}
