// A prompt on its way through the decoder: chunk by chunk, so that activations stay small, and block of layers by block of
// layers where the extractor drops tokens in between.
import MLX

/// A prompt under way. Between calls of ``advance()`` others may use the model; the state travels along and is taken out at the
/// end.
public struct Prefill {
    private let decoder: Decoder
    private let adapter: Adapter?
    private let extractor: ExtractorOptions?
    private let allRows: Bool
    /// Caches so far. Unfinished ones are good for going back to an earlier mark.
    public var state: DecoderState
    /// Layer counts at which blocks end.
    private let blocks: [Int]
    private let firstContext: Int?
    private let before: LeadingBlock.BeforeLeading
    /// Whether the context's first block has been computed for an earlier question.
    private let isResumed: Bool
    /// Tokens that take part, those of that first block included.
    private let total: Int

    /// Tokens that are still there, in order; the rows of the current block.
    private var positions: Positions
    private var isContext: [Bool]
    /// Their index in the prompt.
    private var original: [Int32]
    /// What the current block reads: rows from `sourceStart` on.
    private var source: MLXArray
    private var sourceStart: Int
    private var block = 0
    private var row: Int
    private var outputs: [MLXArray] = []
    private var queryRows: [Int32] = []
    private var queryInputs: [MLXArray] = []

    /// What the extractor did so far.
    public private(set) var extractions: [Extraction] = []
    /// Final states after the last norm, [rows, hidden] in the compute type, once all is done.
    public private(set) var hidden: MLXArray?

    /// - Parameters:
    ///   - state: what came before. If it stands at the end of a first block's context, the question chooses among that.
    ///   - allRows: whether the states of all surviving tokens are wanted, or only the last one's.
    public init(
        _ decoder: Decoder, _ input: Decoder.Input, state: consuming DecoderState, adapter: Adapter? = nil,
        extractor: ExtractorOptions? = nil, allRows: Bool = false
    ) {
        (self.decoder, self.adapter, self.extractor, self.allRows) = (decoder, adapter, extractor, allRows)
        let layers = decoder.layers.count
        let earlier = state.isAtLeading ? state.leading : nil
        isContext = (earlier?.isContext ?? []) + input.isContext
        firstContext = isContext.firstIndex(of: true)
        // Text after the first context token is the instruction. Without context there is nothing to extract.
        let ends = firstContext == nil ? [] : (extractor?.boundaries(layers: layers) ?? [])
        blocks = (earlier.map { leading in [leading.layers] + ends.filter { $0 > leading.layers } } ?? ends) + [layers]
        if let earlier {
            before = earlier.before
            positions = earlier.positions
            positions.append(input.positions)
            outputs = [earlier.hidden.dim(0) == earlier.count ? earlier.hidden : earlier.hidden[..<earlier.count]]
            if let inputs = earlier.queryInputs { queryInputs = [inputs] }
        } else {
            before = LeadingBlock.BeforeLeading(lengths: state.lengths, tokens: state.tokens)
            positions = input.positions
        }
        isResumed = earlier != nil
        total = positions.count
        self.state = state
        original = (0..<Int32(total)).map { $0 }
        source = input.embeddings
        sourceStart = earlier?.count ?? 0
        row = sourceStart
        beginBlock()
    }

    /// Share of the work done, roughly: layers times tokens.
    public var share: Double {
        let start = block == 0 ? 0 : Double(blocks[block - 1]), end = Double(blocks[min(block, blocks.count - 1)])
        guard block < blocks.count else { return 1 }
        let done = Double(row - sourceStart) / Double(max(1, positions.count - sourceStart))
        return (start + done * (end - start)) / Double(decoder.layers.count)
    }

    private var isLastBlock: Bool { block == blocks.count - 1 }
    private var layers: Range<Int> { (block == 0 ? 0 : blocks[block - 1])..<blocks[block] }

    private mutating func beginBlock() {
        queryRows =
            isLastBlock || extractor == nil
            ? [] : isContext.indices.filter { $0 > (firstContext ?? 0) && !isContext[$0] }.map(Int32.init)
        let new = positions.count - sourceStart
        for i in layers { state.caches[i].reserve(state.caches[i].length + new) }
    }

