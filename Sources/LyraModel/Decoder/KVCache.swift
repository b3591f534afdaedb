// Keys and values of the tokens a layer has seen. A value: copying a conversation copies its caches (lazily).
import MLX

/// How keys and values are kept.
public enum CacheFormat: String, Sendable, CaseIterable, Codable {
    /// In the type they are computed in.
    case exact
    /// In 8-bit integers, 64 (or 32) of a head with a scale and a bias: about half the memory of bf16. They are widened as they
    /// are read, so new tokens take longer.
    case int8

    /// Integers that share a scale; nil where heads of this width are kept as they are.
    func groupSize(_ headDimension: Int) -> Int? {
        self == .exact ? nil : [64, 32].first { headDimension % $0 == 0 }
    }
}

/// One layer's keys and values, in buffers with room for more.
public struct KVCache {
    let format: CacheFormat
    private var keyRows = RowBuffer(), valueRows = RowBuffer()
    /// What keys and values are computed in.
    private var type = DType.float32
    private var headDimension = 0
    public private(set) var length = 0
    /// Rows that buffers get at least when they grow.
    private var reserved = 256

    public init(_ format: CacheFormat = .exact) { self.format = format }

    /// Keys of all tokens so far: [1, length, kvHeads, headDim].
    public var keys: MLXArray? { all(keyRows) }
    public var values: MLXArray? { all(valueRows) }
    /// What is to be computed to have the cache up to date.
    var arrays: [MLXArray] { keyRows.parts + valueRows.parts }
    /// Bytes of the rows that are filled.
    var filledBytes: Int { arrays.reduce(0) { $0 + $1.nbytes / max(1, $1.dim(1)) * length } }
    /// Bytes all buffers take.
    public var bytes: Int { arrays.reduce(0) { $0 + $1.nbytes } }

    /// Adds the keys and values of new tokens, [1, n, kvHeads, headDim]; returns all.
    mutating func append(_ key: MLXArray, _ value: MLXArray) -> (keys: MLXArray, values: MLXArray) {
        (type, headDimension) = (key.dtype, key.dim(3))
        let needed = length + key.dim(1), capacity = capacity(for: needed)
        keyRows.write(packed(key), at: length, capacity: capacity)
        valueRows.write(packed(value), at: length, capacity: capacity)
        length = needed
        return (keys ?? key, values ?? value)
    }

    private func capacity(for rows: Int) -> Int { rows <= reserved ? reserved : rows + max(256, rows / 8) }

    /// Whether it holds keys and values as they are.
    func storesRows(_ headDimension: Int) -> Bool { format.groupSize(headDimension) == nil }

    /// Moves the cache out and leaves an empty one.
    mutating func take() -> KVCache {
        defer { self = KVCache(format) }
        return self
    }

    /// Hands over the buffers, with room for rows [1, count, kvHeads, headDim] that others write; ``giveBack(_:written:)``
    /// ends it. Only where ``storesRows(_:)``.
    mutating func lend(_ count: Int, heads: Int, headDimension: Int, type: DType) -> Kernel.DecoderRun {
        (self.type, self.headDimension) = (type, headDimension)
        let capacity = capacity(for: length + count), row = [1, count, heads, headDimension]
        return Kernel.DecoderRun(
            tokens: count, past: length, keys: keyRows.lend(row, type, at: length, capacity: capacity),
            values: valueRows.lend(row, type, at: length, capacity: capacity))
    }

    /// Takes the buffers back; `written`: whether the new rows are in them.
    mutating func giveBack(_ run: Kernel.DecoderRun, written: Bool) {
        keyRows = RowBuffer(parts: [run.keys])
        valueRows = RowBuffer(parts: [run.values])
        if written { length += run.tokens }
    }

    /// Tells how many rows there will be, and a few for the answer, so that buffers grow but once and no more than that.
    mutating func reserve(_ rows: Int) { reserved = max(reserved, rows + 256) }

    /// Forgets all tokens from `length` on.
    mutating func truncate(to length: Int) { self.length = min(self.length, length) }

    /// What is stored of rows: themselves, or integers, scales and biases.
    private func packed(_ rows: MLXArray) -> [MLXArray] {
        guard let group = format.groupSize(headDimension) else { return [rows] }
        let lead = Array(rows.shape.dropLast())
        let matrix = Kernel.quantize(rows.reshaped([lead.reduce(1, *), headDimension]), groupSize: group, bits: 8)
        return [matrix.weight, matrix.scales, matrix.biases].map { $0.reshaped(lead + [$0.dim(1)]) }
    }

    private func all(_ rows: RowBuffer) -> MLXArray? {
        guard !rows.parts.isEmpty else { return nil }
        let filled = rows.parts.map { $0[0..., ..<length] }
        guard let group = format.groupSize(headDimension), filled.count == 3 else { return filled[0] }
        let flat = filled.map { $0.reshaped([$0.dim(1) * $0.dim(2), $0.dim(3)]) }
        let matrix = QuantizedMatrix(weight: flat[0], scales: flat[1], biases: flat[2], groupSize: group, bits: 8)
        return Kernel.dequantize(matrix, to: type).reshaped([1, length, filled[0].dim(2), headDimension])
    }
}

/// Arrays [1, capacity, heads, n] whose rows are filled one after the other.
private struct RowBuffer {
    private(set) var parts: [MLXArray] = []

    /// Moves the one buffer out, with room for `rows` from `start` on.
    mutating func lend(_ rows: [Int], _ type: DType, at start: Int, capacity: Int) -> MLXArray {
        let buffer = parts.popLast()
        return Self.room(for: rows, type, in: buffer, at: start, capacity: capacity)
    }

    /// Writes rows at `start`; buffers that are too small grow to `capacity`.
    mutating func write(_ rows: [MLXArray], at start: Int, capacity: Int) {
        // Moved out of the struct: with no other owner MLX writes in place.
        var old: [MLXArray?] = parts
        parts = []
        for (i, new) in rows.enumerated() {
            parts.append(Self.write(new, into: i < old.count ? old[i].take() : nil, at: start, capacity: capacity))
        }
    }

    private static func write(_ rows: MLXArray, into buffer: consuming MLXArray?, at start: Int, capacity: Int) -> MLXArray {
        let target = room(for: rows.shape, rows.dtype, in: buffer, at: start, capacity: capacity)
        return sliceUpdate(target, update: rows, start: MLXArray([Int32(start)], [1]), axes: [1])
    }

    /// The buffer, or one of `capacity` rows with its first `start`.
    private static func room(
        for rows: [Int], _ type: DType, in buffer: consuming MLXArray?, at start: Int, capacity: Int
    ) -> MLXArray {
        if let buffer, buffer.dim(1) >= start + rows[1] { return buffer }
        var shape = rows
        shape[1] = capacity - start
        let fresh = MLXArray.zeros(shape, dtype: type)
        return buffer.map { concatenated([$0[0..., ..<start], fresh], axis: 1) } ?? fresh
    }
}

extension Optional where Wrapped: AnyObject {
    /// Moves the value out and leaves nil.
    fileprivate mutating func take() -> Wrapped? {
        defer { self = nil }
        return self
    }
}
