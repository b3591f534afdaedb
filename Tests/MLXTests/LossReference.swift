// Plain formulas in double precision that the losses of training are checked against, with their gradients.
import Foundation

extension Reference {
    /// log sum exp(row) - row[target] of each row; 0 where the target is negative.
    static func crossEntropy(_ x: [Double], _ targets: [Int32], classes: Int) -> [Double] {
        targets.enumerated().map { row, target in
            guard target >= 0 else { return 0 }
            let part = x[row * classes..<(row + 1) * classes]
            let top = part.max() ?? 0
            return top + log(part.reduce(0) { $0 + exp($1 - top) }) - x[row * classes + Int(target)]
        }
    }

    /// Softmax minus onehot, times upstream.
    static func crossEntropyGradient(_ x: [Double], _ targets: [Int32], upstream: [Double], classes: Int) -> [Double] {
        targets.enumerated().flatMap { row, target in
            let part = x[row * classes..<(row + 1) * classes].map { $0 }
            guard target >= 0 else { return part.map { _ in 0.0 } }
            let top = part.max() ?? 0, total = part.reduce(0) { $0 + exp($1 - top) }
            return part.enumerated().map { c, v in
                upstream[row] * (exp(v - top) / total - (c == Int(target) ? 1 : 0))
            }
        }
    }

    /// D of all cells with a border of infinities before, [rows + 1][columns + 1].
    static func softDTWTable(_ cost: [Double], rows: Int, columns: Int, gamma: Double) -> [[Double]] {
        var d = [[Double]](repeating: [Double](repeating: .infinity, count: columns + 1), count: rows + 1)
        d[0][0] = 0
        for l in 1...rows {
            for s in 1...columns {
                let before = [d[l][s - 1], d[l - 1][s], d[l - 1][s - 1]]
                let low = before.min() ?? 0
                let soft =
                    low == .infinity ? low : low - gamma * log(before.reduce(0) { $0 + exp(-($1 - low) / gamma) })
                d[l][s] = cost[(l - 1) * columns + s - 1] + soft
            }
        }
        return d
    }

    static func softDTW(_ cost: [Double], rows: Int, columns: Int, gamma: Double) -> Double {
        softDTWTable(cost, rows: rows, columns: columns, gamma: gamma)[rows][columns]
    }

    /// How likely a path visits each cell.
    static func softDTWGradient(_ cost: [Double], rows: Int, columns: Int, gamma: Double) -> [Double] {
        let d = softDTWTable(cost, rows: rows, columns: columns, gamma: gamma)
        var e = [[Double]](repeating: [Double](repeating: 0, count: columns + 2), count: rows + 2)
        e[rows][columns] = 1
        for l in stride(from: rows, through: 1, by: -1) {
            for s in stride(from: columns, through: 1, by: -1) where (l, s) != (rows, columns) {
                for (nextL, nextS) in [(l + 1, s), (l, s + 1), (l + 1, s + 1)] where nextL <= rows && nextS <= columns {
                    let soft = d[nextL][nextS] - cost[(nextL - 1) * columns + nextS - 1]
                    e[l][s] += e[nextL][nextS] * exp((soft - d[l][s]) / gamma)
                }
            }
        }
        return (1...rows).flatMap { l in (1...columns).map { e[l][$0] } }
    }

    /// Minus the log probability that the frames of x [frames, classes] spell `targets`, and its gradient in x.
    static func ctc(_ x: [Double], _ targets: [Int], classes: Int, blank: Int) -> (loss: Double, gradient: [Double]) {
        let frames = x.count / classes
        let path = targets.flatMap { [blank, $0] } + [blank]
        let scores = (0..<frames).map { t in
            let row = x[t * classes..<(t + 1) * classes].map { $0 }
            let top = row.max() ?? 0, sum = top + log(row.reduce(0) { $0 + exp($1 - top) })
            return row.map { $0 - sum }
        }
        func add(_ terms: [Double]) -> Double {
            let top = terms.max() ?? -.infinity
            return top == -.infinity ? top : top + log(terms.reduce(0) { $0 + exp($1 - top) })
        }
        func skips(_ s: Int) -> Bool { s >= 2 && path[s] != blank && path[s] != path[s - 2] }
        let none = [Double](repeating: -.infinity, count: path.count)
        var forward = [[Double]](repeating: none, count: frames), backward = forward
        for t in 0..<frames {
            for s in path.indices {
                var ways = t == 0 ? (s < 2 ? [0.0] : []) : [forward[t - 1][s]]
                if t > 0, s > 0 { ways.append(forward[t - 1][s - 1]) }
                if t > 0, skips(s) { ways.append(forward[t - 1][s - 2]) }
                forward[t][s] = add(ways) + scores[t][path[s]]
            }
        }
        for t in stride(from: frames - 1, through: 0, by: -1) {
            for s in path.indices {
                guard t + 1 < frames else {
                    backward[t][s] = s + 2 >= path.count ? 0 : -.infinity
                    continue
                }
                var ways = [backward[t + 1][s] + scores[t + 1][path[s]]]
                if s + 1 < path.count { ways.append(backward[t + 1][s + 1] + scores[t + 1][path[s + 1]]) }
                if s + 2 < path.count, skips(s + 2) {
                    ways.append(backward[t + 1][s + 2] + scores[t + 1][path[s + 2]])
                }
                backward[t][s] = add(ways)
            }
        }
        let total = add(Array(forward[frames - 1].suffix(2)))
        var gradient = scores.flatMap { $0.map { exp($0) } }
        for t in 0..<frames {
            for s in path.indices {
                gradient[t * classes + path[s]] -= exp(forward[t][s] + backward[t][s] - total)
            }
        }
        return (-total, gradient)
    }
}

/// What PyTorch computes for small inputs (Fixtures/torch/make.py).
struct TorchFixtures: Decodable {
    struct CrossEntropy: Decodable {
        var shape: [Int]
        var logits: [Float]
        var targets: [Int32]
        var upstream, losses, gradient: [Float]
    }
    struct CTC: Decodable {
        var shape: [Int]
        var blank, targetWidth: Int
        var logits: [Float]
        var targets: [Int32]
        var frames, lengths: [Int]
        /// Infinity stands as 1e39.
        var losses: [Double]
        var upstream, gradient, lossesZeroed: [Float]
    }
    struct AdamW: Decodable {
        var start: [Float]
        var gradients, parameters, first, second: [[Float]]
        var learningRate, beta1, beta2, epsilon, weightDecay: Double
    }
    var crossEntropy: CrossEntropy
    var ctc: CTC
    var adamW: AdamW

    static func load() throws -> TorchFixtures {
        let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Fixtures/torch/losses.json")
        return try JSONDecoder().decode(TorchFixtures.self, from: Data(contentsOf: path))
    }
}
