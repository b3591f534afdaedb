// Samples laid end to end for one pass: which token comes from where, where it stands, and what is supervised.
import Foundation
import LyraMedia
import LyraModel
import LyraText
import MLX

/// Some samples of a batch, ready for the networks; media are not encoded yet. The passes of a step add up, so how a batch
/// is cut into micro-batches changes nothing but memory.
struct MicroBatch {
    /// Speech of one sample: its windows among all windows, and its transcript.
    struct Speech {
        var sample: Int
        var windows: Range<Int>
        /// Rows of the packed sequence that its tokens take.
        var rows: Range<Int>
        /// nil: none, contributes nothing to the regulariser.
        var transcript: [Int32]?
    }

    var samples: [TrainingSample]
    /// Vocabulary ids of all text tokens, in order.
    var text: [Int32] = []
    /// Patches of all pictures and videos, in order.
    var pictures: [Patches] = []
    /// Windows of all recordings, in order: 16 kHz samples, as many as the encoder takes or fewer.
    var windows: [ArraySlice<Float>] = []
    /// Whether a window is met again as it is, so that it pays to keep what a frozen encoder makes of it.
    var isOriginal: [Bool] = []
    var speeches: [Speech] = []
    /// Row in [text; vision tokens; speech tokens] of every token of the packed sequence.
    var sources: [Int32] = []
    var positions = Positions(startingAt: 0)
    var lengths: [Int] = []
    /// Tokens of the packed sequence at which independent turns begin.
    var turns: [Int] = []
    var isContext: [Bool] = []
    var isQuery: [Bool] = []
    /// For each turn (one for a sample without), what its answer rests on, where that is known and the extractor chooses.
    var evidence: [PackedSequences.Evidence?] = []
    /// Tokens whose state predicts a supervised one, and that one.
    var predictors: [Int32] = []
    var targets: [Int32] = []
    /// Units to be spoken for the last answer of a sample: which predictors belong to it.
    var spoken: [(predictors: Range<Int>, units: [Int32])] = []

    var tokens: Int { sources.count }
    var transcripts: Int { speeches.count { $0.transcript != nil } }
}

/// Lays samples end to end.
struct MicroBatchBuilder {
    let configuration: LyraConfiguration
    let vision: VisionConfiguration?
    let imageProcessor: ImageProcessorConfiguration
    /// nil: the checkpoint cannot hear.
    let windowSamples: Int?
    /// Speech tokens one window becomes.
    let tokensPerWindow: Int

    init(_ weights: TrainingWeights) {
        configuration = weights.configuration
        vision = weights.visionConfiguration
        imageProcessor = weights.imageProcessor
        windowSamples = weights.logMel?.windowSamples
        tokensPerWindow = (weights.whisperConfiguration?.positions ?? 0) / weights.configuration.speechStack
    }

    /// Tokens the sample takes once its media have become tokens.
    /// - Throws: ``TrainingError/badSample(id:reason:)`` if it does not fit the model; then ``build(_:)`` must not see it.
    func tokenCount(_ sample: TrainingSample) throws -> Int {
        func bad(_ reason: String) -> TrainingError { .badSample(id: sample.id, reason: reason) }
        guard sample.ids.count == sample.labels.count else {
            throw bad("\(sample.ids.count) tokens but \(sample.labels.count) labels")
        }
        var media = sample.media[...], count = 0
        for id in sample.ids {
            guard id == Placeholder.image || id == Placeholder.speech else {
                guard id >= 0, id < Int32(configuration.vocabularySize) else {
                    throw bad("token \(id) is outside the vocabulary of \(configuration.vocabularySize)")
                }
                count += 1
                continue
            }
            guard let medium = media.popFirst(), medium.isSpeech == (id == Placeholder.speech) else {
                throw bad("placeholders and media do not go together")
            }
            switch medium {
            case .image, .video: count += try grid(medium.frames, sample.id).merged(try visionSettings(sample.id).mergeSize).count
            case .speech(let speech):
                guard speech.samples.allSatisfy(\.isFinite) else { throw bad("its speech holds values that are not numbers") }
                let windows = try windowCount(speech.samples, sample.id)
                guard speech.skips.isEmpty || speech.skips.count == windows + 1 && speech.skips.allSatisfy({ (0...10_000_000).contains($0) }) else {
                    throw bad("positions are to be left out around each of its \(windows) windows of speech, or nowhere")
                }
                count += windows * tokensPerWindow
            }
        }
        guard media.isEmpty else { throw bad("more media than placeholders") }
        guard zip(sample.turns, sample.turns.dropFirst()).allSatisfy(<), sample.turns.allSatisfy(sample.ids.indices.contains) else {
            throw bad("turns do not rise within its tokens")
        }
        if let units = sample.units, let generator = configuration.generator,
            let wrong = units.first(where: { $0 < 0 || $0 >= Int32(generator.units) })
        {
            throw bad("unit \(wrong) is not among the generator's \(generator.units)")
        }
        return count
    }

