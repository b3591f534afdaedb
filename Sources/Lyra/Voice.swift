// Speaking while writing: states of new tokens -> units -> sound.
import LyraModel
import MLX

/// The spoken side of one reply.
struct Voice {
    private let generator: SpeechGenerator
    private var memory: SpeechGenerator.State
    private var vocoder: StreamingVocoder
    private(set) var units: [Int32] = []
    private var classes: [Int32] = []
    private var wave: [Float] = []
    private let keepsAll: Bool
    let sampleRate: Int

    init(_ model: LyraModel, trace: Trace?) throws {
        generator = try model.speechGenerator()
        memory = generator.newState()
        let network = try model.vocoder()
        vocoder = StreamingVocoder(network)
        sampleRate = network.configuration.sampleRate
        keepsAll = trace != nil
    }

    /// hidden: state that predicted the newest token, [1, hidden]. -> samples that are ready.
    mutating func append(_ hidden: MLXArray) throws -> [Float] {
        let new = generator.units(hidden, state: &memory)
        units += new.units
        if keepsAll { classes += new.classes }
        return keep(vocoder.append(new.units))
    }

    /// The rest; empty when the whole reply is silence (no unit at all).
    mutating func finish() -> [Float] { keep(vocoder.finish()) }

    private mutating func keep(_ samples: [Float]) -> [Float] {
        if keepsAll { wave += samples }
        return samples
    }

    func record(_ trace: Trace?) {
        trace?.record("ctc_argmax", classes)
        trace?.record("units", units)
        trace?.record("durations", vocoder.durations.map(Int32.init))
        trace?.record("waveform", wave)
    }
}
