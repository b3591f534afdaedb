// Where an answer looked: what its tokens attended to, read off the caches once it is there.
import MLX

extension Decoder {
    /// Brings text that the state lacks through all layers, and tells what it attends to.
    ///
    /// - Returns: for each layer one value, 0...1, for every row that its cache held before: the most that a head of one of the
    ///   text's tokens attends to it.
    public func attention(of text: Input, state: inout DecoderState, adapter: Adapter? = nil) -> [[Float]] {
        let rotation = rotary(text.positions), lengths = state.lengths
        var x = text.embeddings.expandedDimensions(axis: 0), result: [[Float]] = []  // [1, n, hidden]
        for i in layers.indices {
            let queries = layers[i].queries(x, rotation, adapter: adapter)
            x = layers[i](x, rotation, cache: &state.caches[i], adapter: adapter)
            guard let keys = state.caches[i].keys else { continue }
            result.append(Self.mostAttention(queries[0], keys[0], scale: layers[i].scale, rows: lengths[i]))
        }
        state.tokens += text.positions.count
        state.nextPosition = text.positions.next
        return result
    }

    /// - Parameters:
    ///   - queries: [n, query heads, head dimension], of the newest n tokens.
    ///   - keys: [length, key heads, head dimension]
    ///   - rows: how many of the keys are told of.
    private static func mostAttention(_ queries: MLXArray, _ keys: MLXArray, scale: Float, rows: Int) -> [Float] {
        let (count, heads, length) = (queries.dim(0), keys.dim(1), keys.dim(0)), group = queries.dim(1) / heads
        // Token t sees all but those of the text after it.
        let places = MLXArray((0..<Int32(length)).map { $0 }, [1, 1, length])
        let isHidden = places .> MLXArray((0..<Int32(count)).map { Int32(length - count) + $0 }, [count, 1, 1])
        var most = MLXArray.zeros([rows])
        for head in 0..<heads {  // one at a time, for memory's sake
            let asked = queries[0..., (head * group)..<((head + 1) * group)].asType(.float32).reshaped([count * group, queries.dim(2)])
            let scores = matmul(asked, keys[0..., head].asType(.float32).transposed()).reshaped([count, group, length]) * scale
            let attention = softmax(which(isHidden, MLXArray(-Float.infinity), scores), axis: -1)
            most = maximum(most, attention.max(axes: [0, 1])[..<rows])
            eval(most)
        }
        return most.asArray(Float.self)
    }
}
