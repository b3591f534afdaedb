// The processes of a run: one, unless a launcher started several.
import Foundation
import MLX

/// This process among those that train together.
public struct ProcessGroup {
    public let rank: Int
    public let size: Int
    /// Sums over all processes; nil for a single one.
    let reducer: (any GradientReducer)?
    /// Whether this process writes files.
    var isFirst: Bool { rank == 0 }

    /// A single process.
    public init() { (rank, size, reducer) = (0, 1, nil) }
}
