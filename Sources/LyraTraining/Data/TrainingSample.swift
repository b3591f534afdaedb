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
    public var media: [Medium]
    /// Speech units of the last answer, for the speech generator.
    public var units: [Int32]?

    public init(
        id: String, ids: [Int32], labels: [Int32], turns: [Int] = [], media: [Medium], units: [Int32]? = nil
    ) {
        (self.id, self.ids, self.labels, self.turns) = (id, ids, labels, turns)
        (self.media, self.units) = (media, units)
    }
}
