// Which words of a text were heard as which words of another: the cheapest sequence of edits, by Levenshtein's recursion.

/// An edit of a sequence that makes another of it. Places count from 0.
public enum Edit: Sendable, Equatable {
    case keep(reference: Int, hypothesis: Int)
    case substitute(reference: Int, hypothesis: Int)
    case delete(reference: Int)
    case insert(hypothesis: Int)
}

/// Cheapest edits between two sequences, each edit costing one.
public enum Alignment {
    /// The edits from `reference` to `hypothesis`, in order. Of several that are equally cheap, the one that jiwer reports
    /// (rapidfuzz goes from the end and prefers to delete).
    public static func edits<Element: Equatable>(_ reference: [Element], _ hypothesis: [Element]) -> [Edit] {
        edits(reference, hypothesis, largestTable: 1 << 26)
    }

    /// - Parameter largestTable: more cells than this are not kept; the sequences are divided instead.
    static func edits<Element: Equatable>(_ reference: [Element], _ hypothesis: [Element], largestTable: Int) -> [Edit] {
        var head = 0
        while head < min(reference.count, hypothesis.count), reference[head] == hypothesis[head] { head += 1 }
        var tail = 0
        while tail < min(reference.count, hypothesis.count) - head,
            reference[reference.count - 1 - tail] == hypothesis[hypothesis.count - 1 - tail]
        { tail += 1 }
        var edits = (0..<head).map { Edit.keep(reference: $0, hypothesis: $0) }
        align(
            reference[head..<(reference.count - tail)], hypothesis[head..<(hypothesis.count - tail)], largestTable, into: &edits)
        edits += (0..<tail).reversed().map {
            Edit.keep(reference: reference.count - 1 - $0, hypothesis: hypothesis.count - 1 - $0)
        }
        return edits
    }

    /// How many edits it takes at least.
    public static func distance<Element: Equatable>(_ a: [Element], _ b: [Element]) -> Int {
        Int(row(a[...], b[...]).last ?? 0)
    }

    private static func align<Element: Equatable>(
        _ reference: ArraySlice<Element>, _ hypothesis: ArraySlice<Element>, _ largestTable: Int, into edits: inout [Edit]
    ) {
        guard reference.count * hypothesis.count > largestTable, reference.count > 1 else {
            return alignWhole(reference, hypothesis, into: &edits)
        }
        // Hirschberg: the cheapest path crosses the middle where the sums of both halves are smallest.
        let middle = reference.startIndex + reference.count / 2
        let before = row(reference[..<middle], hypothesis)
        let after = row(Array(reference[middle...].reversed())[...], Array(hypothesis.reversed())[...])
        let sums = before.indices.map { before[$0] + after[hypothesis.count - $0] }
        let split = hypothesis.startIndex + (sums.indices.min { sums[$0] < sums[$1] } ?? 0)
        align(reference[..<middle], hypothesis[..<split], largestTable, into: &edits)
        align(reference[middle...], hypothesis[split...], largestTable, into: &edits)
    }

    /// Distances of `a` to all beginnings of `b`.  // [b.count + 1]
    private static func row<Element: Equatable>(_ a: ArraySlice<Element>, _ b: ArraySlice<Element>) -> [Int32] {
        var row = (0...b.count).map(Int32.init)
        for (i, x) in a.enumerated() {
            var diagonal = row[0]
            row[0] = Int32(i + 1)
            for (j, y) in b.enumerated() {
                let best = x == y ? diagonal : min(diagonal, row[j], row[j + 1]) + 1
                diagonal = row[j + 1]
                row[j + 1] = best
            }
        }
        return row
    }

    private static func alignWhole<Element: Equatable>(
        _ reference: ArraySlice<Element>, _ hypothesis: ArraySlice<Element>, into edits: inout [Edit]
    ) {
        let width = hypothesis.count + 1
        // Whether a cell is reached by deleting, and whether its left neighbour is one cheaper than the diagonal one.
        var deletes = [Bool](repeating: true, count: (reference.count + 1) * width)
        var inserts = [Bool](repeating: false, count: (reference.count + 1) * width)
        var above = (0...hypothesis.count).map(Int32.init), current = above
        for (i, x) in reference.enumerated() {
            current[0] = Int32(i + 1)
            for (j, y) in hypothesis.enumerated() {
                current[j + 1] = x == y ? above[j] : min(above[j], above[j + 1], current[j]) + 1
                let cell = (i + 1) * width + j + 1
                deletes[cell] = current[j + 1] == above[j + 1] + 1
                inserts[cell] = j > 0 && current[j] == above[j] - 1
            }
            swap(&above, &current)
        }
        var i = reference.count, j = hypothesis.count, backwards: [Edit] = []
        while i > 0 || j > 0 {
            let (r, h) = (reference.startIndex + i - 1, hypothesis.startIndex + j - 1)
            if i > 0, j == 0 || deletes[i * width + j] {
                backwards.append(.delete(reference: r))
                i -= 1
            } else if i == 0 || inserts[i * width + j] {
                backwards.append(.insert(hypothesis: h))
                j -= 1
            } else {
                let isSame = reference[r] == hypothesis[h]
                backwards.append(isSame ? .keep(reference: r, hypothesis: h) : .substitute(reference: r, hypothesis: h))
                (i, j) = (i - 1, j - 1)
            }
        }
        edits += backwards.reversed()
    }
}
