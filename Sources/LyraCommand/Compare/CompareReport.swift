// How far one model is from another, as a table and as JSON.
import Foundation

struct CompareReport: Encodable {
    var reference: String
    var measured: String
    /// Length of the difference as a share of the length of the reference's values, by stage.
    var relativeErrors: [String: Double] = [:]
    /// Tokens of the reference's answers, and the share of them that the other would have chosen.
    var tokens: Int
    var greedyAgreement: Double
    /// Kullback-Leibler divergence of the next token's probabilities, nats.
    var divergence: Double
    private var order: [String] = []

    enum CodingKeys: String, CodingKey { case reference, measured, relativeErrors, tokens, greedyAgreement, divergence }

    init(reference: String, measured: String, _ first: CompareProbe, _ second: CompareProbe) {
        (self.reference, self.measured) = (reference, measured)
        let found = Dictionary(second.stages.map { ($0.name, $0.values) }) { $1 }
        for (name, values) in first.stages {
            guard let other = found[name], other.count == values.count else { continue }
            order.append(name)
            relativeErrors[name] = Self.relativeError([other], [values])
        }
        order.append("log-probabilities")
        relativeErrors["log-probabilities"] = Self.relativeError(second.logProbabilities, first.logProbabilities)
        let pairs = zip(first.logProbabilities, second.logProbabilities)
        tokens = first.logProbabilities.count
        let agreeing = pairs.count { Self.best($0) == Self.best($1) }
        greedyAgreement = Double(agreeing) / Double(max(1, tokens))
        divergence = pairs.reduce(0.0) { $0 + Self.divergence($1.0, $1.1) } / Double(max(1, tokens))
    }

    private static func relativeError(_ a: [[Float]], _ b: [[Float]]) -> Double {
        var difference = 0.0, length = 0.0
        for (rowA, rowB) in zip(a, b) {
            for (x, y) in zip(rowA, rowB) {
                difference += Double(x - y) * Double(x - y)
                length += Double(y) * Double(y)
            }
        }
        return (difference / max(length, .leastNormalMagnitude)).squareRoot()
    }

    private static func best(_ row: [Float]) -> Int? { row.indices.max { row[$0] < row[$1] } }

    private static func divergence(_ p: [Float], _ q: [Float]) -> Double {
        zip(p, q).reduce(0.0) { $0 + Foundation.exp(Double($1.0)) * Double($1.0 - $1.1) }
    }

    var text: String {
        let rows =
            [["stage", "relative error"]] + order.map { [$0, String(format: "%.5f", relativeErrors[$0] ?? .nan)] }
            + [
                ["greedy agreement", String(format: "%.1f %%", 100 * greedyAgreement) + " of \(tokens) tokens"],
                ["divergence", String(format: "%.5f nats", divergence)],
            ]
        return (["\(measured)", "against \(reference)", ""] + Columns.lines(rows, right: [])).joined(separator: "\n") + "\n"
    }
}