    private func visionSettings(_ id: String) throws -> VisionConfiguration {
        guard let vision else { throw TrainingError.badSample(id: id, reason: "has a picture, but the checkpoint has no vision tower") }
        return vision
    }

    private func grid(_ frames: [RGBImage], _ id: String) throws -> PatchGrid {
        let vision = try visionSettings(id)
        let side = vision.patchSize * vision.mergeSize
        guard let first = frames.first, first.width % side == 0, first.height % side == 0,
            frames.allSatisfy({ $0.width == first.width && $0.height == first.height })
        else {
            throw TrainingError.badSample(
                id: id, reason: "its pictures are not of one size with sides that are multiples of \(side)")
        }
        return PatchGrid(
            time: (frames.count + vision.temporalPatchSize - 1) / vision.temporalPatchSize,
            height: first.height / vision.patchSize, width: first.width / vision.patchSize)
    }

    private func windowCount(_ samples: [Float], _ id: String) throws -> Int {
        guard let windowSamples else { throw TrainingError.badSample(id: id, reason: "has speech, but the checkpoint has no speech encoder") }
        guard !samples.isEmpty else { throw TrainingError.badSample(id: id, reason: "its speech is empty") }
        return (samples.count + windowSamples - 1) / windowSamples
    }

    /// Lays out samples that ``tokenCount(_:)`` has accepted.
    func build(_ samples: [TrainingSample]) throws -> MicroBatch {
        var batch = MicroBatch(samples: samples)
        // Rows among the tokens of their kind; shifted behind text and vision tokens at the end.
        enum Source { case text(Int), vision(Int), speech(Int) }
        var sources: [Source] = []
        var visionTokens = 0, speechTokens = 0
        var pictures: [(frames: [RGBImage], vision: VisionConfiguration)] = []
        for (number, sample) in samples.enumerated() {
            let start = sources.count, speechesBefore = batch.speeches.count
            var media = sample.media[...]
            var positions = Positions(startingAt: 0)
            var labels: [Int32] = [], seenContext = false
            var turns = sample.turns[...], turnPosition: Int32?
            for (index, (id, label)) in zip(sample.ids, sample.labels).enumerated() {
                if index == turns.first {
                    turns.removeFirst()
                    batch.turns.append(sources.count)
                    turnPosition = turnPosition ?? positions.next
                    positions.continue(at: turnPosition ?? positions.next)
                }
                guard id == Placeholder.image || id == Placeholder.speech, let medium = media.popFirst() else {
                    sources.append(.text(batch.text.count))
                    batch.text.append(id)
                    batch.isContext.append(false)
                    batch.isQuery.append(sample.usesExtractor && seenContext && label == TrainingSample.ignored)
                    positions.appendRun(1)
                    labels.append(label)
                    continue
                }
                seenContext = true
                var count = 0
                switch medium {
                case .image, .video:
                    let vision = try visionSettings(sample.id)
                    let frames = medium.frames
                    let grid = try grid(frames, sample.id)
                    pictures.append((frames, vision))
                    let merged = grid.merged(vision.mergeSize)
                    count = merged.count
                    positions.appendGrid(merged)
                    sources += (0..<count).map { .vision(visionTokens + $0) }
                    visionTokens += count
                case .speech(let speech):
                    let windows = try windowCount(speech.samples, sample.id)
                    guard let windowSamples else { break }
                    let first = batch.windows.count
                    batch.isOriginal += Array(repeating: speech.isOriginal, count: windows)
                    for window in 0..<windows {
                        batch.windows.append(speech.samples[(window * windowSamples)...].prefix(windowSamples))
                        positions.skip(speech.skips.isEmpty ? 0 : speech.skips[window])
                        positions.appendRun(tokensPerWindow)
                    }
                    positions.skip(speech.skips.last ?? 0)
                    count = windows * tokensPerWindow
                    let row = sources.count
                    batch.speeches.append(
                        .init(
                            sample: number, windows: first..<(first + windows), rows: row..<(row + count),
                            transcript: speech.transcript.flatMap { $0.isEmpty ? nil : $0 }))
                    sources += (0..<count).map { .speech(speechTokens + $0) }
                    speechTokens += count
                }
                batch.isContext += Array(repeating: true, count: count)
                batch.isQuery += Array(repeating: false, count: count)
                labels += Array(repeating: TrainingSample.ignored, count: count)
            }
            batch.supervise(labels, from: start, units: sample.units)
            batch.evidence += Self.evidence(of: sample, in: batch.speeches[speechesBefore...].first?.rows)
            batch.positions.append(positions)
            batch.lengths.append(sources.count - start)
        }
        batch.pictures = concurrentMap(pictures.count) { number in
            let (frames, vision) = pictures[number]
            return Patches(
                frames: frames.map(\.pixels), size: PixelSize(height: frames[0].height, width: frames[0].width), vision: vision,
                processor: imageProcessor)
        }
        let (text, vision) = (batch.text.count, visionTokens)
        batch.sources = sources.map {
            switch $0 {
            case .text(let row): Int32(row)
            case .vision(let row): Int32(text + row)
            case .speech(let row): Int32(text + vision + row)
            }
        }
        return batch
    }
}

