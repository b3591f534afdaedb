// The Qwen2-VL language model: embedding table, layers with caches and adapters, the extractor between blocks, the head.
import Foundation
import MLX

/// The causal language model.
public struct Decoder {
    public let configuration: LyraConfiguration
    public let embedding: Embedding
    var layers: [DecoderLayer]
    let norm: RMSNorm
    let head: Linear
    let rotary: RotaryTable
    /// Tokens that pass through a block of layers at a time in prefill, which bounds the size of activations.
    public var chunk = 512
    /// How new conversations keep their keys and values.
    public var cacheFormat = CacheFormat.exact

    package init(_ parameters: Parameters, _ configuration: LyraConfiguration) {
        self.configuration = configuration
        let hidden = configuration.hiddenSize
        let shape = DecoderLayerShape(configuration)
        embedding = Embedding(parameters, "model.embed_tokens", count: configuration.vocabularySize, width: hidden)
        layers = (0..<configuration.layers).map { DecoderLayer(parameters, "model.layers.\($0)", shape) }
        norm = RMSNorm(parameters, "model.norm", hidden, epsilon: configuration.rmsNormEpsilon)
        head =
            configuration.tiesEmbeddings
            ? Linear(parameters, sharing: embedding.weight, in: hidden, out: configuration.vocabularySize)
            : Linear(parameters, "lm_head", in: hidden, out: configuration.vocabularySize, bias: false)
        rotary = RotaryTable(
            headDimension: configuration.headDimension, theta: configuration.ropeTheta, sections: configuration.mropeSections)
    }

    package mutating func attach(
        _ adapter: Adapter, _ parameters: Parameters, prefix: String, rank: Int, scale: Float, dropout: Dropout? = nil
    ) {
        for i in layers.indices {
            layers[i].attach(adapter, parameters, prefix: prefix, rank: rank, scale: scale, dropout: dropout)
        }
    }

    public func newState() -> DecoderState { DecoderState(layers: layers.count, format: cacheFormat) }

    /// ids -> [n, hidden] float32.
    public func embed(_ ids: [Int32]) -> MLXArray { embedding(ids) }

    /// Hidden states -> logits, float32: [..., vocabulary].
    public func logits(_ hidden: MLXArray) -> MLXArray { head(hidden, outputType: .float32) }

    /// Bytes of weights that every new token reads: the matrices of all layers, and the head.
    public var weightBytes: Int { layers.reduce(head.nbytes) { $0 + $1.weightBytes } }

    /// A run of tokens to go through the model.
    public struct Input {
        /// [n, hidden] float32
        public var embeddings: MLXArray
        public var positions: Positions
        /// Which tokens are context (image, video, speech), for the extractor.
        public var isContext: [Bool]

        public init(embeddings: MLXArray, positions: Positions, isContext: [Bool]) {
            (self.embeddings, self.positions, self.isContext) = (embeddings, positions, isContext)
        }
    }

    /// Runs new tokens through all layers, chunk by chunk, and updates `state`; see ``Prefill``.
    ///
    /// - Parameters:
    ///   - allRows: whether the states of all surviving tokens are returned, or only the last one's.
    ///   - progress: called with the share done, 0...1; may throw to stop (cancellation). `state` is then unfinished.
    /// - Returns: final states after the last norm, [rows, hidden] in the compute type, and what the extractor did.
    public func callAsFunction(
        _ input: Input, state: inout DecoderState, adapter: Adapter? = nil, extractor: ExtractorOptions? = nil,
        allRows: Bool = false, progress: (Double) throws -> Void = { _ in }
    ) throws -> (hidden: MLXArray, extractions: [Extraction]) {
        var prefill = Prefill(self, input, state: state.take(), adapter: adapter, extractor: extractor, allRows: allRows)
        defer { state = prefill.state }
        repeat { try progress(prefill.share) } while prefill.advance()
        try progress(1)
        return (prefill.hidden ?? MLXArray.zeros([0, configuration.hiddenSize]), prefill.extractions)
    }

    /// Runs new text of several conversations through all layers at once, so that weights are read once for all.
    ///
    /// - Returns: for each run the states of all its tokens after the last norm, [n, hidden] in the compute type.
    public func callAsFunction(_ runs: [Input], states: inout [DecoderState], adapter: Adapter? = nil) -> [MLXArray] {
        var positions = Positions(), starts = [0]
        for run in runs {
            positions.append(run.positions)
            starts.append(positions.count)
        }
        let rotation = rotary(positions), lengths = runs.map(\.positions.count)
        var x = runs.count == 1 ? runs[0].embeddings : concatenated(runs.map(\.embeddings), axis: 0)
        x = x.expandedDimensions(axis: 0)  // [1, all, hidden]
        for (i, layer) in layers.enumerated() {
            var caches = states.indices.map { states[$0].caches[i].take() }
            x = layer(x, rotation, lengths: lengths, caches: &caches, adapter: adapter)
            for run in states.indices.reversed() { states[run].caches[i] = caches.removeLast() }
        }
        for (i, run) in runs.enumerated() {
            states[i].tokens += run.positions.count
            states[i].nextPosition = run.positions.next
        }
        let final = norm(x[0])
        return runs.indices.map { runs.count == 1 ? final : final[starts[$0]..<starts[$0 + 1]] }
    }
}
