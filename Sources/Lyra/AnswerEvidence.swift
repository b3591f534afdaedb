// What the answer rests on: where its own tokens looked, after they are there.
import LyraModel

extension TurnRun {
    /// Tokens that go through the model at a time.
    private static let chunk = 64

    /// Sends the evidence again, with what the answer attended to. The answer, and the prompt's last token, which predicts its first,
    /// go through the model once more; the state is the same afterwards.
    mutating func explainAnswer(_ state: inout ConversationState) {
        guard let prompt = readPrompt, let last = state.ids.dropLast(generated.count).last else { return }
        let asked = [last] + generated.dropLast()
        state.decoder.forget(asked.count)
        let (lengths, spoken) = (state.decoder.lengths, state.decoder.tokens)
        var most = lengths.map { [Float](repeating: 0, count: $0) }
        for start in stride(from: 0, to: asked.count, by: Self.chunk) {
            let chunk = Array(asked[start..<min(asked.count, start + Self.chunk)])
            var positions = Positions(startingAt: state.decoder.nextPosition)
            positions.appendRun(chunk.count)
            let input = Decoder.Input(
                embeddings: model.decoder.embed(chunk), positions: positions, isContext: Array(repeating: false, count: chunk.count))
            let attention = model.decoder.attention(of: input, state: &state.decoder, adapter: adapter)
            for (layer, values) in attention.enumerated() { for i in most[layer].indices { most[layer][i] = max(most[layer][i], values[i]) } }
        }
        // Which token a row is: all of them in the first block, then the survivors, which end with the same token.
        var answer = [Float](repeating: 0, count: spoken)
        for (layer, values) in most.enumerated() {
            let tokens = prompt.extractions.last { $0.layer < layer }?.survivors.dropLast() ?? ArraySlice((0..<Int32(spoken)))
            for (token, value) in zip(tokens.reversed(), values.reversed()) { answer[Int(token)] += value / Float(most.count) }
        }
        var evidence = prompt.evidence
        for (medium, span) in prompt.spans.enumerated() {
            for (piece, token) in span.range.enumerated() { evidence.media[medium].pieces[piece].answer = answer[token] }
        }
        send(.evidence(evidence))
    }
}

/// What the extractor did with a prompt.
struct ReadPrompt {
    var evidence: Evidence
    /// Where the evidence's media lie among the tokens.
    var spans: [MediumSpan]
    var extractions: [Extraction]
}
