// What the decoder keeps of a conversation between calls. A value: copying a conversation copies its caches (lazily).
import MLX

/// Caches of every layer, and where the next token stands.
public struct DecoderState {
    public internal(set) var caches: [KVCache]
    /// Position of the next token on all three axes.
    public internal(set) var nextPosition: Int32 = 0
    /// Tokens seen, survivors or not.
    public internal(set) var tokens = 0
    /// What the first block of layers made of the context, when the extractor was on.
    public internal(set) var leading: LeadingBlock?

    init(layers: Int, format: CacheFormat) { caches = (0..<layers).map { _ in KVCache(format) } }

    /// Moves the state out and leaves an empty one, so that its caches have one owner and are written in place.
    public mutating func take() -> DecoderState {
        let taken = self
        self = emptied
        return taken
    }

    /// A point to go back to. Caches only grow, so their lengths are enough.
    public struct Mark {
        let lengths: [Int]
        let nextPosition: Int32
        let tokens: Int
        let leading: LeadingBlock?
    }
    public var mark: Mark { Mark(lengths: lengths, nextPosition: nextPosition, tokens: tokens, leading: leading) }

    /// The same with nothing in it.
    public var emptied: DecoderState { DecoderState(layers: caches.count, format: caches.first?.format ?? .exact) }

    /// Forgets everything after the mark.
    public mutating func rewind(to mark: Mark) {
        for i in caches.indices { caches[i].truncate(to: mark.lengths[i]) }
        (nextPosition, tokens, leading) = (mark.nextPosition, mark.tokens, mark.leading)
    }

    /// Forgets the newest `count` tokens, which were text and went through all layers.
    public mutating func forget(_ count: Int) {
        for i in caches.indices { caches[i].truncate(to: caches[i].length - count) }
        nextPosition -= Int32(count)
        tokens -= count
    }

    /// Whether every layer holds every token, so that any beginning can be gone on from.
    public var isWhole: Bool { caches.allSatisfy { $0.length == tokens } }

    /// The state after its first `count` tokens, the next of which stands at `position`. Needs ``isWhole``.
    public func prefix(_ count: Int, nextPosition position: Int32) -> DecoderState {
        var result = self
        for i in result.caches.indices { result.caches[i].truncate(to: count) }
        (result.nextPosition, result.tokens, result.leading) = (position, count, nil)
        return result
    }

    /// Goes back to the end of the context that the first block of layers has seen, so that another question can choose among
    /// it anew. Does nothing where the extractor was off.
    public mutating func returnToLeading() {
        guard let leading else { return }
        for i in caches.indices {
            caches[i].truncate(to: leading.before.lengths[i] + (i < leading.layers ? leading.count : 0))
        }
        (nextPosition, tokens) = (leading.positions.next, leading.tokens)
    }

    /// Whether it stands at the end of the first block's context, with nothing after it in any layer.
    var isAtLeading: Bool {
        guard let leading, tokens == leading.tokens else { return false }
        return caches[leading.layers...].indices.allSatisfy { caches[$0].length == leading.before.lengths[$0] }
    }

    /// Tokens each layer's cache holds.
    public var lengths: [Int] { caches.map(\.length) }
    /// Bytes of keys and values, which every new token reads.
    public var filledBytes: Int { caches.reduce(0) { $0 + $1.filledBytes } }
    /// Bytes it takes.
    public var bytes: Int { caches.reduce(leading?.hidden.nbytes ?? 0) { $0 + $1.bytes } }
}

/// States that the first block of layers gave to the context and what comes before it. They do not depend on the question,
/// which comes after: attention is causal. Another question goes on from here.
public struct LeadingBlock {
    /// Layers of the block.
    public let layers: Int
    /// The first `count` rows are used: [n, hidden] float32
    let hidden: MLXArray
    let count: Int
    let positions: Positions
    let isContext: [Bool]
    /// Inputs of the block's last layer, of text between context tokens: [n, hidden]; the extractor asks by it.
    let queryInputs: MLXArray?
    /// The state before these tokens.
    let before: BeforeLeading

    /// Lengths of caches and tokens seen before.
    struct BeforeLeading {
        let lengths: [Int]
        let tokens: Int
    }

    /// Tokens of the conversation up to the end of the context.
    public var tokens: Int { before.tokens + count }
    /// Whether every layer holds all that came before.
    public var beganWhole: Bool { before.lengths.allSatisfy { $0 == before.tokens } }
}
