// Clusters of points: k-means with the seeding of k-means++. Knows nothing of sound.
import Foundation
import LyraModel
import MLX

/// Centres of clusters, and which is nearest.
public struct KMeans {
    /// [clusters, dimensions] float32
    public let centroids: MLXArray
    private let halfNorms: MLXArray

    public init(centroids: MLXArray) {
        self.centroids = centroids
        halfNorms = square(centroids).sum(axis: 1) * Float(0.5)
        eval(halfNorms)
    }

    /// Number of the nearest centre of each point: [points, dimensions] -> [points].
    public func assign(_ points: MLXArray) -> [Int32] {
        var result: [Int32] = []
        for start in stride(from: 0, to: points.dim(0), by: 16_384) {
            let part = points[start..<min(points.dim(0), start + 16_384)]
            // |x - c|² is smallest where x c - |c|² / 2 is largest.
            let scores = Kernel.linear(part, weight: centroids) - halfNorms
            result += argMax(scores, axis: -1).asType(.int32).asArray(Int32.self)
        }
        return result
    }

    /// Centres of points that follow one another in time: those whose squared distances are least in all, where every change of the
    /// centre costs as much as `changeCost` times the mean squared distance from the nearest (Viterbi's algorithm; Kamper and van Niekerk
    /// 2021). With 0, the nearest.
    public func follow(_ points: MLXArray, changeCost: Float) -> [Int32] {
        guard changeCost > 0 else { return assign(points) }
        let count = points.dim(0), clusters = centroids.dim(0)
        // Half of the squared distances.
        let distances = square(points).sum(axis: 1, keepDims: true) * Float(0.5) + halfNorms - Kernel.linear(points, weight: centroids)
        let price = changeCost * max(0, distances.min(axis: 1).mean().item(Float.self))
        let costs = distances.asArray(Float.self)
        var best = Array(costs.prefix(clusters)), from = [Int32](repeating: 0, count: count * clusters)
        for point in 1..<max(1, count) {
            let cheapest = best.indices.min { best[$0] < best[$1] } ?? 0, change = best[cheapest] + price
            for cluster in 0..<clusters {
                let stays = best[cluster] <= change
                from[point * clusters + cluster] = stays ? Int32(cluster) : Int32(cheapest)
                best[cluster] = (stays ? best[cluster] : change) + costs[point * clusters + cluster]
            }
        }
        var result = [Int32](repeating: 0, count: count), at = Int32(best.indices.min { best[$0] < best[$1] } ?? 0)
        for point in stride(from: count - 1, through: 0, by: -1) {
            result[point] = at
            at = from[point * clusters + Int(at)]
        }
        return result
    }

    /// Clusters points (Lloyd's iterations from the seeds of Arthur and Vassilvitskii 2007). The same seed gives the same.
    ///
    /// - Parameters:
    ///   - points: `[points, dimensions]` float32, at least as many as clusters.
    ///   - progress: told of every iteration with the mean squared distance; may throw to stop.
    public static func fit(
        _ points: MLXArray, clusters: Int, seed: UInt64, iterations: Int = 60,
        progress: (_ iteration: Int, _ distance: Double) throws -> Void = { _, _ in }
    ) rethrows -> KMeans {
        let (count, width) = (points.dim(0), points.dim(1))
        precondition(clusters > 0 && clusters <= count, "\(clusters) clusters of \(count) points")
        let values = points.asArray(Float.self)
        var random = SplitMix64(state: seed)
        var centres = seeds(points, values, clusters, &random), last = Double.infinity
        for iteration in 0..<iterations {
            let means = KMeans(centroids: MLXArray(centres, [clusters, width]))
            let nearest = means.assign(points)
            var sums = [Double](repeating: 0, count: clusters * width), members = [Int](repeating: 0, count: clusters)
            var distance = 0.0, farthest = (distance: Float(-1), point: 0)
            values.withUnsafeBufferPointer { x in
                for (point, cluster) in nearest.enumerated() {
                    let (from, to) = (point * width, Int(cluster) * width)
                    var own: Float = 0
                    for i in 0..<width {
                        sums[to + i] += Double(x[from + i])
                        let difference = x[from + i] - centres[to + i]
                        own += difference * difference
                    }
                    members[Int(cluster)] += 1
                    distance += Double(own)
                    if own > farthest.distance { farthest = (own, point) }
                }
            }
            for cluster in 0..<clusters {
                for i in 0..<width {
                    // A cluster without points begins anew at the point that fits worst.
                    centres[cluster * width + i] =
                        members[cluster] > 0
                        ? Float(sums[cluster * width + i] / Double(members[cluster])) : values[farthest.point * width + i]
                }
            }
            try progress(iteration + 1, distance / Double(count))
            if last - distance < 1e-4 * distance, !members.contains(0) { break }
            last = distance
        }
        return KMeans(centroids: MLXArray(centres, [clusters, width]))
    }

    /// Points that are far from one another: each drawn by its squared distance to those before.
    private static func seeds(_ points: MLXArray, _ values: [Float], _ clusters: Int, _ random: inout SplitMix64) -> [Float] {
        let (count, width) = (points.dim(0), points.dim(1))
        let norms = square(points).sum(axis: 1).asArray(Float.self)
        var nearest = [Float](repeating: .infinity, count: count), centres: [Float] = []
        var chosen = Int.random(in: 0..<count, using: &random)
        while true {
            let centre = Array(values[(chosen * width)..<((chosen + 1) * width)])
            centres += centre
            guard centres.count < clusters * width else { return centres }
            let products = Kernel.linear(points, weight: MLXArray(centre, [1, width])).asArray(Float.self)
            var total = 0.0
            for i in 0..<count {
                nearest[i] = min(nearest[i], max(0, norms[i] + norms[chosen] - 2 * products[i]))
                total += Double(nearest[i])
            }
            // Points that all lie on centres: any.
            guard total > 0 else {
                chosen = Int.random(in: 0..<count, using: &random)
                continue
            }
            var mark = Double.random(in: 0..<total, using: &random)
            chosen = count - 1
            for i in 0..<count {
                mark -= Double(nearest[i])
                if mark < 0 {
                    chosen = i
                    break
                }
            }
        }
    }
}
