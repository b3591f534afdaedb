// Token ids with placeholders plus encoded media -> embeddings, positions and context marks of one run of tokens.
import Foundation
import MLX

/// Ids that stand for media in prompts; not vocabulary tokens. The tokenizer writes the same.
enum Marker {
    static let image: Int32 = -200
    static let speech: Int32 = -500
}

/// Tokens of one encoded medium, ready to stand in for its placeholder.
public enum EncodedMedium {
    /// tokens: [n, hidden] float32; grid after merging.
    case vision(tokens: MLXArray, grid: PatchGrid)
    /// tokens: [n, hidden] float32.
    case speech(tokens: MLXArray)

    var tokens: MLXArray {
        switch self {
        case .vision(let tokens, _), .speech(let tokens): tokens
        }
    }

    /// Tokens it stands for.
    public var count: Int { tokens.dim(0) }
    /// Bytes they take.
    public var tokenBytes: Int { tokens.nbytes }
    /// How far positions advance over it.
    public var positionSpan: Int32 {
        switch self {
        case .vision(_, let grid): Int32(max(grid.time, grid.height, grid.width))
        case .speech(let tokens): Int32(tokens.dim(0))
        }
    }
}

/// A prompt that does not match its media or the vocabulary.
public enum PromptError: Error, LocalizedError, Equatable {
    case mediaMismatch(placeholder: Int32, placeholders: Int, media: Int)
    case tokenOutOfRange(Int32, vocabulary: Int)
    case empty

    public var errorDescription: String? {
        switch self {
        case .mediaMismatch(let placeholder, let placeholders, let media):
            "the prompt has \(placeholders) \(placeholder == Marker.image ? "image" : "speech") placeholders for \(media) media"
        case .tokenOutOfRange(let id, let vocabulary): "token id \(id) is outside the vocabulary of \(vocabulary)"
        case .empty: "the prompt is empty"
        }
    }
}

/// Where one medium's tokens stand in the sequence.
public struct MediumSpan: Sendable, Equatable {
    public enum Kind: String, Sendable, Codable { case vision, speech }
    public var kind: Kind
    /// Index among the media of its kind, in prompt order.
    public var index: Int
    /// Token indices in the conversation.
    public var range: Range<Int>

    public init(kind: Kind, index: Int, range: Range<Int>) { (self.kind, self.index, self.range) = (kind, index, range) }
}

extension Decoder {
    /// Replaces each placeholder by its medium's tokens.
    ///
    /// - Parameters:
    ///   - ids: token ids with placeholder ids (image -200, speech -500) among them.
    ///   - media: encoded media in the order of their placeholders.
    ///   - state: what came before; positions and span indices go on from there.
    public func assemble(_ ids: [Int32], media: [EncodedMedium], after state: DecoderState) throws -> (input: Input, spans: [MediumSpan]) {
        guard !ids.isEmpty else { throw PromptError.empty }
        var images = media.filter { if case .vision = $0 { true } else { false } }[...]
        var speeches = media.filter { if case .speech = $0 { true } else { false } }[...]
        for (id, count) in [(Marker.image, images.count), (Marker.speech, speeches.count)] {
            let placeholders = ids.count(where: { $0 == id })
            guard placeholders == count else {
                throw PromptError.mediaMismatch(placeholder: id, placeholders: placeholders, media: count)
            }
        }
        var parts: [MLXArray] = [], isContext: [Bool] = [], spans: [MediumSpan] = []
        var positions = Positions(startingAt: state.nextPosition)
        var run: [Int32] = [], counts: [MediumSpan.Kind: Int] = [:]
        func flush() {
            guard !run.isEmpty else { return }
            parts.append(embed(run))
            positions.appendRun(run.count)
            isContext += Array(repeating: false, count: run.count)
            run = []
        }
        for id in ids {
            guard id == Marker.image || id == Marker.speech else {
                guard id >= 0, id < Int32(configuration.vocabularySize) else {
                    throw PromptError.tokenOutOfRange(id, vocabulary: configuration.vocabularySize)
                }
                run.append(id)
                continue
            }
            flush()
            guard let medium = id == Marker.image ? images.popFirst() : speeches.popFirst() else { continue }
            let count = medium.tokens.dim(0), start = state.tokens + positions.count
            parts.append(medium.tokens)
            isContext += Array(repeating: true, count: count)
            let kind: MediumSpan.Kind
            switch medium {
            case .vision(_, let grid):
                positions.appendGrid(grid)
                kind = .vision
            case .speech:
                positions.appendRun(count)
                kind = .speech
            }
            spans.append(MediumSpan(kind: kind, index: counts[kind, default: 0], range: start..<(start + count)))
            counts[kind, default: 0] += 1
        }
        flush()
        let embeddings = parts.count == 1 ? parts[0] : concatenated(parts, axis: 0)
        return (Input(embeddings: embeddings, positions: positions, isContext: isContext), spans)
    }
}
