// Attention heads that begin as what a language model trained from nothing finds late.
import Foundation

/// Begins a decoder with heads that look back, and heads that look for what stood behind a token like this one: previous-token
/// and induction heads (Olsson et al., arXiv 2209.11895), set into random weights as Trockman and Kolter (arXiv 2305.09828) set
/// diagonals. From plain random weights they take long to form, since the looking back, what is written then, what is read and what
/// is copied each get a gradient from the others alone (docs/decisions.md).
///
/// Of heads that share keys, those of the first group look back: in the first layer at the token before and at the one before that, in
/// the second at the token to the left and the one above (M-RoPE). They write what they find beside what a token is itself. From
/// the second layer on, those of the second group compare what a token is with what was written so, and copy where it agrees.
struct InductionHeads {
    private let configuration: LyraConfiguration
    /// Frequency of each pair of a head, and its axis: time, height or width.
    private let pairs: [(frequency: Double, axis: Int)]
    /// Pairs that turn fast enough to tell neighbours apart, and those that hardly turn within a text.
    private let fast: Range<Int>, slow: Range<Int>
    /// Directions of the stream, at right angles to each other: what a token is, and where heads write what they find.
    private let content: [[Float]], written: [[[Float]]]

    private static let behind = [[1, 1, 1], [2, 2, 2], [0, 0, 1], [0, 1, 0]]  // how far back along each axis

    /// nil where there are too few heads or layers, or the stream is too narrow.
    init?(_ configuration: LyraConfiguration, seed: UInt64) {
        let width = configuration.headDimension, half = width / 2, hidden = configuration.hiddenSize
        let axes = configuration.mropeSections.enumerated().flatMap { [Int](repeating: $0.offset, count: $0.element) }
        guard configuration.layers > 2, configuration.keyValueHeads > 1, axes.count == half,
            configuration.queryHeads >= 2 * configuration.keyValueHeads
        else { return nil }
        pairs = axes.enumerated().map { (pow(Double(configuration.ropeTheta), -Double($0.offset) / Double(half)), $0.element) }
        fast = 0..<(pairs.firstIndex { $0.frequency < 0.04 } ?? half)
        slow = (pairs.firstIndex { $0.frequency < 0.006 } ?? half)..<half
        let rank = 2 * slow.count
        guard !slow.isEmpty, width + Self.behind.count * rank <= hidden else { return nil }
        let rows = Self.orthonormal(width + Self.behind.count * rank, hidden, SplitMix64(state: seed &+ 0x1D8E_4E27_C47D_124F))
        content = Array(rows[..<width])
        written = Self.behind.indices.map { Array(rows[(width + $0 * rank)..<(width + ($0 + 1) * rank)]) }
        self.configuration = configuration
    }

    /// Changes the random values of a decoder's tensor; others stay as they are.
    func apply(to values: inout [Float], of name: String) {
        let parts = name.split(separator: ".")
        guard name.hasPrefix("model.layers."), parts.count == 6, let layer = Int(parts[2]) else { return }
        let isBias = parts[5] == "bias"
        switch parts[4] {
        // What layers add begins small beside what tokens are.
        case "o_proj": scale(&values, by: 0.05)
        case "down_proj": return scale(&values, by: 0.05)
        default: isBias ? scale(&values, by: 0) : scale(&values, by: 0.5)
        }
        if layer < 2 { lookBack(&values, parts[4], isBias, Array(layer * 2..<layer * 2 + 2)) }
        if layer > 0 { match(&values, parts[4], isBias, layer) }
    }

