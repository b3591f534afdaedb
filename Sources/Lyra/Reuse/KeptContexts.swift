// Conversations that begin alike share what was computed for the beginning: the same recording, asked about again.
import LyraModel
import MLX

/// What is known about one medium of a conversation beside its tokens.
struct MediumFacts {
    /// Names what the encoder was given.
    var digest: String
    /// Speech: digests of its windows, and the projector its tokens were made by.
    var windows: [String] = []
    var projector: Adapter?
    /// Seconds of sound.
    var seconds = 0.0
}

/// Contexts of conversations that have ended, least recently used first.
struct KeptContexts {
    /// Most bytes kept.
    let limit: Int
    private(set) var states: [ConversationState] = []

    init(limit: Int) { self.limit = limit }

    mutating func keep(_ state: ConversationState) {
        guard state.cached > 0, state.bytes <= limit else { return }
        states.append(state)
        while states.reduce(0, { $0 + $1.bytes }) > limit { states.removeFirst() }
    }

    mutating func use(_ index: Int) { states.append(states.remove(at: index)) }
}

extension ConversationState {
    /// Memory it takes: caches and media.
    var bytes: Int { media.reduce(decoder.bytes) { $0 + $1.tokenBytes } }

    /// Tokens that the first `count` ids stand for, and the position of the next.
    func extent(_ count: Int) -> (tokens: Int, position: Int32) {
        var tokens = 0, position: Int32 = 0, next = 0
        for id in ids.prefix(count) {
            guard id < 0, next < media.count else {
                (tokens, position) = (tokens + 1, position + 1)
                continue
            }
            tokens += media[next].count
            position += media[next].positionSpan
            next += 1
        }
        return (tokens, position)
    }

    /// How many ids the first `tokens` tokens stand for.
    func idCount(tokens: Int) -> Int {
        var seen = 0, next = 0
        for (index, id) in ids.enumerated() {
            if seen >= tokens { return index }
            if id < 0, next < media.count {
                seen += media[next].count
                next += 1
            } else {
                seen += 1
            }
        }
        return ids.count
    }

    /// How many ids at the beginning are the same, media compared by what the encoder was given and what it made of it.
    private func sharedIDs(with other: ConversationState) -> Int {
        var next = 0
        for (index, (a, b)) in zip(ids, other.ids).enumerated() {
            guard a == b else { return index }
            guard a < 0 else { continue }
            guard next < facts.count, next < other.facts.count, facts[next].digest == other.facts[next].digest,
                facts[next].projector == other.facts[next].projector
            else { return index }
            next += 1
        }
        return min(ids.count, other.ids.count)
    }

    /// The longest beginning of this conversation that `donor`'s caches cover and that can be gone on from.
    ///
    /// Caches that hold every token in every layer can be cut anywhere; with an extractor to come only before the context, since
    /// it has to choose among all of it. Where a donor's extractor has dropped tokens, what its first block of layers made of the
    /// context is the same for every question.
    func beginning(from donor: ConversationState, extractor: ExtractorOptions?, layers: Int) -> (ids: Int, decoder: DecoderState)? {
        guard donor.adapter == adapter, !donor.isBusy else { return nil }
        let shared = min(sharedIDs(with: donor), donor.cached, ids.count - 1)
        if let leading = donor.decoder.leading, extractor == nil || extractor?.firstBoundary(layers: layers) == leading.layers {
            let covered = donor.idCount(tokens: leading.tokens)
            if covered <= shared, leading.beganWhole {
                var decoder = donor.decoder
                decoder.returnToLeading()
                return (covered, decoder)
            }
        }
        guard donor.decoder.isWhole else { return nil }
        let usable = extractor == nil ? shared : ids.prefix(shared).firstIndex { $0 < 0 } ?? shared
        let (tokens, position) = extent(usable)
        return (usable, donor.decoder.prefix(tokens, nextPosition: position))
    }
}

extension Lyra {
    /// Beginnings shorter than this are not worth looking for.
    private static let shortestBeginning = 64

    /// Lets a conversation whose caches are empty begin where another one has been.
    func adoptBeginning(_ state: inout ConversationState, extractor: ExtractorOptions?) {
        guard options.keptContextBytes > 0 else { return }
        let layers = model.configuration.layers
        var best: (ids: Int, decoder: DecoderState)?, kept: Int?
        func consider(_ donor: ConversationState, _ index: Int?) {
            guard donor.owner == state.owner, let found = state.beginning(from: donor, extractor: extractor, layers: layers),
                found.decoder.tokens >= max(Self.shortestBeginning, (best?.decoder.tokens ?? 0) + 1)
            else { return }
            (best, kept) = (found, index)
        }
        for (index, donor) in contexts.states.enumerated() { consider(donor, index) }
        for donor in conversations.values { consider(donor, nil) }
        guard let best else { return }
        if let kept { contexts.use(kept) }
        (state.cached, state.decoder) = (best.ids, best.decoder)
    }

    /// Tokens and frames of media that conversations of an owner hold, by what the encoder was given.
    func knownMedia(projector: Adapter?, owner: String) -> KnownMedia {
        var known = KnownMedia()
        for state in contexts.states + conversations.values where !state.isBusy && state.owner == owner { known.add(state, projector: projector) }
        return known
    }
}

/// Media that need not be encoded again.
struct KnownMedia {
    /// Pictures and videos by their digest.
    private(set) var vision: [String: EncodedMedium] = [:]
    /// Windows of longer recordings: the recording's tokens, and the window's index.
    private var windows: [String: (tokens: MLXArray, index: Int, count: Int)] = [:]
    /// Frames of single windows.
    private(set) var frames: [String: MLXArray] = [:]

    fileprivate mutating func add(_ state: ConversationState, projector: Adapter?) {
        for (index, facts) in state.facts.enumerated() where index < state.media.count {
            switch state.media[index] {
            case .vision: vision[facts.digest] = state.media[index]
            case .speech(let tokens):
                if let single = state.frames[index], let window = facts.windows.first { frames[window] = single.frames }
                guard facts.windows.count > 1, facts.projector == projector else { continue }
                for (i, window) in facts.windows.enumerated() { windows[window] = (tokens, i, facts.windows.count) }
            }
        }
    }

    /// Tokens of a window, [n, hidden] float32.
    func tokens(_ window: String) -> MLXArray? {
        guard let (tokens, index, count) = windows[window] else { return nil }
        let size = tokens.dim(0) / count
        return tokens[(index * size)..<((index + 1) * size)]
    }
}
