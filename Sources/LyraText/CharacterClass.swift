// The four kinds of characters that Qwen2's pre-tokenisation tells apart.

enum CharacterClass: UInt8 {
    /// `\p{L}`
    case letter
    /// `\p{N}`
    case number
    /// `\s` but not a line break
    case space
    /// `\r` or `\n`
    case newline
    /// Everything else: punctuation, symbols, marks, controls, unassigned.
    case other

    /// Classes of the basic multilingual plane, by scalar value.
    static let basicPlane: [CharacterClass] = (UInt32(0)..<0x10000).map { value in
        Unicode.Scalar(value).map(CharacterClass.init(classifying:)) ?? .other
    }

    init(classifying scalar: Unicode.Scalar) {
        if scalar == "\r" || scalar == "\n" { self = .newline; return }
        if scalar.properties.isWhitespace { self = .space; return }
        switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: self = .letter
        case .decimalNumber, .letterNumber, .otherNumber: self = .number
        default: self = .other
        }
    }
}
