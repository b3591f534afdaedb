// Whisper's English text normaliser, which word error rates are measured after: case, punctuation, contractions, titles,
// numbers and spelling made the same. The rules are those of openai-whisper's `EnglishTextNormalizer`, step by step.
import Foundation

/// Brings English text into the form that word error rates are compared in.
public enum EnglishNormalizer {
    /// Lower case, no punctuation, contractions in full, numbers as figures, American spelling.
    public static func normalise(_ text: String) -> String {
        var s = Scalars(PythonText.lower(text).unicodeScalars)
        s = s.withoutEnclosed(open: ["<", "["], close: ["]", ">"], mayBeEmpty: true)
        s = s.withoutEnclosed(open: ["("], close: [")"], mayBeEmpty: false)
        for filler in fillers { s = s.replacing(Scalars(filler.unicodeScalars), with: [], edges: (true, true)) }
        s = s.withoutSpaces(before: "'")
        for rule in contractions { s = s.replacing(rule.from, with: rule.to, edges: (rule.isWholeWord, true)) }
        s = s.withoutCommasBetweenDigits()
        s = s.spacing(where: { $0 == "." }, before: { !$0.isASCIIDigit }, atEnd: true)
        s = symbols(s)
        s = Scalars(numbers(String(s)).unicodeScalars)
        s = Scalars(PythonText.words(String(s)).map { EnglishSpelling.american[$0] ?? $0 }.joined(separator: " ").unicodeScalars)
        s = s.spacing(where: { numericSymbols.contains($0) && $0 != "%" }, before: { !$0.isASCIIDigit }, atEnd: false)
        s = s.spacingPercent()
        return String(s.collapsingSpaces())
    }

    /// Words of the normalised text.
    public static func words(_ text: String) -> [String] { PythonText.words(normalise(text)) }

    // MARK: Words

    // Alternatives are tried in this order at each place, so removing them one after the other is the same.
    private static let fillers = ["hmm", "mm", "mhm", "mmm", "uh", "um"]

    private struct Contraction {
        let from, to: Scalars
        let isWholeWord: Bool

        init(_ from: String, _ to: String, isWholeWord: Bool) {
            (self.from, self.to) = (Scalars(from.unicodeScalars), Scalars(to.unicodeScalars))
            self.isWholeWord = isWholeWord
        }
    }

    private static let contractions: [Contraction] = {
        let whole = [
            ("won't", "will not"), ("can't", "can not"), ("let's", "let us"), ("ain't", "aint"), ("y'all", "you all"),
            ("wanna", "want to"), ("gotta", "got to"), ("gonna", "going to"), ("i'ma", "i am going to"),
            ("imma", "i am going to"), ("woulda", "would have"), ("coulda", "could have"), ("shoulda", "should have"),
            ("ma'am", "madam"),
        ]
        let titles = [
            ("mr", "mister"), ("mrs", "missus"), ("st", "saint"), ("dr", "doctor"), ("prof", "professor"), ("capt", "captain"),
            ("gov", "governor"), ("ald", "alderman"), ("gen", "general"), ("sen", "senator"), ("rep", "representative"),
            ("pres", "president"), ("rev", "reverend"), ("hon", "honorable"), ("asst", "assistant"), ("assoc", "associate"),
            ("lt", "lieutenant"), ("col", "colonel"), ("jr", "junior"), ("sr", "senior"), ("esq", "esquire"),
        ]
        let endings = [
            ("'d been", " had been"), ("'s been", " has been"), ("'d gone", " had gone"), ("'s gone", " has gone"),
            ("'d done", " had done"), ("'s got", " has got"), ("n't", " not"), ("'re", " are"), ("'s", " is"), ("'d", " would"),
            ("'ll", " will"), ("'t", " not"), ("'ve", " have"), ("'m", " am"),
        ]
        return whole.map { Contraction($0, $1, isWholeWord: true) }
            + titles.map { Contraction($0, $1 + " ", isWholeWord: true) }
            + endings.map { Contraction($0, $1, isWholeWord: false) }
    }()

    // MARK: Symbols

    private static let numericSymbols: Set<Unicode.Scalar> = [".", "%", "$", "¢", "€", "£"]

    /// Letters that have no decomposition into a plain letter and a mark.
    private static let plainLetters: [Unicode.Scalar: String] = [
        "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "æ": "ae", "Æ": "AE", "ß": "ss", "ẞ": "SS", "đ": "d", "Đ": "D", "ð": "d",
        "Ð": "D", "þ": "th", "Þ": "th", "ł": "l", "Ł": "L",
    ]

    /// Marks, symbols and punctuation become spaces, except those that belong to numbers; accents go.
    private static func symbols(_ text: Scalars) -> Scalars {
        var result: Scalars = []
        for scalar in String(text).decomposedStringWithCompatibilityMapping.unicodeScalars {
            if numericSymbols.contains(scalar) {
                result.append(scalar)
            } else if let plain = plainLetters[scalar] {
                result += plain.unicodeScalars
            } else {
                switch scalar.properties.generalCategory {
                case .nonspacingMark: break
                case .spacingMark, .enclosingMark, .mathSymbol, .currencySymbol, .modifierSymbol, .otherSymbol,
                    .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation, .initialPunctuation,
                    .finalPunctuation, .otherPunctuation:
                    result.append(" ")
                default: result.append(scalar)
                }
            }
        }
        return result
    }

    // MARK: Numbers

    private static func numbers(_ text: String) -> String {
        let words = PythonText.words(String(separated(Scalars(halves(text).unicodeScalars))))
        return EnglishNumbers.standardise(words).joined(separator: " ").combiningCents.withWordsForOne
    }

    /// "two and a half" -> "two point five".
    private static func halves(_ text: String) -> String {
        let segments = Scalars(text.unicodeScalars).split(at: ["and", "a", "half"])
        var results: [String] = []
        for (place, segment) in segments.enumerated() {
            guard let last = PythonText.words(segment).last else { continue }
            results.append(segment)
            guard place < segments.count - 1 else { continue }
            results.append(EnglishNumbers.isHalfable(last) ? "point five" : "and a half")
        }
        return results.joined(separator: " ")
    }

    /// A space between figures and letters, unless the letters are an ending of the number.
    private static func separated(_ s: Scalars) -> Scalars {
        var spaced: Scalars = []
        for (place, scalar) in s.enumerated() {
            if place > 0 {
                let last = s[place - 1]
                if (last.isASCIILower && scalar.isASCIIDigit) || (last.isASCIIDigit && scalar.isASCIILower) { spaced.append(" ") }
            }
            spaced.append(scalar)
        }
        return spaced.joiningOrdinals()
    }
}
