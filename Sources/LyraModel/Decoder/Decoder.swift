// The Qwen2-VL language model: embedding table, layers with caches and adapters, the extractor between blocks, the head.
import Foundation
import MLX

/// What the decoder keeps between calls: caches of every layer, and where the next token stands.
public struct DecoderState {
    public internal(set) var caches: [KVCache]
    /// Position of the next token on all three axes.
    public internal(set) var nextPosition: Int32 = 0
    /// Tokens seen, survivors or not.
    public internal(set) var tokens = 0

    init(layers: Int) { caches = (0..<layers).map { _ in KVCache() } }

    /// A point to go back to. Caches only grow, so their lengths are enough.
    public struct Mark: Sendable {
        let lengths: [Int]
        let nextPosition: Int32
        let tokens: Int
    }
    public var mark: Mark { Mark(lengths: lengths, nextPosition: nextPosition, tokens: tokens) }

    /// The same with nothing in it.
    public var emptied: DecoderState { DecoderState(layers: caches.count) }

    /// Forgets everything after the mark.
    public mutating func rewind(to mark: Mark) {
        for i in caches.indices { caches[i].truncate(to: mark.lengths[i]) }
        (nextPosition, tokens) = (mark.nextPosition, mark.tokens)
    }

    /// Tokens each layer's cache holds.
    public var lengths: [Int] { caches.map(\.length) }
    /// Bytes the caches take.
    public var bytes: Int { caches.reduce(0) { $0 + $1.bytes } }
}

/// The causal language model.
public struct Decoder {
    public let configuration: LyraConfiguration
    /// [vocabulary, hidden]
    public let embedding: MLXArray
    var layers: [DecoderLayer]
    let norm: RMSNorm
    let head: Linear
    let rotary: RotaryTable
    /// Tokens that pass through a block of layers at a time in prefill, which bounds the size of activations.
    public var chunk = 512

