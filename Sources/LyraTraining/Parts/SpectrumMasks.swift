// Parts of log-mel spectra that are hidden while the speech encoder is trained (SpecAugment, Park et al. 2019).
import Foundation
import LyraModel

/// How many bands of time and of frequency are hidden in each window, and how wide they are.
public struct SpectrumMasks: Sendable, Codable, Equatable {
    public var timeMasks = 2
    /// Longest, in mel frames of 10 ms.
    public var timeLength = 30
    public var frequencyMasks = 2
    /// Widest, as a share of all mel bands.
    public var frequencyShare = 0.2

    public init() {}

    /// Hides nothing.
    public static var none: SpectrumMasks {
        var none = SpectrumMasks()
        (none.timeMasks, none.frequencyMasks) = (0, 0)
        return none
    }

    public init(from decoder: any Swift.Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        try values.read(.timeMasks, &timeMasks)
        try values.read(.timeLength, &timeLength)
        try values.read(.frequencyMasks, &frequencyMasks)
        try values.read(.frequencyShare, &frequencyShare)
    }

    func check() throws {
        try PartSettings.range("masks.time_masks", Double(timeMasks), 0...1_000)
        try PartSettings.range("masks.time_length", Double(timeLength), 0...100_000)
        try PartSettings.range("masks.frequency_masks", Double(frequencyMasks), 0...1_000)
        try PartSettings.range("masks.frequency_share", frequencyShare, 0...1)
    }

    /// What stays: [bins * frames] of ones and zeros; nil for all.
    /// - Parameter used: mel frames that hold the recording.
    func draw(bins: Int, frames: Int, used: Int, _ random: inout SplitMix64) -> [Float]? {
        guard timeMasks + frequencyMasks > 0 else { return nil }
        var mask = [Float](repeating: 1, count: bins * frames)
        for _ in 0..<frequencyMasks {
            let width = Int.random(in: 0...Int(frequencyShare * Double(bins)), using: &random)
            let first = Int.random(in: 0...(bins - width), using: &random)
            for i in (first * frames)..<((first + width) * frames) { mask[i] = 0 }
        }
        for _ in 0..<timeMasks {
            let width = min(used, Int.random(in: 0...timeLength, using: &random))
            let first = Int.random(in: 0...(used - width), using: &random)
            for bin in 0..<bins { for i in first..<(first + width) { mask[bin * frames + i] = 0 } }
        }
        return mask
    }
}
