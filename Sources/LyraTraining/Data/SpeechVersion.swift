// Recordings as they are met once: changed in sound, and spread over more positions than they fill.
import Foundation
import LyraMedia

/// One of the ways a sample's recordings may be.
struct SpeechVersion: Sendable {
    private let augmentation: SpeechAugmentation?
    private let span: Int?
    private let seed: UInt64

    init(_ source: DataSource, seed: UInt64) { (augmentation, span, self.seed) = (source.speechAugmentation, source.positionSpan, seed) }

    /// - Parameters:
    ///   - number: of the recording among the sample's media.
    ///   - room: tokens it may become; a version that would be longer is not taken.
    func apply(to speech: inout TrainingSample.Speech, number: Int, _ tokens: MediaTokens, room: Int?) {
        if let augmentation {
            let sound = augmentation.apply(speech.samples, seed: seed &+ UInt64(number))
            if tokens.ofSound(samples: sound.count) <= room ?? .max { (speech.samples, speech.isOriginal) = (sound, false) }
        }
        let count = tokens.ofSound(samples: speech.samples.count), windows = count / tokens.tokensPerWindow
        guard let span, span > count, windows > 1 else { return }
        speech.skips = skips(windows: windows, span - count, number)
    }

    /// At most `most` positions left out in up to four places: how many is drawn evenly in their logarithm.
    private func skips(windows: Int, _ most: Int, _ number: Int) -> [Int32] {
        var random = SeededRandom(seed, "positions", number), result = [Int32](repeating: 0, count: windows + 1)
        let total = Int(exp(random.real(0...log(Double(most)))))
        let places = random.sample(1...windows, 4), kept = random.int(1...places.count)
        let cuts = [0] + (1..<kept).map { _ in random.int(0...total) }.sorted() + [total]
        for (place, (from, to)) in zip(places, zip(cuts, cuts.dropFirst())) { result[place] = Int32(to - from) }
        return result
    }
}
