// Latent multi-modality extractor (LMME, LYRA.md section 4): after each block of layers only the context tokens that the
// instruction's text attends to go on.
import Foundation
import MLX

/// Run-time options of the extractor.
public struct ExtractorOptions: Sendable, Equatable, Codable {
    /// Layers per block (`compress_gap`).
    public var gap: Int
    /// Share of context tokens that survives each block (`keep_rate`, rho), 0...1.
    public var keepRate: Float
    /// Context tokens kept at least.
    public static let minimumKept = 32

    public init(gap: Int, keepRate: Float) { (self.gap, self.keepRate) = (gap, keepRate) }

    /// LMME(n, rho): the layers are split into n blocks.
    public init(blocks: Int, keepRate: Float, layers: Int) {
        self.init(gap: max(1, layers / max(1, blocks)), keepRate: keepRate)
    }

    /// Layer counts after which tokens are dropped; never after the last layer.
    func boundaries(layers: Int) -> [Int] {
        guard keepRate < 1, gap > 0 else { return [] }
        return stride(from: gap, to: layers, by: gap).map { $0 }
    }

    /// Layers of the first block; nil where nothing is dropped.
    public func firstBoundary(layers: Int) -> Int? { boundaries(layers: layers).first }

    /// How many of `count` context tokens survive: `count * keepRate` rounded down in float32, at least 32.
    func kept(of count: Int) -> Int {
        guard count >= Self.minimumKept else { return count }
        return min(count, max(Self.minimumKept, Int(Float(count) * keepRate)))
    }
}

/// What one extraction did.
public struct Extraction: Sendable, Equatable {
    /// It happened after this layer (counted from 0).
    public var layer: Int
    /// Index in the prompt, before any extraction, of the tokens that go on.
    public var survivors: [Int32]
    /// Index in the prompt of the context tokens that were scored.
    public var candidates: [Int32]
    /// Score of each candidate: the attention the text pays to it, averaged over heads and text tokens.
    public var scores: [Float]

    /// Row numbers (ascending) of the `count` highest scores; ties go to the earlier row.
    static func top(_ scores: [Float], count: Int) -> [Int] {
        guard count < scores.count else { return Array(scores.indices) }
        return scores.indices.sorted { scores[$0] != scores[$1] ? scores[$0] > scores[$1] : $0 < $1 }.prefix(count).sorted()
    }
}