    package init(_ parameters: Parameters, _ configuration: LyraConfiguration) {
        self.configuration = configuration
        let hidden = configuration.hiddenSize
        let shape = DecoderLayerShape(configuration)
        embedding = parameters.matrix("model.embed_tokens.weight", [configuration.vocabularySize, hidden])
        layers = (0..<configuration.layers).map { DecoderLayer(parameters, "model.layers.\($0)", shape) }
        norm = RMSNorm(parameters, "model.norm", hidden, epsilon: configuration.rmsNormEpsilon)
        head =
            configuration.tiesEmbeddings
            ? Linear(sharing: embedding, in: hidden, out: configuration.vocabularySize)
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

    public func newState() -> DecoderState { DecoderState(layers: layers.count) }

    /// ids -> [n, hidden] float32.
    public func embed(_ ids: [Int32]) -> MLXArray {
        guard !ids.isEmpty else { return MLXArray.zeros([0, configuration.hiddenSize]) }
        return embedding[MLXArray(ids, [ids.count])].asType(.float32)
    }

    /// Hidden states -> logits, float32: [..., vocabulary].
    public func logits(_ hidden: MLXArray) -> MLXArray { head(hidden, outputType: .float32) }

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

    /// Runs new tokens through all layers, chunk by chunk, and updates `state`.
    ///
    /// - Parameters:
    ///   - allRows: whether the states of all surviving tokens are returned, or only the last one's.
    ///   - progress: called with the share done, 0...1; may throw to stop (cancellation). `state` is then unusable.
    /// - Returns: final states after the last norm, [rows, hidden] in the compute type, and what the extractor did.
    public func callAsFunction(
        _ input: Input, state: inout DecoderState, adapter: Adapter? = nil, extractor: ExtractorOptions? = nil,
        allRows: Bool = false, progress: (Double) throws -> Void = { _ in }
    ) throws -> (hidden: MLXArray, extractions: [Extraction]) {
        let base = Int32(state.tokens)
        var hidden = input.embeddings
        var positions = input.positions
        var original = (0..<Int32(positions.count)).map { $0 }
        var isContext = input.isContext
        var extractions: [Extraction] = []
        // The instruction: text after the first context token. Without one there is nothing to extract by.
        let firstContext = isContext.firstIndex(of: true)
        let boundaries = firstContext == nil ? [] : (extractor?.boundaries(layers: layers.count) ?? [])
        var start = 0
        for end in boundaries + [layers.count] {
            let isLastBlock = end == layers.count
            let queryRows: [Int32] =
                isLastBlock ? [] : isContext.indices.filter { $0 > (firstContext ?? 0) && !isContext[$0] }.map(Int32.init)
            let (output, queryInputs) = try run(
                start..<end, hidden, positions, queryRows: queryRows, state: &state, adapter: adapter,
                lastRowOnly: isLastBlock && !allRows
            ) { share in
                try progress((Double(start) + share * Double(end - start)) / Double(layers.count))
            }
            hidden = output
            if let extractor, let queryInputs, !queryRows.isEmpty {
                let contextRows = isContext.indices.filter { isContext[$0] }.map(Int32.init)
                let scores = score(
                    layer: end - 1, queryInputs, positions.selecting(queryRows), contextRows: contextRows,
                    newTokens: isContext.count, state: state, adapter: adapter)
                let kept = Set(Extraction.top(scores, count: extractor.kept(of: scores.count)).map { contextRows[$0] })
                let rows = isContext.indices.map(Int32.init).filter { !isContext[Int($0)] || kept.contains($0) }
                let candidates = contextRows.map { original[Int($0)] + base }
                hidden = hidden[MLXArray(rows, [rows.count])]
                positions = positions.selecting(rows)
                original = rows.map { original[Int($0)] }
                isContext = rows.map { isContext[Int($0)] }
                extractions.append(
                    Extraction(layer: end - 1, survivors: original.map { $0 + base }, candidates: candidates, scores: scores))
            }
            start = end
        }
        state.tokens += input.positions.count
        state.nextPosition = input.positions.next
        return (norm(hidden), extractions)
    }

    /// One block of layers over all tokens, in chunks. Returns the block's output and, for the rows asked for, the input of
    /// its last layer.
    private func run(
        _ block: Range<Int>, _ hidden: MLXArray, _ positions: Positions, queryRows: [Int32], state: inout DecoderState,
        adapter: Adapter?, lastRowOnly: Bool, progress: (Double) throws -> Void
    ) throws -> (MLXArray, MLXArray?) {
        let count = positions.count
        var outputs: [MLXArray] = [], queryInputs: [MLXArray] = []
        for from in stride(from: 0, to: count, by: chunk) {
            let to = min(count, from + chunk)
            let rows = (Int32(from)..<Int32(to)).map { $0 }
            let rotation = rotary(to - from == count ? positions : positions.selecting(rows))
            var x = hidden[from..<to].expandedDimensions(axis: 0)  // [1, n, hidden]
            for i in block {
                if i == block.upperBound - 1, !queryRows.isEmpty {
                    let wanted = queryRows.filter { $0 >= from && $0 < to }.map { $0 - Int32(from) }
                    if !wanted.isEmpty { queryInputs.append(x[0][MLXArray(wanted, [wanted.count])]) }
                }
                x = layers[i](x, rotation, cache: &state.caches[i], adapter: adapter)
            }
            let last = to == count
            if !lastRowOnly {
                outputs.append(x[0])
            } else if last {
                outputs.append(x[0][(to - from - 1)...])
            }
            if count > chunk || !queryRows.isEmpty {
                eval(state.caches[block].flatMap { [$0.keys, $0.values].compactMap { $0 } } + (outputs.last.map { [$0] } ?? []))
            }
            try progress(Double(to) / Double(count))
        }
        let output = outputs.count == 1 ? outputs[0] : concatenated(outputs, axis: 0)
        guard !queryInputs.isEmpty else { return (output, nil) }
        return (output, queryInputs.count == 1 ? queryInputs[0] : concatenated(queryInputs, axis: 0))
    }

    /// Scores of the context rows among the newest `newTokens` of the layer's cache (eq. 4; softmax over all keys, no causal
    /// mask).
    private func score(
        layer: Int, _ queryInputs: MLXArray, _ positions: Positions, contextRows: [Int32], newTokens: Int,
        state: DecoderState, adapter: Adapter?
    ) -> [Float] {
        guard let keys = state.caches[layer].keys else { return [] }
        let queries = layers[layer].queries(queryInputs.expandedDimensions(axis: 0), rotary(positions), adapter: adapter)
        let all = Kernel.attentionScores(
            queries[0], keys[0], scale: layers[layer].scale
        ).asArray(Float.self)
        let offset = state.caches[layer].length - newTokens
        return contextRows.map { all[offset + Int($0)] }
    }
}
