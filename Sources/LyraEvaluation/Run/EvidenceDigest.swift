// What the extractor kept of an item's media, in few numbers.
import Lyra

/// A short form of ``Evidence``.
public struct EvidenceDigest: Codable, Sendable, Equatable {
    public struct Medium: Codable, Sendable, Equatable {
        public var kind: String
        /// Of sound and picture, without padding.
        public var tokens: Int
        /// Tokens left after each extraction.
        public var left: [Int]
        /// Share kept in equal parts of the medium, in its order.
        public var profile: [Double]
    }

    public var media: [Medium]
    /// Layers after which tokens were dropped.
    public var layers: [Int]
    /// Share kept of the tokens of the asked fact.
    public var factKept: Double?
    /// Whether the asked fact is where the answer attended to most.
    public var factFound: Bool?

    static let parts = 40

    /// - Parameter lengths: seconds of each recording, as far as they are known.
    init(_ evidence: Evidence, speechSeconds: Double, fact: ClosedRange<Double>?) {
        layers = evidence.layers
        let recordings = evidence.media.count { $0.kind == .speech }
        media = evidence.media.map { medium in
            // Padding has no place; with several recordings their lengths are not known apart.
            let pieces = recordings == 1 ? medium.pieces.filter { ($0.start ?? 0) < speechSeconds } : medium.pieces
            let left = (1...max(1, evidence.layers.count)).map { depth in pieces.count { $0.depth >= depth } }
            let parts = min(Self.parts, pieces.count)
            let profile = (0..<parts).map { part -> Double in
                let range = (part * pieces.count / parts)..<((part + 1) * pieces.count / parts)
                return Double(pieces[range].count(where: \.kept)) / Double(max(1, range.count))
            }
            return Medium(kind: medium.kind.rawValue, tokens: pieces.count, left: left, profile: profile)
        }
        if let fact {
            // The recording comes first; a spoken question may follow.
            let recording = evidence.media.first { $0.kind == .speech }
            factFound = recording?.strongestStretch().map { $0.overlaps(fact) }
            let stated = (recording?.pieces ?? []).filter {
                ($0.start ?? 0) < fact.upperBound && ($0.end ?? 0) > fact.lowerBound
            }
            if !stated.isEmpty { factKept = Double(stated.count(where: \.kept)) / Double(stated.count) }
        }
    }

    /// Share of all media tokens that survived all extractions.
    public var keptShare: Double {
        Double(media.reduce(0) { $0 + ($1.left.last ?? $1.tokens) }) / Double(max(1, media.reduce(0) { $0 + $1.tokens }))
    }
}
