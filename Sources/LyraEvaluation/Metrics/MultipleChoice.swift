// Which option a reply chooses.

/// Reads the letter of a chosen option out of a reply.
public enum MultipleChoice {
    /// The place of the chosen option; nil if none can be made out.
    ///
    /// In this order: a reply that is a letter ("B", "(b).", "B) red", "B: red"); a letter after "answer" or "option"
    /// ("The answer is (B)."); the only letter that stands in parentheses or alone in capitals; the only option whose text is in
    /// the reply.
    public static func choice(_ reply: String, options: [String]) -> Int? {
        let text = Array(reply.trimmingPrefix { $0.isWhitespace || "([*\"'".contains($0) })
        let letters = (0..<options.count).map { Character(Unicode.Scalar(UInt8(65 + $0))) }
        func place(_ character: Character, anyCase: Bool) -> Int? {
            letters.firstIndex(of: anyCase ? Character(character.uppercased()) : character)
        }
        if let first = text.first, let found = place(first, anyCase: true) {
            let rest = text.dropFirst()
            if rest.allSatisfy({ !$0.isLetter && !$0.isNumber }) || rest.first.map({ ").:]".contains($0) }) == true { return found }
        }
        let words = words(reply)
        for (before, word) in zip(words, words.dropFirst()) where isAnnouncement(before.text) || before.text.lowercased() == "is" {
            if word.text.count == 1, let letter = word.text.first, let found = place(letter, anyCase: false) { return found }
        }
        func only(_ found: [Int]) -> Int? { Set(found).count == 1 ? found[0] : nil }
        let single = words.filter { $0.text.count == 1 }
        let enclosed = single.filter(\.isEnclosed).compactMap { $0.text.first.flatMap { place($0, anyCase: true) } }
        if let found = only(enclosed) { return found }
        // "A" and "I" are words as well.
        let capitals = single.compactMap { $0.text.first }.filter { $0 != "I" && $0 != "A" }.compactMap { place($0, anyCase: false) }
        if let found = only(capitals) { return found }
        return only(options.indices.filter { AnswerScore.mentions(reply, accepted: [body(options[$0])]) })
    }

    private static func isAnnouncement(_ word: String) -> Bool { ["answer", "option", "choice"].contains(word.lowercased()) }

    private static func words(_ text: String) -> [(text: String, isEnclosed: Bool)] {
        let characters = Array(text)
        var words: [(String, Bool)] = [], place = 0
        while place < characters.count {
            guard characters[place].isLetter || characters[place].isNumber else {
                place += 1
                continue
            }
            let end = characters[place...].firstIndex { !$0.isLetter && !$0.isNumber && $0 != "'" } ?? characters.count
            let isEnclosed = place > 0 && characters[place - 1] == "(" && end < characters.count && characters[end] == ")"
            words.append((String(characters[place..<end]), isEnclosed))
            place = end
        }
        return words
    }

    /// An option's text without the letter that some data sets put before it ("A. Red").
    public static func body(_ option: String) -> String {
        let text = Array(option.drop(while: \.isWhitespace))
        if text.count > 2, text[0].isASCII, text[0].isUppercase, ".):".contains(text[1]) {
            return String(text[2...].drop(while: \.isWhitespace))
        }
        return String(text)
    }
}
