// One sample as training reads it: token ids with placeholders, what is supervised, and decoded media. Knows no file format.
import LyraMedia
import LyraText

/// A conversation with its media, tokenised and decoded.
public struct TrainingSample: Sendable {
    /// A picture, video or recording, in the order of its placeholder in ``ids``.
    public enum Medium: Sendable {
        /// In the size that the vision tower sees (`MediaPreparation`): sides are multiples of patch times merge.
        case image(RGBImage)
        /// Frames sampled and sized as for inference, an even number.
        case video([RGBImage])
        case speech(Speech)
    }

    /// A recording.
    public struct Speech: Sendable {
        /// 16 kHz mono.
        public var samples: [Float]
        /// Ids of what is said, for the cross-modality regulariser.
        public var transcript: [Int32]?
        /// Whether the sound is as the file has it, not a version made for this once.
        public var isOriginal = true
        /// Positions that are left out before each of its windows, and after the last; empty: none.
        public var skips: [Int32] = []

        public init(_ samples: [Float], transcript: [Int32]? = nil) { (self.samples, self.transcript) = (samples, transcript) }
    }

    /// Label of a token that is not supervised.
    public static let ignored: Int32 = -100

    /// As in the data file, or file name and index.
    public var id: String
    /// With ``Placeholder`` ids where media go.
    public var ids: [Int32]
    /// As many as ``ids``: the id itself where supervised (answers with the marker that ends them), ``ignored`` elsewhere.
    public var labels: [Int32]
    /// Where in ``ids`` independent turns begin, rising: each sees what stands before the first of them, and itself.
    /// Empty: a conversation, whose turns see all that was said.
    public var turns: [Int] = []
    /// For each independent turn (or the only one), tokens of the first recording in which what its answer says is stated; or none at all.
    public var evidence: [[Range<Int>]] = []
    public var media: [Medium]
    /// Speech units of the last answer, for the speech generator.
    public var units: [Int32]?
    /// Whether the run's extractor, where there is one, drops tokens of this sample.
    public var usesExtractor = true
    /// Whether other turns of the same sample stand before this one in the step.
    var isContinuation = false

    public init(
        id: String, ids: [Int32], labels: [Int32], turns: [Int] = [], media: [Medium], units: [Int32]? = nil
    ) {
        (self.id, self.ids, self.labels, self.turns) = (id, ids, labels, turns)
        (self.media, self.units) = (media, units)
    }
}

extension TrainingSample {
    /// The same in samples of at most so many independent turns, each with what all turns see. Whose transcript that is counts once,
    /// in the first.
    func divided(turns most: Int) -> [TrainingSample] {
        guard turns.count > most, most > 0 else { return [self] }
        func count(before end: Int) -> Int { ids[..<end].count { $0 == Placeholder.image || $0 == Placeholder.speech } }
        let shared = turns[0], ends = Array(turns.dropFirst()) + [ids.count], about = media[..<count(before: shared)]
        return stride(from: 0, to: turns.count, by: most).map { first in
            let last = min(first + most, turns.count) - 1, own = turns[first]..<ends[last]
            var part = self
            part.ids = Array(ids[..<shared] + ids[own])
            part.labels = Array(labels[..<shared] + labels[own])
            part.turns = turns[first...last].map { $0 - own.lowerBound + shared }
            if !evidence.isEmpty { part.evidence = Array(evidence[first...last]) }
            part.media = Array(about + media[count(before: own.lowerBound)..<count(before: own.upperBound)])
            if last < turns.count - 1 { part.units = nil }
            part.isContinuation = first > 0
            if first > 0 {
                for place in about.indices {
                    guard case .speech(var speech) = part.media[place] else { continue }
                    speech.transcript = nil
                    part.media[place] = .speech(speech)
                }
            }
            return part
        }
    }
}
