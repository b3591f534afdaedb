// Texts that end a reply. What might be their beginning is held back until it is known not to be.
import Foundation

struct StopText {
    let stops: [String]
    private var held = ""
    private(set) var wasHit = false

    init(_ stops: [String]) { self.stops = stops.filter { !$0.isEmpty } }

    /// More text -> what may be shown of it. Nothing after a stop, and not the stop itself.
    mutating func pass(_ delta: String) -> String {
        guard !stops.isEmpty, !wasHit else { return wasHit ? "" : delta }
        held += delta
        if let first = stops.compactMap({ held.range(of: $0, options: .literal)?.lowerBound }).min() {
            wasHit = true
            return String(held[..<first])
        }
        // The longest end of the text that could become a stop.
        var kept = held.endIndex
        for start in held.indices.suffix(stops.map(\.count).max() ?? 0)
        where stops.contains(where: { $0.hasPrefix(held[start...]) }) {
            kept = start
            break
        }
        let ready = String(held[..<kept])
        held = String(held[kept...])
        return ready
    }

    /// The text has ended: what was held back.
    mutating func finish() -> String {
        defer { held = "" }
        return wasHit ? "" : held
    }
}
