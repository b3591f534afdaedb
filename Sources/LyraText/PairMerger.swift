// Byte-pair merging: a word's bytes become tokens by applying merge rules, best rank first.

/// The merge rules: for a pair of neighbouring tokens, its rank (lower is applied first) and the token it becomes.
struct MergeTable: Sendable {
    static let noRank = Int32.max

    /// Open addressing; a key is `left << 32 | right`, all ones where empty. Capacity is a power of two.
    private var keys: [UInt64]
    private var values: [(rank: Int32, token: Int32)]
    private let shift: UInt64

    init(minimumCapacity: Int) {
        var bits: UInt64 = 4
        while 1 << bits < minimumCapacity * 2 { bits += 1 }
        keys = Array(repeating: .max, count: 1 << bits)
        values = Array(repeating: (Self.noRank, -1), count: 1 << bits)
        shift = 64 - bits
    }

    /// Sets the rule for a pair; a later rule for the same pair wins, as in the reference. Not more pairs than the
    /// minimum capacity may be set.
    mutating func set(_ left: Int32, _ right: Int32, rank: Int32, token: Int32) {
        let key = Self.key(left, right)
        var slot = self.slot(key)
        while keys[slot] != .max, keys[slot] != key { slot = (slot + 1) & (keys.count - 1) }
        keys[slot] = key
        values[slot] = (rank, token)
    }

    @inline(__always)
    func rule(_ left: Int32, _ right: Int32) -> (rank: Int32, token: Int32) {
        let key = Self.key(left, right)
        return keys.withUnsafeBufferPointer { keys in
            var slot = self.slot(key)
            while keys[slot] != key {
                if keys[slot] == .max { return (Self.noRank, -1) }
                slot = (slot + 1) & (keys.count - 1)
            }
            return values.withUnsafeBufferPointer { $0[slot] }
        }
    }

    @inline(__always)
    private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
        UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
    }

    @inline(__always)
    private func slot(_ key: UInt64) -> Int { Int(truncatingIfNeeded: (key &* 0x9E37_79B9_7F4A_7C15) >> shift) }
}

/// Merges words one after another, reusing its scratch space.
struct PairMerger {
    private let table: MergeTable
    private var tokens: [Int32] = []
    private var rules: [(rank: Int32, token: Int32)] = []

    /// Words up to this many bytes are merged by repeated scans, which for them beats any bookkeeping.
    private static let scanLimit = 64

    init(_ table: MergeTable) { self.table = table }

    /// Appends the tokens of a word, given as the tokens of its single bytes.
    mutating func merge(_ word: some Collection<Int32>, into result: inout [Int32]) {
        if word.count <= Self.scanLimit {
            tokens.removeAll(keepingCapacity: true)
            tokens.append(contentsOf: word)
            scan()
            result.append(contentsOf: tokens)
        } else {
            LongWordMerger(table, Array(word)).merge(into: &result)
        }
    }

    /// Finds the best rank and merges all its occurrences from left to right, until no rule applies.
    private mutating func scan() {
        rules.removeAll(keepingCapacity: true)
        for index in tokens.indices.dropFirst() { rules.append(table.rule(tokens[index - 1], tokens[index])) }
        while true {
            var best = MergeTable.noRank
            for rule in rules where rule.rank < best { best = rule.rank }
            if best == MergeTable.noRank { return }
            var index = 0
            while index < rules.count {
                guard rules[index].rank == best else { index += 1; continue }
                tokens[index] = rules[index].token
                tokens.remove(at: index + 1)
                rules.remove(at: index)
                if index < rules.count { rules[index] = table.rule(tokens[index], tokens[index + 1]) }
                if index > 0 { rules[index - 1] = table.rule(tokens[index - 1], tokens[index]) }
                index += 1
            }
        }
    }
}

/// Merges one long word in O(n log n): a linked list of tokens, and for each rank the places where it applies.
private struct LongWordMerger {
    private let table: MergeTable
    private var tokens: [Int32]
    private var previous: [Int32]
    private var next: [Int32]
    /// Rule for the pair that begins at each place; `noRank` where there is none or the place was merged away.
    private var rules: [(rank: Int32, token: Int32)]
    private var places: [Int32: [Int32]] = [:]
    private var ranks = MinimumHeap()

    init(_ table: MergeTable, _ word: [Int32]) {
        self.table = table
        tokens = word
        let count = Int32(word.count)
        previous = (0..<count).map { $0 - 1 }
        next = (0..<count).map { $0 + 1 < count ? $0 + 1 : -1 }
        rules = Array(repeating: (MergeTable.noRank, -1), count: word.count)
        for index in 0..<Int32(word.count) { update(index) }
    }

    consuming func merge(into result: inout [Int32]) {
        while let rank = ranks.popMinimum() {
            var candidates = places.removeValue(forKey: rank) ?? []
            candidates.sort()
            for place in candidates where rules[Int(place)].rank == rank { mergePair(at: place) }
        }
        var place: Int32 = 0
        while place >= 0 {
            result.append(tokens[Int(place)])
            place = next[Int(place)]
        }
    }

    private mutating func mergePair(at place: Int32) {
        let index = Int(place)
        let gone = Int(next[index])
        tokens[index] = rules[index].token
        rules[gone].rank = MergeTable.noRank
        next[index] = next[gone]
        if next[gone] >= 0 { previous[Int(next[gone])] = place }
        update(place)
        if previous[index] >= 0 { update(previous[index]) }
    }

    /// Looks up the pair at `place` and files the place under its rank.
    private mutating func update(_ place: Int32) {
        let index = Int(place)
        guard next[index] >= 0 else { rules[index].rank = MergeTable.noRank; return }
        let rule = table.rule(tokens[index], tokens[Int(next[index])])
        rules[index] = rule
        guard rule.rank != MergeTable.noRank else { return }
        if places[rule.rank]?.append(place) == nil {
            places[rule.rank] = [place]
            ranks.push(rule.rank)
        }
    }
}

/// A binary heap of ranks.
private struct MinimumHeap {
    private var items: [Int32] = []

    mutating func push(_ item: Int32) {
        items.append(item)
        var child = items.count - 1
        while child > 0, items[(child - 1) / 2] > items[child] {
            items.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    mutating func popMinimum() -> Int32? {
        guard let minimum = items.first, let last = items.popLast() else { return nil }
        guard !items.isEmpty else { return minimum }
        items[0] = last
        var parent = 0
        while true {
            var child = 2 * parent + 1
            guard child < items.count else { break }
            if child + 1 < items.count, items[child + 1] < items[child] { child += 1 }
            if items[parent] <= items[child] { break }
            items.swapAt(parent, child)
            parent = child
        }
        return minimum
    }
}
