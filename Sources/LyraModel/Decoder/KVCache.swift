// Keys and values of the tokens a layer has seen. A value: copying a conversation copies its caches (lazily).
import MLX

/// One layer's keys and values, in buffers that grow by doubling.
public struct KVCache {
    /// [1, capacity, kvHeads, headDim]; the first `length` rows are filled.
    private var keyBuffer: MLXArray?
    private var valueBuffer: MLXArray?
    public private(set) var length = 0

    public init() {}

    /// Keys of all tokens so far: [1, length, kvHeads, headDim].
    public var keys: MLXArray? { keyBuffer.map { $0[0..., ..<length] } }
    public var values: MLXArray? { valueBuffer.map { $0[0..., ..<length] } }
    /// Bytes both buffers take.
    public var bytes: Int { (keyBuffer?.nbytes ?? 0) + (valueBuffer?.nbytes ?? 0) }

    /// Adds the keys and values of new tokens, [1, n, kvHeads, headDim]; returns all.
    mutating func append(_ key: MLXArray, _ value: MLXArray) -> (keys: MLXArray, values: MLXArray) {
        let added = key.dim(1)
        keyBuffer = Self.write(key, into: keyBuffer.take(), at: length)
        valueBuffer = Self.write(value, into: valueBuffer.take(), at: length)
        length += added
        return (keys ?? key, values ?? value)
    }

    /// Forgets all tokens from `length` on.
    mutating func truncate(to length: Int) { self.length = min(self.length, length) }

    /// `buffer` is consumed: with no other owner MLX writes in place.
    private static func write(_ rows: MLXArray, into buffer: consuming MLXArray?, at start: Int) -> MLXArray {
        let needed = start + rows.dim(1)
        let target: MLXArray
        if let buffer, buffer.dim(1) >= needed {
            target = buffer
        } else {
            let old = buffer?.dim(1) ?? 0
            let capacity = max(256, needed + needed / 4, min(old * 2, old + 8_192))
            var shape = rows.shape
            shape[1] = capacity - start
            let fresh = MLXArray.zeros(shape, dtype: rows.dtype)
            target = buffer.map { concatenated([$0[0..., ..<start], fresh], axis: 1) } ?? fresh
        }
        return sliceUpdate(target, update: rows, start: MLXArray([Int32(start)], [1]), axes: [1])
    }
}

extension Optional where Wrapped: AnyObject {
    /// Moves the value out and leaves nil.
    fileprivate mutating func take() -> Wrapped? {
        defer { self = nil }
        return self
    }
}
