// Digits spoken by people: recordings in the naming of the free-spoken-digit data set, `7_jackson_12.wav`.
import Foundation
import LyraMedia

/// Recordings of digits, where the user has them.
struct SpokenDigits: Sendable {
    struct Clip: Sendable {
        var path: String
        var digit: Int
        var speaker: String
        var take: Int
    }
    let train, validation, test: [Clip]

    /// Takes below this one are for validation, as in the data set's own split.
    private static let firstTake = 5

    /// Finds recordings in a folder, or `free-spoken-digits.tar.gz` there or in `speech/`, which is unpacked into `scratch`. The
    /// speaker whose name comes last is kept for testing.
    init(folder: String, scratch: String) throws {
        var place = folder
        let archives = ["\(folder)/free-spoken-digits.tar.gz", "\(folder)/speech/free-spoken-digits.tar.gz"]
        if let archive = archives.first(where: { access($0, R_OK) == 0 }) {
            place = "\(scratch)/free-spoken-digits"
            if access(place, F_OK) != 0 {
                try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
                do {
                    try Command.run("tar", ["-xzf", archive, "-C", place])
                } catch {
                    try? FileManager.default.removeItem(atPath: place)
                    throw error
                }
            }
        }
        var clips: [Clip] = []
        for case let name as String in FileManager.default.enumerator(atPath: place) ?? .init() where name.hasSuffix(".wav") {
            let parts = ((name as NSString).lastPathComponent.dropLast(4)).split(separator: "_")
            guard parts.count == 3, let digit = Int(parts[0]), (0...9).contains(digit), let take = Int(parts[2]) else { continue }
            clips.append(Clip(path: "\(place)/\(name)", digit: digit, speaker: String(parts[1]), take: take))
        }
        clips.sort { $0.path < $1.path }
        let speakers = Set(clips.map(\.speaker)).sorted()
        guard speakers.count >= 2, let last = speakers.last else {
            throw SynthesisError.noDigits(folder: folder)
        }
        test = clips.filter { $0.speaker == last }
        train = clips.filter { $0.speaker != last && $0.take >= Self.firstTake }
        validation = clips.filter { $0.speaker != last && $0.take < Self.firstTake }
    }

    func clips(_ split: Split) -> [Clip] {
        switch split {
        case .train: train
        case .validation: validation
        case .test: test
        }
    }

    static let ask = Wording(
        ["Which digit is it?", "What digit do you hear?", "Which number do you hear?", "What number is said?", "Which digit is said?"],
        validation: ["Say which digit it is."], test: ["Which digit do you hear?", "What digit is said?"])

    /// One digit, or several by one speaker.
    func recipe(ability: String? = nil) -> Recipes.Recipe {
        { [self] item in
            let clips = clips(item.split)
            let first = ability == nil ? item.random.pick(clips) : clips[item.index * 7 % clips.count]
            let more = ability == nil && item.random.chance(0.5) ? item.random.int(1...4) : 0
            let same = clips.filter { $0.speaker == first.speaker }
            let chosen = [first] + (0..<more).map { _ in item.random.pick(same) }
            let words = chosen.map { NumberWords.text($0.digit) }.joined(separator: " ")
            let gap = item.random.real(0.05...0.3)
            item.add(clips: chosen.map(\.path), gap: gap, transcript: words.capitalised + ".", voice: "person/\(first.speaker)")
            let wording = more > 0 ? Wordings.transcribe : Self.ask
            let question = Question("digits", wording.text(item.split, &item.random, framed: false), words,
                                    others: [chosen.map { "\($0.digit)" }.joined()])
            item.record.ask("<speech>\n" + question.text, question.answer)
            item.measure(ability, question)
        }
    }
}
