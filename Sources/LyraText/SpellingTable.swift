// Token ids by the bytes of their spelling. A plain hash table: loading a tokenizer does half a million look-ups, for
// which a dictionary of byte arrays takes most of the time.

struct SpellingTable: Sendable {
    /// All spellings one after another.
    private var bytes: [UInt8] = []
    private var entries: [(start: Int32, end: Int32, id: Int32)] = []
    /// Open addressing: an index into `entries`, or -1. The size is a power of two.
    private var slots: [Int32]
    /// Different in every process, so that no file can be made to collide.
    private let seed = UInt64.random(in: .min ... .max)

    /// A table for up to `capacity` spellings.
    init(capacity: Int) {
        var size = 16
        while size < capacity * 2 { size *= 2 }
        slots = Array(repeating: -1, count: size)
        entries.reserveCapacity(capacity)
    }

    /// The id of the spelling that is `first` and then `second`.
    func id(_ first: ArraySlice<UInt8>, _ second: ArraySlice<UInt8> = []) -> Int32? {
        let entry = slots[slot(first, second)]
        return entry < 0 ? nil : entries[Int(entry)].id
    }

    func id(_ spelling: [UInt8]) -> Int32? { id(spelling[...]) }
    func id(_ spelling: String) -> Int32? { id(Array(spelling.utf8)[...]) }

    /// Sets the id of a spelling; a spelling that is there already gets the new id.
    mutating func set(_ spelling: [UInt8], _ id: Int32) {
        let slot = slot(spelling[...], [])
        if slots[slot] >= 0 {
            entries[Int(slots[slot])].id = id
        } else {
            precondition(entries.count * 2 < slots.count, "more spellings than the table was made for")
            slots[slot] = Int32(entries.count)
            let start = Int32(bytes.count)
            bytes += spelling
            entries.append((start, Int32(bytes.count), id))
        }
    }

    /// Where a spelling is, or the free slot where it would go.
    private func slot(_ first: ArraySlice<UInt8>, _ second: ArraySlice<UInt8>) -> Int {
        var hash = seed
        for byte in first { hash = (hash ^ UInt64(byte)) &* 0x9E37_79B9_7F4A_7C15; hash ^= hash >> 29 }
        for byte in second { hash = (hash ^ UInt64(byte)) &* 0x9E37_79B9_7F4A_7C15; hash ^= hash >> 29 }
        let mask = slots.count - 1
        var slot = Int(truncatingIfNeeded: hash >> 7) & mask
        while slots[slot] >= 0, !matches(entries[Int(slots[slot])], first, second) { slot = (slot + 1) & mask }
        return slot
    }

    @inline(__always)
    private func matches(
        _ entry: (start: Int32, end: Int32, id: Int32), _ first: ArraySlice<UInt8>, _ second: ArraySlice<UInt8>
    ) -> Bool {
        guard Int(entry.end - entry.start) == first.count + second.count else { return false }
        var place = Int(entry.start)
        for byte in first { if bytes[place] != byte { return false }; place += 1 }
        for byte in second { if bytes[place] != byte { return false }; place += 1 }
        return true
    }
}
