// What can stand in a subscript of an array, and what it means for a given shape.
import CMLX

/// What can stand in a subscript of an ``MLXArray``: numbers, ranges, ``ellipsis``, ``newAxis``, ``stride(from:to:by:)``
/// and arrays of integers. Negative numbers count from the end.
public protocol MLXArrayIndex {
    /// What it does.
    var mlxArrayIndexOperation: MLXArrayIndexOperation { get }
}

/// What one index of a subscript does.
public enum MLXArrayIndexOperation {
    /// Stands for as many whole axes as the others leave.
    case ellipsis
    /// Makes an axis of length 1.
    case newAxis
    /// Picks one position; the axis goes.
    case index(Int)
    /// Picks positions; nil means from the first, to the end.
    case slice(start: Int?, stop: Int?, stride: Int)
    /// Picks positions from an array of integers (its axes take the place of the one it stands for), or, for an array
    /// of `bool`, names what is assigned to.
    case array(MLXArray)
}

/// An index that is none of the types that Swift has: made by the static members of ``MLXArrayIndex``.
public struct MLXSpecialIndex: MLXArrayIndex {
    public let mlxArrayIndexOperation: MLXArrayIndexOperation
}

extension MLXArrayIndex where Self == MLXSpecialIndex {
    /// As many whole axes as the other indices leave.
    public static var ellipsis: MLXSpecialIndex { MLXSpecialIndex(mlxArrayIndexOperation: .ellipsis) }
    /// An axis of length 1.
    public static var newAxis: MLXSpecialIndex { MLXSpecialIndex(mlxArrayIndexOperation: .newAxis) }
    /// Every `by`-th position; a negative step goes backwards.
    public static func stride(from start: Int? = nil, to stop: Int? = nil, by step: Int = 1) -> MLXSpecialIndex {
        require(step != 0, "a stride of 0")
        return MLXSpecialIndex(mlxArrayIndexOperation: .slice(start: start, stop: stop, stride: step))
    }
}

extension Int: MLXArrayIndex {
    public var mlxArrayIndexOperation: MLXArrayIndexOperation { .index(self) }
}
extension MLXArray: MLXArrayIndex {
    public var mlxArrayIndexOperation: MLXArrayIndexOperation { .array(self) }
}
extension Range: MLXArrayIndex where Bound == Int {
    public var mlxArrayIndexOperation: MLXArrayIndexOperation { .slice(start: lowerBound, stop: upperBound, stride: 1) }
}
extension ClosedRange: MLXArrayIndex where Bound == Int {
    public var mlxArrayIndexOperation: MLXArrayIndexOperation {
        .slice(start: lowerBound, stop: upperBound == -1 ? nil : upperBound + 1, stride: 1)
    }
}
extension PartialRangeFrom: MLXArrayIndex where Bound == Int {
    public var mlxArrayIndexOperation: MLXArrayIndexOperation { .slice(start: lowerBound, stop: nil, stride: 1) }
}
extension PartialRangeUpTo: MLXArrayIndex where Bound == Int {
    public var mlxArrayIndexOperation: MLXArrayIndexOperation { .slice(start: nil, stop: upperBound, stride: 1) }
}
extension PartialRangeThrough: MLXArrayIndex where Bound == Int {
    public var mlxArrayIndexOperation: MLXArrayIndexOperation {
        .slice(start: nil, stop: upperBound == -1 ? nil : upperBound + 1, stride: 1)
    }
}

/// A subscript worked out for a shape: a slice of the array, then which axes of the slice stay, go or are made.
struct ResolvedIndices {
    /// What becomes of the axes of the slice, in the order of the result.
    enum Item {
        /// Axis of the slice that stays.
        case keep(Int)
        /// Axis of the slice, of length 1, that goes.
        case drop(Int)
        /// A new axis of length 1.
        case new
        /// Axis of the slice that an array of positions picks from.
        case array(Int, MLXArray)
    }

    var start: [Int32] = []
    var stop: [Int32] = []
    var strides: [Int32] = []
    /// Lengths of the slice.
    var lengths: [Int] = []
    var items: [Item] = []
    /// Whether the slice is the whole array as it is.
    var isWhole = true

    init(_ indices: [any MLXArrayIndex], shape: [Int]) {
        let operations = indices.map(\.mlxArrayIndexOperation)
        let consumed = operations.count {
            switch $0 {
            case .index, .slice, .array: true
            case .ellipsis, .newAxis: false
            }
        }
        require(consumed <= shape.count, "\(consumed) indices for an array with shape \(shape)")
        let rest = shape.count - consumed
        var seenEllipsis = false

        for operation in operations {
            switch operation {
            case .ellipsis:
                require(!seenEllipsis, "more than one ellipsis in a subscript")
                seenEllipsis = true
                for _ in 0..<rest { whole(shape) }
            case .newAxis: items.append(.new)
            case .index(let position): pick(position, shape)
            case .slice(let first, let end, let step): slice(first, end, step, shape)
            case .array(let positions):
                items.append(.array(start.count, positions))
                axis(0, shape[start.count], 1, length: shape[start.count])
            }
        }
        while start.count < shape.count { whole(shape) }
    }

    var arrays: [MLXArray] {
        items.compactMap { if case .array(_, let positions) = $0 { positions } else { nil } }
    }

    private mutating func axis(_ first: Int, _ end: Int, _ step: Int, length: Int) {
        start.append(int32(first))
        stop.append(int32(end))
        strides.append(int32(step))
        lengths.append(length)
    }

    private mutating func whole(_ shape: [Int]) {
        items.append(.keep(start.count))
        axis(0, shape[start.count], 1, length: shape[start.count])
    }

    private mutating func pick(_ position: Int, _ shape: [Int]) {
        let length = shape[start.count]
        require(position >= -length && position < length, "index \(position) of an axis of length \(length)")
        let at = position < 0 ? position + length : position
        items.append(.drop(start.count))
        axis(at, at + 1, 1, length: 1)
        isWhole = false
    }

    private mutating func slice(_ first: Int?, _ end: Int?, _ step: Int, _ shape: [Int]) {
        let length = shape[start.count]
        // Positions are brought into the axis as Python does; a backward slice may stop before the first element, which
        // MLX wants as a stop below -length.
        func bounded(_ value: Int, _ low: Int, _ high: Int) -> Int {
            Swift.min(Swift.max(value < 0 ? value + length : value, low), high)
        }
        let (from, to, count): (Int, Int, Int)
        if step > 0 {
            from = first.map { bounded($0, 0, length) } ?? 0
            to = end.map { bounded($0, 0, length) } ?? length
            count = to > from ? (to - from + step - 1) / step : 0
        } else {
            from = first.map { bounded($0, -1, length - 1) } ?? length - 1
            to = end.map { bounded($0, -1, length - 1) } ?? -1
            count = from > to ? (from - to - step - 1) / -step : 0
        }
        items.append(.keep(start.count))
        axis(from, to < 0 ? -length - 1 : to, step, length: count)
        if from != 0 || to != length || step != 1 { isWhole = false }
    }
}
