// Positions on three axes (time, height, width) and the rotation angles they give (M-RoPE, LYRA.md section 1).
import Foundation
import MLX

/// Positions of a run of tokens on the three axes.
public struct Positions: Equatable, Sendable {
    public private(set) var time: [Int32] = []
    public private(set) var height: [Int32] = []
    public private(set) var width: [Int32] = []
    /// The position the next token takes: the maximum so far plus one.
    public private(set) var next: Int32

    public init(startingAt next: Int32 = 0) { self.next = next }

    public var count: Int { time.count }

    /// Text and speech: one step on all axes a token.
    public mutating func appendRun(_ count: Int) {
        let run = (0..<Int32(count)).map { next + $0 }
        time += run
        height += run
        width += run
        next += Int32(count)
    }

    /// A picture or video of the given token grid: indices on each axis, offset by the running maximum.
    public mutating func appendGrid(_ grid: PatchGrid) {
        for t in 0..<Int32(grid.time) {
            for h in 0..<Int32(grid.height) {
                for w in 0..<Int32(grid.width) {
                    time.append(next + t)
                    height.append(next + h)
                    width.append(next + w)
                }
            }
        }
        next += Int32(max(grid.time, grid.height, grid.width))
    }

    /// Goes on from an earlier place, as a turn does that sees nothing of those before it.
    package mutating func `continue`(at place: Int32) { next = place }
    /// Leaves positions out.
    package mutating func skip(_ count: Int32) { next += count }

    /// A whole other sequence, which keeps its own count.
    package mutating func append(_ other: Positions) {
        time += other.time
        height += other.height
        width += other.width
        next = max(next, other.next)
    }

    /// The first `count`; the token after them keeps its place.
    func prefix(_ count: Int) -> Positions {
        var result = selecting((0..<Int32(count)).map { $0 })
        if count < self.count { result.next = time[count] }
        return result
    }

    /// Those at `indices`, in that order.
    func selecting(_ indices: [Int32]) -> Positions {
        var result = Positions(startingAt: next)
        result.time = indices.map { time[Int($0)] }
        result.height = indices.map { height[Int($0)] }
        result.width = indices.map { width[Int($0)] }
        return result
    }

    /// [3, count]
    public var array: MLXArray { MLXArray(time + height + width, [3, count]) }
}

/// Rotation angles of M-RoPE: frequency pair i turns with the axis its section belongs to.
struct RotaryTable {
    private let frequencies: [Float]
    private let axis: [Int]

    /// `sections`: frequency pairs per axis; [pairs, 0, 0] gives the ordinary one-dimensional table.
    init(headDimension: Int, theta: Float, sections: [Int]) {
        frequencies = (0..<(headDimension / 2)).map {
            Float(1 / pow(Double(theta), Double(Float(2 * $0) / Float(headDimension))))
        }
        axis = sections.enumerated().flatMap { Array(repeating: $0.offset, count: $0.element) }
    }

    /// -> cosines and sines, [count, headDim / 2] float32.
    func callAsFunction(_ positions: Positions) -> (cosine: MLXArray, sine: MLXArray) {
        let pairs = frequencies.count
        let axes = [positions.time, positions.height, positions.width]
        var cosine = [Float](repeating: 0, count: positions.count * pairs)
        var sine = cosine
        for i in 0..<positions.count {
            for pair in 0..<pairs {
                let angle = Float(axes[axis[pair]][i]) * frequencies[pair]
                cosine[i * pairs + pair] = Foundation.cos(angle)
                sine[i * pairs + pair] = Foundation.sin(angle)
            }
        }
        return (MLXArray(cosine, [positions.count, pairs]), MLXArray(sine, [positions.count, pairs]))
    }
}
