// Training of the vocoder: units of pieces of recordings to their sound, and runs of units to their durations.
import Foundation
import LyraMedia
import LyraModel
import MLX

/// Pieces of recordings, and whole ones by runs of units.
struct VocoderBatch: Sendable {
    /// [pieces * frames]
    var frames: [Int32] = []
    /// [pieces * samples]
    var samples: [Float] = []
    var runs: [(units: [Int32], lengths: [Int])] = []
}

final class VocoderTraining: PartTraining {
    let configuration: VocoderTrainingConfiguration
    let parameters: [String: MLXArray]
    let fingerprint: String
    let loader: @Sendable (Int, BatchShare) throws -> VocoderBatch
    let lossNames = ["total", "convergence", "magnitude", "mel", "duration"]
    private let vocoder: VocoderConfiguration
    private let folder: String
    private let spectral = SpectralLoss()
    private let validation: SpokenUnits?
    private let listener: SpellingEncoder?

    init(_ configuration: VocoderTrainingConfiguration) throws {
        self.configuration = configuration
        let settings = configuration.settings
        let (location, _) = try ModelLocation.resolve(settings.model)
        guard let folder = location.vocoder else {
            throw location.missing["vocoder"] ?? TrainingError.missingPart("the checkpoint has no vocoder: \(location.model)")
        }
        self.folder = folder
        let vocoder = try VocoderConfiguration.load(folder + "/config.json")
        self.vocoder = vocoder
        parameters = try Self.plainWeights(WeightFiles.openVocoder(folder), vocoder)
        let spoken = try SpokenUnits(
            settings.data, samplesPerFrame: vocoder.samplesPerFrame, shortest: configuration.segmentFrames)
        validation = settings.validation.isEmpty
            ? nil
            : try SpokenUnits(
                settings.validation, samplesPerFrame: vocoder.samplesPerFrame, shortest: configuration.segmentFrames,
                limit: configuration.validationLimit)
        for recording in spoken.recordings + (validation?.recordings ?? []) {
            if let unit = recording.frames.max(), unit >= vocoder.units {
                throw TrainingError.badSample(id: recording.id, reason: "unit \(unit), but the vocoder has \(vocoder.units) (0 to \(vocoder.units - 1))")
            }
        }
        listener = try configuration.listener.map {
            try SpellingEncoder(tower: $0 + "/speech_encoder", head: $0 + "/spelling.safetensors", precision: settings.precision)
        }
        loader = { step, share in
            var random = SplitMix64(state: settings.seed &* 0x9E37_79B9_7F4A_7C15 &+ UInt64(step) &* 0xD134_2543_DE82_EF95)
            var batch = VocoderBatch()
            for place in 0..<settings.batchSize {
                guard let start = spoken.starts.randomElement(using: &random), share.holds(place) else { continue }
                let frames = Int(start.frame)..<(Int(start.frame) + configuration.segmentFrames)
                batch.frames += spoken.recordings[Int(start.recording)].frames[frames]
                batch.samples += spoken.samples(Int(start.recording), frames: frames)
            }
            for place in 0..<configuration.durationBatch {
                if let recording = spoken.recordings.randomElement(using: &random), share.holds(place) { batch.runs.append(UnitFrames.runs(recording.frames)) }
            }
            return batch
        }
        fingerprint = "recordings \(spoken.recordings.count), frames \(spoken.recordings.reduce(0) { $0 + $1.frames.count }), "
            + "segment \(configuration.segmentFrames), channels \(vocoder.initialChannels), units \(vocoder.units)"
    }

    /// All tensors, with weight norm resolved (w = g v / ‖v‖): training and its result have plain weights.
    static func plainWeights(_ source: any TensorSource, _ configuration: VocoderConfiguration) throws -> [String: MLXArray] {
        let check = Parameters(source)
        _ = Vocoder(check, configuration)
        try check.finish()
        var weights: [String: MLXArray] = [:]
        for name in source.names where check.taken[name] != nil {
            let array = try source.array(name).asType(.float32)
            if name.hasSuffix(".weight_v") {
                let base = String(name.dropLast(2)), scale = try source.array(base + "_g").asType(.float32)
                weights[base] = array * (scale / sqrt(square(array).sum(axes: [1, 2], keepDims: true)))
            } else if !name.hasSuffix(".weight_g") {
                weights[name] = array + Float(0)
            }
        }
        eval(Array(weights.values))
        return weights
    }