extension MicroBatchBuilder {
    /// - Parameter recording: rows of the sample's first one.
    private static func evidence(of sample: TrainingSample, in recording: Range<Int>?) -> [PackedSequences.Evidence?] {
        let turns = max(1, sample.turns.count)
        guard let recording, sample.usesExtractor, sample.evidence.count == turns else { return Array(repeating: nil, count: turns) }
        return sample.evidence.map { stretches in
            let stated = stretches.flatMap { $0.clamped(to: 0..<recording.count) }.map { Int32(recording.lowerBound + $0) }
            return stated.isEmpty ? nil : .init(recording: Int32(recording.lowerBound)..<Int32(recording.upperBound), stated: stated)
        }
    }
}

extension MicroBatch {
    /// Notes who predicts what in a sample whose first token is row `start`. The first token of all has no predictor.
    fileprivate mutating func supervise(_ labels: [Int32], from start: Int, units: [Int32]?) {
        var lastRun = predictors.count..<predictors.count
        for i in labels.indices.dropFirst() where labels[i] != TrainingSample.ignored {
            if labels[i - 1] == TrainingSample.ignored { lastRun = predictors.count..<predictors.count }
            predictors.append(Int32(start + i - 1))
            targets.append(labels[i])
            lastRun = lastRun.lowerBound..<predictors.count
        }
        if let units, !lastRun.isEmpty { spoken.append((lastRun, units)) }
    }
}

extension TrainingSample.Medium {
    var isSpeech: Bool { if case .speech = self { true } else { false } }
    var frames: [RGBImage] {
        switch self {
        case .image(let picture): [picture]
        case .video(let frames): frames
        case .speech: []
        }
    }
}
