// Transcripts as classes of CTC: lower-case letters, digits, apostrophe and space; and back.
import Foundation

/// The alphabet that a speech encoder spells with while it is trained.
public enum CharacterTargets {
    /// In the order of their classes; the blank comes after them.
    public static let characters: [Character] = Array(" 'abcdefghijklmnopqrstuvwxyz0123456789")
    /// The class that stands for nothing.
    public static let blank = characters.count
    /// Classes with the blank.
    public static let count = characters.count + 1

    private static let classes = Dictionary(uniqueKeysWithValues: zip(characters, Int32(0)...))

    /// As it is compared and spelt: lower case without accents, every other sign a space, single spaces.
    public static func normalized(_ text: String) -> String {
        let plain = text.replacingOccurrences(of: "’", with: "'")
            .folding(options: [.diacriticInsensitive, .caseInsensitive], locale: nil).lowercased()
        return String(plain.map { classes[$0] == nil ? " " : $0 }).split(separator: " ").joined(separator: " ")
    }

    /// Classes of a text.
    public static func encode(_ text: String) -> [Int32] { normalized(text).compactMap { classes[$0] } }

    /// What classes spell.
    public static func text(_ classes: some Sequence<Int32>) -> String {
        String(classes.compactMap { characters.indices.contains(Int($0)) ? characters[Int($0)] : nil })
    }

    /// CTC's reading of the best class of each frame: repeats merged, blanks dropped.
    public static func decode(_ frames: some Sequence<Int32>) -> String {
        var text = "", last: Int32?
        for value in frames {
            if value != last, characters.indices.contains(Int(value)) { text.append(characters[Int(value)]) }
            last = value
        }
        return text.split(separator: " ").joined(separator: " ")
    }
}

/// How many words and letters were understood wrongly.
public struct ErrorRate: Sendable, Equatable {
    public private(set) var wordErrors = 0, words = 0, letterErrors = 0, letters = 0
    /// Texts without any mistake, of all.
    public private(set) var exact = 0, texts = 0

    public init() {}

    /// Errors by words over the words that were said.
    public var wer: Double { Double(wordErrors) / Double(max(1, words)) }
    /// Errors by letters (spaces included) over the letters that were said.
    public var cer: Double { Double(letterErrors) / Double(max(1, letters)) }

    public mutating func add(heard: String, said: String) {
        let (heard, said) = (CharacterTargets.normalized(heard), CharacterTargets.normalized(said))
        let mistakes = Self.distance(heard.split(separator: " "), said.split(separator: " "))
        wordErrors += mistakes
        words += said.split(separator: " ").count
        letterErrors += Self.distance(Array(heard), Array(said))
        letters += said.count
        exact += mistakes == 0 ? 1 : 0
        texts += 1
    }

    /// Levenshtein's distance.
    static func distance<T: Equatable>(_ a: [T], _ b: [T]) -> Int {
        var row = Array(0...b.count)
        for (i, x) in a.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for (j, y) in b.enumerated() {
                let best = min(diagonal + (x == y ? 0 : 1), row[j] + 1, row[j + 1] + 1)
                (diagonal, row[j + 1]) = (row[j + 1], best)
            }
        }
        return row[b.count]
    }
}