    private func network(_ weights: [String: MLXArray]) throws -> Vocoder {
        let parameters = Parameters(DictionarySource(weights, origin: "the vocoder"), isTraced: true)
        let network = Vocoder(parameters, vocoder)
        try parameters.finish()
        return network
    }

    func losses(_ batch: VocoderBatch, _ weights: [String: MLXArray]) throws -> [MLXArray] {
        let network = try network(weights), length = configuration.segmentFrames, pieces = batch.frames.count / length
        let waves = network.waves(MLXArray(batch.frames, [pieces, length]))
        let (convergence, magnitude, mel) = spectral(waves, MLXArray(batch.samples, [pieces, length * vocoder.samplesPerFrame]))
        let duration = Self.durationLoss(network, batch.runs)
        let total =
            convergence * configuration.convergenceWeight + magnitude * configuration.magnitudeWeight
            + mel * configuration.melWeight + duration * configuration.durationWeight
        return [total, convergence, magnitude, mel, duration]
    }

    /// Mean squared error of log(frames + 1) over all runs.
    static func durationLoss(_ network: Vocoder, _ runs: [(units: [Int32], lengths: [Int])]) -> MLXArray {
        var sum = MLXArray(Float(0))
        for run in runs {
            guard let predicted = network.logDurations(run.units) else { continue }
            let wanted = MLXArray(run.lengths.map { Foundation.log(Float($0) + 1) }, [run.lengths.count])
            sum = sum + square(predicted - wanted).sum()
        }
        return sum / Float(max(1, runs.reduce(0) { $0 + $1.units.count }))
    }

    func validate(_ weights: [String: MLXArray]) throws -> [String: Double] {
        guard let validation else { return [:] }
        let network = try network(weights)
        var mel = 0.0, timed = ErrorRate(), free = ErrorRate(), seconds = (said: 0.0, meant: 0.0)
        var runs: [(units: [Int32], lengths: [Int])] = []
        for (number, recording) in validation.recordings.enumerated() {
            try Task.checkCancellation()
            let wave = network.waveform(frames: recording.frames)
            // Too short for the longest window: nothing to compare.
            if wave.count >= 2048 {
                let target = validation.samples(number, frames: 0..<recording.frames.count)
                mel += Double(spectral(MLXArray(wave, [1, wave.count]), MLXArray(target, [1, target.count])).mel.item(Float.self))
            }
            let run = UnitFrames.runs(recording.frames)
            runs.append(run)
            guard let listener, let text = recording.transcript else { continue }
            timed.add(heard: listener.transcribe(wave), said: text)
            let spoken = network(run.units)
            seconds.said += Double(spoken.count)
            seconds.meant += Double(wave.count)
            free.add(heard: listener.transcribe(spoken), said: text)
        }
        var result = [
            "mel": mel / Double(max(1, validation.recordings.count)),
            "duration": Double(Self.durationLoss(network, runs).item(Float.self)),
        ]
        if timed.texts > 0 {
            result["wer"] = timed.wer
            result["wer_predicted_durations"] = free.wer
            result["length_ratio"] = seconds.said / max(1, seconds.meant)
        }
        return result
    }

    /// `vocoder/`, a folder as `model_zoo/audio/vocoder`, and the validation data spoken by it.
    func write(_ weights: [String: MLXArray], to output: String, steps: Int) throws -> [String] {
        let place = output + "/vocoder", target = try AtomicFolder(place)
        do {
            try FileManager.default.copyItem(atPath: folder + "/config.json", toPath: target.temporary + "/config.json")
            try WeightFiles.writeTorch(weights, to: target.temporary + String(format: "/g_%08d", steps), outerKey: "generator")
            try target.commit(replacing: true)
        } catch {
            target.abandon()
            throw error
        }
        var written = [place]
        if let validation {
            let network = try network(weights), samples = output + "/samples"
            try FileManager.default.createDirectory(atPath: samples, withIntermediateDirectories: true)
            for recording in validation.recordings {
                let name = recording.id.replacingOccurrences(of: "/", with: "_")
                try AudioFile.write(
                    network(UnitFrames.runs(recording.frames).units), sampleRate: vocoder.sampleRate, to: "\(samples)/\(name).wav")
            }
            written.append(samples)
        }
        return written
    }
}