    /// Heads 0 and 1 attend by place alone, at what is `behind[found]`.
    private func lookBack(_ values: inout [Float], _ map: Substring, _ isBias: Bool, _ found: [Int]) {
        let width = configuration.headDimension, half = width / 2, hidden = configuration.hiddenSize
        // A neighbour's score is 3 above that of the one after it.
        let contrast = pairs[fast].reduce(0) { $0 + 1 - cos($1.frequency) }
        let amplitude = (3 * Double(width).squareRoot() / contrast).squareRoot()
        switch (map, isBias) {
        case ("k_proj", true): for pair in fast { values[pair] = Float(amplitude) }
        case ("q_proj", true):
            for (head, find) in found.enumerated() {
                for pair in fast {
                    let angle = pairs[pair].frequency * Double(Self.behind[find][pairs[pair].axis])
                    values[head * width + pair] = Float(amplitude * cos(angle))
                    values[head * width + half + pair] = Float(-amplitude * sin(angle))
                }
            }
        case ("k_proj", false): scale(&values, rows: 0..<width, by: 0.4)
        case ("q_proj", false): scale(&values, rows: 0..<2 * width, by: 0.4)
        case ("v_proj", false): for i in 0..<width { set(&values, row: i, content[i]) }
        case ("o_proj", false):
            for (head, find) in found.enumerated() {
                for i in 0..<width {
                    let direction = i < written[find].count ? written[find][i] : [Float](repeating: 0, count: hidden)
                    set(&values, column: head * width + i, direction, by: 0.1)
                }
            }
        default: break
        }
    }

    /// The first two heads of the second group compare what this token is with what was written where the keys are, and copy.
    private func match(_ values: inout [Float], _ map: Substring, _ isBias: Bool, _ layer: Int) {
        guard !isBias else { return }
        let width = configuration.headDimension, half = width / 2, hidden = configuration.hiddenSize
        let first = configuration.queryHeads / configuration.keyValueHeads
        // The layers take turns; left and above are known from the third on.
        let key = written[layer < 3 ? layer - 1 : [0, 2, 3, 1][(layer - 3) % 4]]
        let dimensions = Array(slow) + slow.map { $0 + half }
        // The same content scores 5 on average.
        let gain = (5 * Float(width).squareRoot() / Float(dimensions.count)).squareRoot()
        let nothing = [Float](repeating: 0, count: hidden)
        func setRows(_ head: Int, _ directions: [[Float]]) {
            for i in 0..<width { set(&values, row: head * width + i, nothing) }
            for (dimension, direction) in zip(dimensions, directions) { set(&values, row: head * width + dimension, direction, by: gain) }
        }
        switch map {
        case "k_proj": setRows(1, key)
        case "q_proj":
            setRows(first, content)
            setRows(first + 1, layer % 2 == 1 ? written[0] : content)
        case "v_proj": for i in 0..<width { set(&values, row: width + i, content[i]) }
        case "o_proj":
            for head in first..<first + 2 {
                for i in 0..<width { set(&values, column: head * width + i, content[i], by: 0.05) }
            }
        default: break
        }
    }

    // MARK: Matrices, [rows][columns]

    private func scale(_ values: inout [Float], by factor: Float) { for i in values.indices { values[i] *= factor } }
    private func scale(_ values: inout [Float], rows: Range<Int>, by factor: Float) {
        let hidden = configuration.hiddenSize
        for i in rows.lowerBound * hidden..<rows.upperBound * hidden { values[i] *= factor }
    }
    private func set(_ values: inout [Float], row: Int, _ direction: [Float], by factor: Float = 1) {
        for (j, value) in direction.enumerated() { values[row * direction.count + j] = value * factor }
    }
    private func set(_ values: inout [Float], column: Int, _ direction: [Float], by factor: Float) {
        let columns = configuration.queryHeads * configuration.headDimension
        for (i, value) in direction.enumerated() { values[i * columns + column] = value * factor }
    }

    /// Random rows of length 1 at right angles (Gram-Schmidt).
    private static func orthonormal(_ count: Int, _ width: Int, _ generator: SplitMix64) -> [[Float]] {
        var generator = generator, rows: [[Double]] = []
        for _ in 0..<count {
            var row = (0..<width).map { _ in Double(generator.next() >> 11) / Double(1 << 52) - 1 }
            for _ in 0..<2 {  // twice, for what rounding leaves
                for other in rows {
                    let share = zip(row, other).reduce(0) { $0 + $1.0 * $1.1 }
                    for j in row.indices { row[j] -= share * other[j] }
                }
            }
            let length = row.reduce(0) { $0 + $1 * $1 }.squareRoot()
            rows.append(row.map { $0 / length })
        }
        return rows.map { $0.map(Float.init) }
    }
}
