// k-means finds clusters that are there; units by frame and by run are each other's.
import Foundation
@testable import LyraTraining
import MLX
import Testing

@Suite struct KMeansTests {
    /// 600 points around 12 corners of a cube in 5 dimensions.
    private func points() -> (points: MLXArray, corner: [Int]) {
        let corners = (0..<12).map { c in (0..<5).map { Float(c >> $0 & 1) * 10 + Float(c) } }
        let noise = MLXRandom.normal([600, 5], key: MLXRandom.key(3)).asArray(Float.self)
        let corner = (0..<600).map { $0 * 7 % 12 }
        let values = corner.enumerated().flatMap { point, c in (0..<5).map { corners[c][$0] + 0.3 * noise[point * 5 + $0] } }
        return (MLXArray(values, [600, 5]), corner)
    }

    @Test(arguments: [1, 2, 3] as [UInt64]) func separateClustersAreFound(seed: UInt64) {
        let (points, corner) = points()
        var distances: [Double] = []
        let means = KMeans.fit(points, clusters: 12, seed: seed) { distances.append($1) }
        let found = means.assign(points)
        // Points share a cluster exactly if they share a corner.
        #expect(Set(zip(corner, found).map { "\($0) \($1)" }).count == 12)
        #expect(zip(distances, distances.dropFirst()).allSatisfy { $1 <= $0 * 1.0001 })
        #expect(abs((distances.last ?? 0) - 5 * 0.09) < 0.1)
    }

    @Test func theSameSeedGivesTheSame() throws {
        let (points, _) = points()
        let a = try KMeans.fit(points, clusters: 30, seed: 9), b = try KMeans.fit(points, clusters: 30, seed: 9)
        #expect(a.centroids.asArray(Float.self) == b.centroids.asArray(Float.self))
        // The nearest centre, by plain distances.
        let centres = a.centroids.asArray(Float.self), values = points.asArray(Float.self)
        let nearest = (0..<600).map { point in
            (0..<30).min { x, y in
                func distance(_ c: Int) -> Float { (0..<5).reduce(0) { $0 + pow(values[point * 5 + $1] - centres[c * 5 + $1], 2) } }
                return distance(x) < distance(y)
            }
        }
        #expect(a.assign(points).map(Int.init) == nearest.compactMap { $0 })
    }

    /// Every sequence of centres is tried.
    @Test(arguments: [0, 0.5, 2, 100] as [Float]) func changesOfTheCentreHaveAPrice(cost: Float) {
        let centres: [Float] = [0, 1, 2.5], values: [Float] = [0.1, 0.7, 0.4, 1.2, 2.2, 1.6, 0.9]
        let means = KMeans(centroids: MLXArray(centres, [3, 1]))
        let distances = values.map { value in centres.map { ($0 - value) * ($0 - value) } }
        let price = cost * distances.map { $0.min() ?? 0 }.reduce(0, +) / Float(values.count)
        var best = (total: Float.infinity, centres: [Int32]())
        for number in 0..<2_187 {  // 3^7
            var rest = number
            let tried = values.map { _ in
                defer { rest /= 3 }
                return Int32(rest % 3)
            }
            let changes = zip(tried, tried.dropFirst()).filter { $0 != $1 }.count
            let total = zip(distances, tried).reduce(Float(changes) * price) { $0 + $1.0[Int($1.1)] }
            if total < best.total { best = (total, tried) }
        }
        #expect(means.follow(MLXArray(values, [7, 1]), changeCost: cost) == best.centres)
    }

    @Test func moreClustersThanDistinctPointsEnd() throws {
        let points = MLXArray([Float](repeating: 1, count: 40), [20, 2])
        let means = try KMeans.fit(points, clusters: 5, seed: 0)
        #expect(Set(means.assign(points)).count == 1)
    }

    @Test func runsAndLinesOfUnits() throws {
        let runs = UnitFrames.runs([3, 3, 3, 1, 3, 3])
        #expect(runs.units == [3, 1, 3] && runs.lengths == [3, 1, 2])
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("units-\(UUID().uuidString).txt").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        try (UnitFrames.line("a|b", [3, 3, 1]) + UnitFrames.line("c", [0])).write(toFile: path, atomically: true, encoding: .utf8)
        #expect(throws: DataFileError.self) { try UnitFrames.load(path) }  // a bar in an id
        try UnitFrames.line("c", [3, 3, 1]).write(toFile: path, atomically: true, encoding: .utf8)
        #expect(try UnitFrames.load(path) == ["c": [3, 3, 1]])
        #expect(throws: DataFileError.self) { try UnitFrames.load(path + ".none") }
    }
}
