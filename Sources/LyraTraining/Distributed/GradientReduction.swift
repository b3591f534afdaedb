// Sums of gradients over processes, a bucket at a time.
import MLX

/// Adds up arrays over all processes.
///
/// Arrays are joined to buckets, for a message costs as much as some hundred kilobytes of it. All processes give arrays of
/// the same shapes in the same order.
public struct GradientReduction {
    public let group: DistributedGroup
    /// How many bytes a bucket may have; an array that has more is one by itself.
    public let bucketBytes: Int

    public init(_ group: DistributedGroup, bucketBytes: Int = 32 << 20) {
        (self.group, self.bucketBytes) = (group, bucketBytes)
    }

    /// The sums over all processes.
    /// - Throws: ``MLXError`` where an array cannot be computed or a process is gone.
    public func sum(_ arrays: [MLXArray]) throws -> [MLXArray] {
        guard group.size > 1 else { return arrays }
        // Before they are sent: the order of messages must not depend on how arrays come about.
        try checkedEval(arrays)
        var result: [MLXArray] = []
        for bucket in Self.buckets(arrays.map { (bytes: $0.nbytes, type: $0.dtype) }, limit: bucketBytes) {
            let parts = arrays[bucket]
            let sums = group.allSum(parts.count == 1 ? parts[bucket.lowerBound] : concatenated(parts.map { $0.flattened() }))
            try checkedEval(sums)
            if parts.count == 1 { result.append(sums) } else {
                var offset = 0
                for part in parts {
                    result.append(sums[offset..<(offset + part.size)].reshaped(part.shape))
                    offset += part.size
                }
            }
        }
        return result
    }

    /// The means over all processes.
    public func mean(_ arrays: [MLXArray]) throws -> [MLXArray] {
        try sum(arrays).map { $0 * (1 / Float(group.size)) }
    }

    /// Runs of arrays of one type that have at most `limit` bytes together, or are one.
    static func buckets(_ arrays: [(bytes: Int, type: DType)], limit: Int) -> [Range<Int>] {
        var result: [Range<Int>] = [], start = 0, filled = 0
        for (i, array) in arrays.enumerated() {
            if i > start, filled + array.bytes > limit || array.type != arrays[start].type {
                result.append(start..<i)
                (start, filled) = (i, 0)
            }
            filled += array.bytes
        }
        if start < arrays.count { result.append(start..<arrays.count) }
        return result
    }
}
