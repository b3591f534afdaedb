// Which seconds of the sound and which parts of the picture the extractor kept, with scores.
import Foundation
import LyraModel

/// What survived the latent multi-modality extractor, in terms of the media.
public struct Evidence: Sendable, Codable, Equatable {
    /// One context token as a piece of a medium.
    public struct Piece: Sendable, Codable, Equatable {
        /// Attention the text paid to it when it was last scored, relative to the mean of that scoring.
        public var score: Float
        /// Extractions it survived.
        public var depth: Int
        /// Whether it survived all.
        public var kept: Bool
        /// Attention the answer paid to it, 0...1: the most that a head of one of its tokens paid, averaged over layers. nil unless asked
        /// for (``ReplyOptions/explainsAnswer``).
        public var answer: Float?
        /// Speech: the stretch of sound, in seconds.
        public var start: Double?
        public var end: Double?
        /// Vision: the box in the picture, as shares of its width and height, and the frame pair.
        public var x: Double?
        public var y: Double?
        public var width: Double?
        public var height: Double?
        public var frame: Int?
    }
    public struct Medium: Sendable, Codable, Equatable {
        public var kind: MediumSpan.Kind
        public var index: Int
        public var pieces: [Piece]
        /// Share of its tokens that survived.
        public var keptShare: Double

        /// Where the answer attended to most, or else the question, of what was kept: the stretch of this many seconds with the highest
        /// sum. nil for pictures, and where nothing was kept.
        public func strongestStretch(seconds: Double = 4) -> ClosedRange<Double>? {
            guard let first = pieces.first, let start = first.start, let end = first.end, end > start else { return nil }
            let scores = pieces.map { $0.answer ?? ($0.kept ? $0.score : 0) }, length = min(scores.count, max(1, Int((seconds / (end - start)).rounded())))
            var sum = scores.prefix(length).reduce(0, +), best = (sum: sum, at: 0)
            for next in length..<scores.count {
                sum += scores[next] - scores[next - length]
                if sum > best.sum { best = (sum, next - length + 1) }
            }
            guard best.sum > 0, let from = pieces[best.at].start, let to = pieces[best.at + length - 1].end else { return nil }
            return from...to
        }
    }
    public var media: [Medium]
    /// Layers after which tokens were dropped.
    public var layers: [Int]

    /// - Parameters:
    ///   - secondsPerToken: sound one speech token stands for.
    ///   - grids: merged grid of each vision span, by span index.
    init(_ extractions: [Extraction], spans: [MediumSpan], grids: [PatchGrid], secondsPerToken: Double, speechSeconds: [Double]) {
        layers = extractions.map(\.layer)
        var score: [Int32: Float] = [:], depth: [Int32: Int] = [:]
        for extraction in extractions {
            let mean = max(extraction.scores.reduce(0, +) / Float(max(1, extraction.scores.count)), .leastNormalMagnitude)
            for (token, value) in zip(extraction.candidates, extraction.scores) { score[token] = value / mean }
            for token in extraction.survivors { depth[token, default: 0] += 1 }
        }
        media = spans.map { span in
            let pieces = span.range.enumerated().map { offset, token in
                var piece = Piece(
                    score: score[Int32(token)] ?? 0, depth: depth[Int32(token)] ?? 0,
                    kept: depth[Int32(token)] == extractions.count)
                switch span.kind {
                case .speech:
                    piece.start = Double(offset) * secondsPerToken
                    piece.end = Double(offset + 1) * secondsPerToken
                case .vision:
                    let grid = grids[span.index]
                    let cell = offset % (grid.height * grid.width)
                    piece.frame = offset / (grid.height * grid.width)
                    piece.x = Double(cell % grid.width) / Double(grid.width)
                    piece.y = Double(cell / grid.width) / Double(grid.height)
                    piece.width = 1 / Double(grid.width)
                    piece.height = 1 / Double(grid.height)
                }
                return piece
            }
            let length = span.kind == .speech && span.index < speechSeconds.count ? speechSeconds[span.index] : .infinity
            let real = pieces.filter { ($0.start ?? 0) < length }
            return Medium(
                kind: span.kind, index: span.index, pieces: pieces,
                keptShare: Double(real.count(where: \.kept)) / Double(max(1, real.count)))
        }
    }
}
