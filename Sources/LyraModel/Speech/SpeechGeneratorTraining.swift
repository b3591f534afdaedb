// The speech generator as training runs it: whole answers end to end, without caches, differentiable.
import MLX

extension SpeechGenerator {
    /// Scores of the frames of several answers laid end to end; the same as ``logits(_:state:)`` gives for each of them where
    /// it has ``GeneratorConfiguration/upsample`` frames a token.
    ///
    /// Every answer has the lead-in before it, whose frames are left out of the result. Frame j of an answer of n tokens and f frames shows the state of token j / (f / n), in float32 as the original.
    ///
    /// - Parameters:
    ///   - hidden: [all tokens, hidden]
    ///   - tokens: of each answer, at least 1.
    ///   - frames: of each answer, at least as many.
    /// - Returns: [all frames, units + 1] float32.
    package func logits(_ hidden: MLXArray, tokens: [Int], frames: [Int]) -> MLXArray {
        var sources: [Int32] = [], said: [Int32] = [], segments = [0], firstToken = 0
        var positions = Positions(startingAt: 0)
        let leadIn = configuration.leadIn, zero = Int32(hidden.dim(0))
        for (count, length) in zip(tokens, frames) {
            let ratio = Float(length) / Float(count)
            sources += Array(repeating: zero, count: leadIn)
            said += (Int32(sources.count)..<Int32(sources.count + length))
            sources += (0..<length).map { Int32(firstToken + min(Int(Float($0) / ratio), count - 1)) }
            segments.append(sources.count)
            firstToken += count
            var own = Positions(startingAt: 0)
            own.appendRun(leadIn + length)
            positions.append(own)
        }
        var projected = inputProjection(hidden, outputType: .float32)
        if leadIn > 0 { projected = concatenated([projected, silence], axis: 0) }
        var x = projected[MLXArray(sources, [sources.count])].expandedDimensions(axis: 0)
        let rotation = rotary(positions)
        for layer in layers {
            x = layer(x, rotation, adapter: nil) { q, k, v in
                Kernel.attention(q, k, v, scale: layer.scale, causal: true, segments: segments)
            }
        }
        if leadIn > 0 { x = x[0..., MLXArray(said, [said.count])] }
        return outputProjection(Kernel.convert(x[0], to: inputProjection.inputType), outputType: .float32)
    }
}
