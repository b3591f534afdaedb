// Windows of sound that the speech encoder is trained on, put together from recordings.
import Foundation
import LyraModel

/// A window of sound, and what it says.
struct SpeechWindow: Sendable {
    /// At most as long as the encoder's window.
    var samples: [Float]
    /// CTC's classes of all that is said.
    var targets: [Int32]
    /// Which parts of its log-mel spectrum stay; nil for all.
    var mask: [Float]?
}

/// The windows of one step, all computed over as many frames.
struct SpeechBatch: Sendable {
    var windows: [SpeechWindow]
    /// Mel frames that are computed; what recordings do not fill is silence.
    var melFrames: Int
}

/// Makes batches from a step's number alone.
struct SpeechWindowMaker: Sendable {
    let recordings: Recordings
    let configuration: SpeechEncoderConfiguration
    let melBins: Int
    /// Samples of the encoder's window.
    let windowSamples: Int

    /// Windows are cut to whole units of this many mel frames.
    static let granularity = 100

    func batch(_ step: Int) throws -> SpeechBatch {
        var random = SplitMix64(state: configuration.settings.seed &* 0x9E37_79B9_7F4A_7C15 &+ UInt64(step) &* 0xD134_2543_DE82_EF95)
        let isPacked = Double.random(in: 0..<1, using: &random) < configuration.packedShare
        let isFull = isPacked || Double.random(in: 0..<1, using: &random) < configuration.fullShare
        var windows: [SpeechWindow] = []
        while windows.count < configuration.settings.batchSize { windows.append(try window(isPacked: isPacked, &random)) }
        let full = windowSamples / LogMel.hopSamples, unit = Self.granularity
        let longest = windows.reduce(0) { max($0, $1.samples.count) } / LogMel.hopSamples + 1
        let frames = isFull ? full : min(full, (longest + unit - 1) / unit * unit)
        for i in windows.indices {
            windows[i].mask = configuration.augmentation.spectrumMask(
                bins: melBins, frames: frames, used: min(frames, windows[i].samples.count / LogMel.hopSamples), &random)
        }
        return SpeechBatch(windows: windows, melFrames: frames)
    }

    /// - Parameter isPacked: as many utterances as fit, with pauses; otherwise one.
    private func window(isPacked: Bool, _ random: inout SplitMix64) throws -> SpeechWindow {
        func silence(_ range: ClosedRange<Double>) -> Int { Int(Double.random(in: range, using: &random) * Double(LogMel.sampleRate)) }
        var samples: [Float] = [], text = ""
        var refused = 0
        while true {
            let item = try recordings.item(Int.random(in: 0..<recordings.count, using: &random))
            guard let transcript = item.transcript else { throw NoTranscript(path: item.path) }
            let sound = configuration.augmentation.varySpeed(try Recordings.samples(item), &random)
            let pause = silence(samples.isEmpty ? 0...0.3 : 0.1...0.7)
            guard samples.count + pause + sound.count <= windowSamples else {
                if !samples.isEmpty { break }
                // Longer than a window: another one.
                refused += 1
                guard refused < 1_000 else { throw TrainingError.noUsableSamples("recordings of at most one window: the data") }
                continue
            }
            samples += [Float](repeating: 0, count: pause) + sound
            text += " " + transcript
            if !isPacked { break }
        }
        samples += [Float](repeating: 0, count: min(silence(0...0.4), windowSamples - samples.count))
        configuration.augmentation.vary(&samples, &random)
        return SpeechWindow(samples: samples, targets: CharacterTargets.encode(text))
    }

    private struct NoTranscript: Error, LocalizedError {
        let path: String
        var errorDescription: String? { "\(path) has no transcript (\"speech_asr\")" }
    }
}
