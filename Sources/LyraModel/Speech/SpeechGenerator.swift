// Speech generator (LYRA.md section 5): every text token's state becomes 25 frames, causal layers, CTC over units.
import Foundation
import MLX

/// Hidden states of the answer's tokens -> discrete speech units.
public struct SpeechGenerator {
    public let configuration: GeneratorConfiguration
    let inputProjection, outputProjection: Linear
    let layers: [DecoderLayer]
    let rotary: RotaryTable
    private let hiddenSize: Int
    /// The class that stands for no unit: the last.
    public var blank: Int32 { Int32(configuration.units) }

    package init(_ parameters: Parameters, _ language: LyraConfiguration, _ configuration: GeneratorConfiguration) {
        self.configuration = configuration
        hiddenSize = language.hiddenSize
        let sizes = configuration.layers
        let shape = DecoderLayerShape(
            width: sizes.width, intermediateSize: sizes.intermediateSize, queryHeads: sizes.heads,
            keyValueHeads: sizes.heads, epsilon: language.rmsNormEpsilon)
        inputProjection = Linear(
            parameters, "speech_generator.input_proj", in: language.hiddenSize, out: sizes.width, bias: true)
        layers = (0..<sizes.count).map { DecoderLayer(parameters, "speech_generator.layers.\($0)", shape) }
        outputProjection = Linear(
            parameters, "speech_generator.output_proj", in: sizes.width, out: configuration.units + 1, bias: true)
        rotary = RotaryTable(
            headDimension: shape.headDimension, theta: language.ropeTheta, sections: [shape.headDimension / 2, 0, 0])
    }

    /// What the generator remembers of the frames so far.
    public struct State {
        var caches: [KVCache]
        var frames = 0
        var lastClass: Int32?
    }

    public func newState() -> State {
        var state = State(caches: layers.map { _ in KVCache() })
        let count = configuration.leadIn
        if count > 0 { _ = run(broadcast(silence, to: [count, configuration.layers.width]), state: &state) }
        return state
    }

    /// What a state of zeros is projected to, [1, width].
    var silence: MLXArray { inputProjection(.zeros([1, hiddenSize]), outputType: .float32) }

    /// Frames of new tokens. hidden: [tokens, hidden] -> log-probability-free scores [tokens * upsample, units + 1] float32.
    /// Causality makes them equal to those of the whole answer at once.
    public func logits(_ hidden: MLXArray, state: inout State) -> MLXArray {
        let factor = configuration.upsample, count = hidden.dim(0) * factor
        // Projected before it is repeated: the same numbers for a 25th of the work.
        let projected = inputProjection(hidden, outputType: .float32)
        let width = configuration.layers.width
        let frames = broadcast(projected.expandedDimensions(axis: 1), to: [hidden.dim(0), factor, width]).reshaped([count, width])
        return outputProjection(Kernel.convert(run(frames, state: &state), to: inputProjection.inputType), outputType: .float32)
    }

    /// The layers over new frames, [frames, width].
    private func run(_ frames: MLXArray, state: inout State) -> MLXArray {
        let count = frames.dim(0)
        var x = frames.expandedDimensions(axis: 0), positions = Positions(startingAt: Int32(state.frames))
        positions.appendRun(count)
        let rotation = rotary(positions)
        for i in layers.indices { x = layers[i](x, rotation, cache: &state.caches[i]) }
        state.frames += count
        return x[0]
    }

    /// Best class of every frame, and the units they add to what was emitted before: repeats merged, blanks dropped.
    public func units(_ hidden: MLXArray, state: inout State) -> (classes: [Int32], units: [Int32]) {
        let classes = argMax(logits(hidden, state: &state), axis: -1).asType(.int32).asArray(Int32.self)
        return (classes, collapse(classes, after: &state.lastClass))
    }

    /// CTC's reading of frame classes.
    func collapse(_ classes: [Int32], after last: inout Int32?) -> [Int32] {
        var units: [Int32] = []
        for value in classes {
            if value != last, value != blank { units.append(value) }
            last = value
        }
        return units
    }
}
