// Units by what is said: a recording of an answer serves every conversation that has the same answer.
import Foundation
import LyraMedia

/// Recordings of one voice by their words, as units.
public struct AnswerUnits: Sendable {
    private var spoken: [String: [[Int32]]] = [:]

    public init() {}

    /// - Parameters:
    ///   - recordings: items with transcripts ("speech_asr").
    ///   - units: by id; recordings without any are left out.
    public mutating func add(_ recordings: Recordings, units: [String: [Int32]]) throws {
        for index in 0..<recordings.count {
            let item = try recordings.item(index)
            guard let text = item.transcript, let frames = units[item.id] else { continue }
            spoken[text, default: []].append(UnitFrames.runs(frames).units)
        }
    }

    /// An item with the units of a recording that says its last answer, one of them where several do; nil if none does.
    ///
    /// - Parameters:
    ///   - item: in the release's format.
    ///   - single: whether one question is drawn of those whose answers are said, and the others are left out.
    ///   - path: where a medium lies that the item names.
    public func match(_ item: [String: Any], single: Bool, seed: UInt64, path: (String) -> String) -> [String: Any]? {
        var item = item, random = SeededRandom(seed, "units", item["id"] as? String ?? "")
        guard var turns = item["conversations"] as? [[String: Any]], turns.count >= 2 else { return nil }
        func text(_ turn: Int) -> String { turns[turn]["value"] as? String ?? "" }
        if single {
            let first = turns[0]["from"] as? String == "system" ? 1 : 0
            let said = stride(from: first + 1, to: turns.count, by: 2).filter { spoken[text($0)] != nil }
            guard !said.isEmpty else { return nil }
            let answer = random.pick(said), media = text(first).matches(of: /<(image|video|speech)>\n?/).map { String($0.output.0) }.joined()
            if answer > first + 1 { turns[answer - 1]["value"] = media + text(answer - 1) }
            turns = Array(turns[..<first] + turns[(answer - 1)...answer])
        }
        guard let versions = spoken[text(turns.count - 1)] else { return nil }
        item["conversations"] = turns
        item["units"] = random.pick(versions).map(Int.init)
        for key in ["image", "video", "speech"] {
            if let file = item[key] as? String { item[key] = path(file) }
            if let files = item[key] as? [String] { item[key] = files.map(path) }
        }
        return item
    }
}