    /// One chunk of tokens through one block of layers; false when all is done.
    public mutating func advance() -> Bool {
        guard hidden == nil else { return false }
        let count = positions.count, to = min(count, row + decoder.chunk)
        let rotation = decoder.rotary(row == 0 && to == count ? positions : positions.selecting((Int32(row)..<Int32(to)).map { $0 }))
        var x = source[(row - sourceStart)..<(to - sourceStart)].expandedDimensions(axis: 0)  // [1, n, hidden]
        for i in layers {
            if i == layers.upperBound - 1, !queryRows.isEmpty {
                let wanted = queryRows.filter { $0 >= row && $0 < to }.map { $0 - Int32(row) }
                if !wanted.isEmpty { queryInputs.append(x[0][MLXArray(wanted, [wanted.count])]) }
            }
            x = decoder.layers[i](x, rotation, cache: &state.caches[i], adapter: adapter)
        }
        if !isLastBlock || allRows {
            outputs.append(x[0])
        } else if to == count {
            outputs = [x[0][(to - row - 1)...]]
        }
        if count > decoder.chunk || blocks.count > 1 {
            eval(state.caches[layers].flatMap(\.arrays) + (outputs.last.map { [$0] } ?? []) + (queryInputs.last.map { [$0] } ?? []))
        }
        row = to
        if row == count { endBlock() }
        return hidden == nil
    }

    private mutating func endBlock() {
        let output = outputs.count == 1 ? outputs[0] : concatenated(outputs, axis: 0)
        outputs = []
        guard !isLastBlock else {
            (state.tokens, state.nextPosition) = (before.tokens + total, positions.next)
            hidden = decoder.norm(output)
            return
        }
        let asked = queryInputs.isEmpty ? nil : queryInputs.count == 1 ? queryInputs[0] : concatenated(queryInputs, axis: 0)
        queryInputs = []
        if block == 0, extractor != nil, !isResumed || isContext[sourceStart...].contains(true) { keepLeading(output, asked) }
        source = output
        if let extractor, let asked, !queryRows.isEmpty { select(extractor, asked) }
        (block, row, sourceStart) = (block + 1, 0, 0)
        beginBlock()
    }

    /// Remembers the context's states, up to its last token.
    private mutating func keepLeading(_ output: MLXArray, _ asked: MLXArray?) {
        guard let last = isContext.lastIndex(of: true) else { return }
        let count = last + 1
        let between = queryRows.count { Int($0) < count }
        state.leading = LeadingBlock(
            layers: blocks[0], hidden: output, count: count, positions: positions.prefix(count),
            isContext: Array(isContext[..<count]), queryInputs: between == 0 ? nil : asked.map { $0[..<between] }, before: before)
    }

    /// Keeps the text and the context rows that it attends to most (eq. 4; softmax over all keys, no causal mask).
    private mutating func select(_ extractor: ExtractorOptions, _ asked: MLXArray) {
        let layer = layers.upperBound - 1, offset = Int32(before.tokens)
        guard let keys = state.caches[layer].keys else { return }
        let queries = decoder.layers[layer].queries(
            asked.expandedDimensions(axis: 0), decoder.rotary(positions.selecting(queryRows)), adapter: adapter)
        let all = Kernel.attentionScores(queries[0], keys[0], scale: decoder.layers[layer].scale).asArray(Float.self)
        let contextRows = isContext.indices.filter { isContext[$0] }.map(Int32.init)
        let first = state.caches[layer].length - isContext.count
        let scores = contextRows.map { all[first + Int($0)] }
        let kept = Set(Extraction.top(scores, count: extractor.kept(of: scores.count)).map { contextRows[$0] })
        let rows = isContext.indices.map(Int32.init).filter { !isContext[Int($0)] || kept.contains($0) }
        let candidates = contextRows.map { original[Int($0)] + offset }
        source = source[MLXArray(rows, [rows.count])]
        positions = positions.selecting(rows)
        original = rows.map { original[Int($0)] }
        isContext = rows.map { isContext[Int($0)] }
        extractions.append(
            Extraction(layer: layer, survivors: original.map { $0 + offset }, candidates: candidates, scores: scores))
    }
}
