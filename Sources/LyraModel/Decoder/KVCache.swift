// Keys and values of the tokens a layer has seen. A value: copying a conversation copies its caches (lazily).
import MLX

/// How keys and values are kept.
public enum CacheFormat: String, Sendable, CaseIterable, Codable {
    /// In the type they are computed in.
    case exact
}

/// One layer's keys and values, in buffers with room for more.
public struct KVCache {
    let format: CacheFormat
    /// [1, capacity, kvHeads, headDim]; the first `length` rows are filled.
    private var keyBuffer: MLXArray?
    private var valueBuffer: MLXArray?
    public private(set) var length = 0
    /// Rows that buffers get at least when they grow.
    private var reserved = 256

    public init(_ format: CacheFormat = .exact) { self.format = format }

    /// Keys of all tokens so far: [1, length, kvHeads, headDim].
    public var keys: MLXArray? { keyBuffer.map { $0[0..., ..<length] } }
    public var values: MLXArray? { valueBuffer.map { $0[0..., ..<length] } }
    /// What is to be computed to have the cache up to date.
    var arrays: [MLXArray] { [keyBuffer, valueBuffer].compactMap { $0 } }
    /// Bytes of the rows that are filled.
    var filledBytes: Int { arrays.reduce(0) { $0 + $1.nbytes / max(1, $1.dim(1)) * length } }
    /// Bytes both buffers take.
    public var bytes: Int { (keyBuffer?.nbytes ?? 0) + (valueBuffer?.nbytes ?? 0) }

    /// Adds the keys and values of new tokens, [1, n, kvHeads, headDim]; returns all.
    mutating func append(_ key: MLXArray, _ value: MLXArray) -> (keys: MLXArray, values: MLXArray) {
        let added = key.dim(1)
        keyBuffer = write(key, into: keyBuffer.take())
        valueBuffer = write(value, into: valueBuffer.take())
        length += added
        return (keys ?? key, values ?? value)
    }

    /// Tells how many rows there will be, and a few for the answer, so that buffers grow but once and no more than that.
    mutating func reserve(_ rows: Int) { reserved = max(reserved, rows + 256) }

    /// Forgets all tokens from `length` on.
    mutating func truncate(to length: Int) { self.length = min(self.length, length) }

    /// `buffer` is consumed: with no other owner MLX writes in place.
    private func write(_ rows: MLXArray, into buffer: consuming MLXArray?) -> MLXArray {
        let needed = length + rows.dim(1)
        let target: MLXArray
        if let buffer, buffer.dim(1) >= needed {
            target = buffer
        } else {
            var shape = rows.shape
            shape[1] = (needed <= reserved ? reserved : needed + max(256, needed / 8)) - length
            let fresh = MLXArray.zeros(shape, dtype: rows.dtype)
            target = buffer.map { concatenated([$0[0..., ..<length], fresh], axis: 1) } ?? fresh
        }
        return sliceUpdate(target, update: rows, start: MLXArray([Int32(length)], [1]), axes: [1])
    }
}

extension Optional where Wrapped: AnyObject {
    /// Moves the value out and leaves nil.
    fileprivate mutating func take() -> Wrapped? {
        defer { self = nil }
        return self
    }
}
