// Text to speech: the text is fed to the model as if it were its answer, and the states it leaves drive the speech generator.
import Foundation
import LyraModel
import LyraText
import MLX

extension Lyra {
    /// Speaks a text of any length, sentence by sentence.
    ///
    /// - Returns: sound as it is ready. Ending the iteration early, or cancelling its task, stops the work.
    /// - Throws (in the stream): `MissingPartError` if the checkpoint cannot speak.
    public nonisolated func speak(_ text: String) -> AsyncThrowingStream<AudioChunk, any Error> {
        AsyncThrowingStream { continuation in
            let task = Task {
                do {
                    for piece in SpokenText.pieces(text) {
                        let prompt = ChatMessage(.user, [.text("Say this: \(piece)")])
                        try await self.speak(piece, after: prompt) { continuation.yield($0) }
                    }
                    continuation.finish()
                } catch {
                    continuation.finish(throwing: error)
                }
            }
            continuation.onTermination = { _ in task.cancel() }
        }
    }

    private func speak(_ text: String, after message: ChatMessage, send: @Sendable (AudioChunk) -> Void) async throws {
        let prompt = try ChatTemplate().encode([message], with: tokenizer).ids
        let answer = tokenizer.encode(text, allowSpecial: false) + [try tokenizer.special("<|im_end|>")]
        try await speak(answer, after: prompt, send: send)
    }

    /// Speaks an answer as a reply with these tokens would. The state that predicts each of them, the end token too, is voiced.
    /// - Returns: its speech units.
    @discardableResult
    func speak(_ answer: [Int32], after prompt: [Int32], send: @Sendable (AudioChunk) -> Void) async throws -> [Int32] {
        var voice = try Voice(model, trace: nil)
        var state = model.decoder.newState()
        func emit(_ samples: [Float]) {
            if !samples.isEmpty { send(AudioChunk(samples: samples, sampleRate: voice.sampleRate)) }
        }
        let (input, _) = try model.decoder.assemble(prompt, media: [], after: state)
        let first = try model.decoder(input, state: &state) { _ in try Task.checkCancellation() }
        emit(try voice.append(first.hidden))
        var rest = answer.dropLast()[...]
        while !rest.isEmpty {
            // Others get their turn between pieces, which are small so that sound starts soon.
            await Task.yield()
            try Task.checkCancellation()
            let (input, _) = try model.decoder.assemble(Array(rest.prefix(8)), media: [], after: state)
            rest = rest.dropFirst(8)
            emit(try voice.append(try model.decoder(input, state: &state, allRows: true).hidden))
        }
        emit(voice.finish())
        return voice.units
    }
}

/// Cutting a text into pieces that are spoken one by one.
enum SpokenText {
    /// Longest piece in characters: about half a minute of speech.
    static let limit = 400

    /// Whole sentences, short ones together; what is longer than the limit is cut at spaces.
    static func pieces(_ text: String) -> [String] {
        var pieces: [String] = [], current = ""
        func flush() {
            let piece = current.trimmingCharacters(in: .whitespacesAndNewlines)
            if !piece.isEmpty { pieces.append(piece) }
            current = ""
        }
        for sentence in sentences(text) {
            if current.count + sentence.count > limit { flush() }
            for word in sentence.split(separator: " ", omittingEmptySubsequences: false) {
                if current.count + word.count > limit { flush() }
                // A "word" without spaces can be of any length.
                var word = word
                while word.count > limit {
                    current = String(word.prefix(limit))
                    flush()
                    word = word.dropFirst(limit)
                }
                current += (current.last?.isWhitespace ?? true ? "" : " ") + word
            }
            // The first sentence alone, so that sound starts early.
            if pieces.isEmpty || current.count > limit / 2 { flush() }
        }
        flush()
        return pieces
    }

    private static func sentences(_ text: String) -> [String] {
        var sentences: [String] = [], current = ""
        for character in text {
            current.append(character)
            if character.isNewline || (character.isWhitespace && current.dropLast().last.map(".!?。！？…".contains) == true) {
                sentences.append(current)
                current = ""
            }
        }
        return sentences + [current]
    }
}
