// Numbers as words: answers are written the way they are spoken.

enum NumberWords {
    private static let small = [
        "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen",
        "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
    ]
    private static let tens = ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]

    /// 0 ... 999: "forty-two", "three hundred and five".
    static func text(_ number: Int) -> String {
        switch number {
        case ..<0: "minus " + text(-number)
        case ..<20: small[number]
        case ..<100: tens[number / 10] + (number % 10 == 0 ? "" : "-" + small[number % 10])
        default: small[number / 100] + " hundred" + (number % 100 == 0 ? "" : " and " + text(number % 100))
        }
    }

    /// How else a number may be written than ``text(_:)`` does: "42", "forty two".
    static func otherForms(_ number: Int) -> [String] {
        let words = text(number)
        return ["\(number)"] + (words.contains("-") ? [words.replacing("-", with: " ")] : [])
    }

    /// Digit by digit: "four two seven".
    static func digits(_ text: String) -> String {
        text.compactMap { $0.wholeNumberValue.map { small[$0] } }.joined(separator: " ")
    }

    private static let ordinals = [
        "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth",
    ]
    /// 1 ... 10
    static func ordinal(_ number: Int) -> String { ordinals[number - 1] }
}

extension String {
    /// With a capital first letter.
    var capitalised: String { prefix(1).uppercased() + dropFirst() }
    /// With a small first letter.
    var uncapitalised: String { prefix(1).lowercased() + dropFirst() }
    /// "a circle", "an orange star"
    var withArticle: String { ("aeiou".contains(first ?? " ") ? "an " : "a ") + self }
}

/// "red", "red and blue", "red, blue and green"
func listed(_ words: [String]) -> String {
    guard let last = words.last, words.count > 1 else { return words.first ?? "" }
    return words.dropLast().joined(separator: ", ") + " and " + last
}
