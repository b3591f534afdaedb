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
        /// 16 kHz mono, with the ids of its transcript for the cross-modality regulariser where there is one.
        case speech(samples: [Float], transcript: [Int32]?)
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
