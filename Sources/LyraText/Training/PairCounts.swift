// How often tokens stand beside each other in a set of words, kept up to date while pairs are joined.

/// Two neighbouring tokens.
struct TokenPair: Hashable {
    var left, right: Int
}

struct PairCounts {
    private var words: [(tokens: [Int], count: Int)]
    private var counts: [TokenPair: Int] = [:]
    /// Words that hold a pair, or once did.
    private var places: [TokenPair: Set<Int>] = [:]
    private var queue = Heap()

    init(_ words: [(tokens: [Int], count: Int)]) {
        self.words = words
        for index in words.indices { count(index, sign: 1) }
        for (pair, count) in counts { queue.push(Heap.Entry(count: count, pair: pair)) }
    }

    /// The most frequent pair; nil if there is none.
    mutating func next() -> TokenPair? {
        while let top = queue.pop() {
            // Entries are not removed when counts change; stale ones go back with what is true now.
            let count = counts[top.pair] ?? 0
            if count == top.count { return top.pair }
            if count > 0 { queue.push(Heap.Entry(count: count, pair: top.pair)) }
        }
        return nil
    }

    /// Puts token `id` in place of the pair, everywhere.
    mutating func join(_ pair: TokenPair, to id: Int) {
        var grown = Set<TokenPair>()
        for index in places.removeValue(forKey: pair) ?? [] {
            let tokens = words[index].tokens
            var joined: [Int] = []
            joined.reserveCapacity(tokens.count)
            var i = 0
            while i < tokens.count {
                if i + 1 < tokens.count, tokens[i] == pair.left, tokens[i + 1] == pair.right {
                    joined.append(id)
                    i += 2
                } else {
                    joined.append(tokens[i])
                    i += 1
                }
            }
            if joined.count == tokens.count { continue }
            count(index, sign: -1)
            words[index].tokens = joined
            count(index, sign: 1)
            for other in zip(joined, joined.dropFirst()) where other.0 == id || other.1 == id {
                grown.insert(TokenPair(left: other.0, right: other.1))
            }
        }
        counts[pair] = nil
        for pair in grown { if let count = counts[pair], count > 0 { queue.push(Heap.Entry(count: count, pair: pair)) } }
    }

    private mutating func count(_ index: Int, sign: Int) {
        let (tokens, count) = words[index]
        for (left, right) in zip(tokens, tokens.dropFirst()) {
            let pair = TokenPair(left: left, right: right)
            counts[pair, default: 0] += sign * count
            if sign > 0 { places[pair, default: []].insert(index) }
        }
    }
}

/// A binary heap of pairs: the most frequent first, of equally frequent ones the one with the smaller ids.
private struct Heap {
    struct Entry {
        var count: Int
        var pair: TokenPair

        func comes(before other: Entry) -> Bool {
            if count != other.count { return count > other.count }
            return (pair.left, pair.right) < (other.pair.left, other.pair.right)
        }
    }
    private var entries: [Entry] = []

    mutating func push(_ entry: Entry) {
        entries.append(entry)
        var child = entries.count - 1
        while child > 0, entries[child].comes(before: entries[(child - 1) / 2]) {
            entries.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    mutating func pop() -> Entry? {
        guard let top = entries.first, let last = entries.popLast() else { return nil }
        guard !entries.isEmpty else { return top }
        entries[0] = last
        var parent = 0
        while true {
            var best = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < entries.count && entries[child].comes(before: entries[best]) {
                best = child
            }
            if best == parent { return top }
            entries.swapAt(parent, best)
            parent = best
        }
    }
}
