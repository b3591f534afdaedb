// Number words as figures: the part of Whisper's English normaliser that makes "twenty one" and "21" the same. Words come
// and go one by one; the rules are those of openai-whisper's `EnglishNumberNormalizer`, odd cases included, because word
// error rates of the literature rest on them.

struct EnglishNumbers {
    /// A number on the way: one that later words may still add to, or one that they can only be appended to.
    private enum Value {
        case number(Decimal)
        case text(String)

        var text: String {
            switch self {
            case .number(let number): number.digits
            case .text(let text): text
            }
        }
    }

    private var value: Value?
    private var prefix: String?
    private var output: [String] = []

    /// The words with number words replaced.
    static func standardise(_ words: [String]) -> [String] {
        var run = EnglishNumbers()
        var skips = false
        for (place, word) in words.enumerated() {
            if skips {
                skips = false
                continue
            }
            skips = run.take(
                word, after: place > 0 ? words[place - 1] : nil, before: place + 1 < words.count ? words[place + 1] : nil)
        }
        run.flush()
        return run.output
    }

    // MARK: One word

    /// Returns whether the next word was used up as well.
    private mutating func take(_ word: String, after previous: String?, before next: String?) -> Bool {
        let isPrefixed = word.unicodeScalars.first.map { Lexicon.prefixes.contains($0) } ?? false
        let bare = isPrefixed ? String(word.unicodeScalars.dropFirst()) : word
        if let figure = Figure(bare) {
            figures(word, figure, prefix: isPrefixed ? String(word.unicodeScalars.prefix(1)) : nil)
        } else if !Lexicon.words.contains(word) {
            flush()
            emit(word)
        } else if Lexicon.zeros.contains(word) {
            value = .text(isZeroOrNone ? "0" : (value?.text ?? "") + "0")
        } else if let one = Lexicon.ones[word] {
            value = small(one, after: previous)
        } else if let (one, suffix) = Lexicon.onesSuffixed[word] {
            emit(small(one, after: previous).text + suffix)
        } else if let ten = Lexicon.tens[word] {
            value = tens(ten)
        } else if let (ten, suffix) = Lexicon.tensSuffixed[word] {
            emit(tens(ten).text + suffix)
        } else if let zeros = Lexicon.multipliers[word] {
            multiply(zeros)
        } else if let (zeros, suffix) = Lexicon.multipliersSuffixed[word] {
            multiply(zeros, suffix: suffix)
        } else if let sign = Lexicon.signs[word] {
            flush()
            if next.map({ Lexicon.words.contains($0) || Figure($0) != nil }) ?? false { prefix = sign } else { emit(word) }
        } else if let currency = Lexicon.currencies[word] {
            if value == nil {
                emit(word)
            } else {
                prefix = currency
                flush()
            }
        } else if word == "percent" || word == "per" {
            return percent(word, before: next)
        } else {
            return special(word, after: previous, before: next)
        }
        return false
    }

    private mutating func figures(_ word: String, _ figure: Figure, prefix sign: String?) {
        if case .text(let text) = value, text.hasSuffix(".") {
            value = .text(text + word)  // decimals, and numbers with several points
            return
        }
        flush()
        prefix = sign ?? prefix
        value = figure.isWhole ? .number(figure.whole) : .text(figure.text)
    }

    /// One to nineteen.
    private func small(_ one: Int, after previous: String?) -> Value {
        guard let value else { return .number(Decimal(one)) }
        if case .number(let number) = value, previous.map({ Lexicon.ones[$0] == nil }) ?? true {
            let fits = number.trailingZeros(one < 10 ? 1 : 2)
            return fits ? .number(number + Decimal(one)) : .text(number.digits + "\(one)")
        }
        if let previous, Lexicon.tens[previous] != nil, one < 10 { return .text(value.text.dropLast() + "\(one)") }
        return .text(value.text + "\(one)")
    }

    private func tens(_ ten: Int) -> Value {
        switch value {
        case nil: .number(Decimal(ten))
        case .text(let text): .text(text + "\(ten)")
        case .number(let number): number.trailingZeros(2) ? .number(number + Decimal(ten)) : .text(number.digits + "\(ten)")
        }
    }

    private mutating func multiply(_ zeros: Int, suffix: String? = nil) {
        let power = Decimal(1).shifted(zeros)
        switch value {
        case nil: value = .number(power)
        case .number(let number) where !number.isZero || suffix != nil:
            value = .number(number.thousands + number.belowThousand.shifted(zeros))
        case .some(let other):
            if let product = Figure.product(other.text, zeros: zeros) {
                value = .number(product)
            } else {
                flush()
                value = .number(power)
            }
        }
        if let suffix {
            emit((value?.text ?? "") + suffix)
            value = nil
        }
    }

    private mutating func percent(_ word: String, before next: String?) -> Bool {
        guard let number = value?.text else {
            emit(word)
            return false
        }
        if word == "percent" || next == "cent" {
            emit(number + "%")
            return word == "per"
        }
        flush()
        emit(word)
        return false
    }

    private mutating func special(_ word: String, after previous: String?, before next: String?) -> Bool {
        let nextIsFigure = next.map { Figure($0) != nil } ?? false
        guard let next, Lexicon.words.contains(next) || nextIsFigure else {
            flush()
            emit(word)
            return false
        }
        switch word {
        case "and":
            if previous.map({ Lexicon.multipliers[$0] == nil }) ?? true {
                flush()
                emit(word)
            }
        case "point":
            if Lexicon.decimals.contains(next) || nextIsFigure { value = .text((isZeroOrNone ? "" : value?.text ?? "") + ".") }
        default:  // double, triple
            guard Lexicon.ones[next] != nil || Lexicon.zeros.contains(next) else {
                flush()
                emit(word)
                return false
            }
            let digits = String(repeating: "\(Lexicon.ones[next] ?? 0)", count: word == "double" ? 2 : 3)
            value = .text((isZeroOrNone ? "" : value?.text ?? "") + digits)
            return true
        }
        return false
    }

    // MARK: Output

    /// A whole number 0 counts as no number where digits are strung together.
    private var isZeroOrNone: Bool {
        switch value {
        case nil: true
        case .number(let number): number.isZero
        case .text: false
        }
    }

    private mutating func flush() {
        if let value { emit(value.text) }
    }

    private mutating func emit(_ text: String) {
        output.append((prefix ?? "") + text)
        (value, prefix) = (nil, nil)
    }
}

/// A whole number of any size, as its decimal digits: all that is ever done with it is adding and appending zeros.
private struct Decimal {
    /// Without leading zeros; "0" for zero.
    let digits: String

    init(_ number: Int) { digits = "\(number)" }
    init(digits: String) {
        let kept = digits.drop { $0 == "0" }
        self.digits = kept.isEmpty ? "0" : String(kept)
    }

    var isZero: Bool { digits == "0" }

    /// Whether it is a multiple of ten to this power.
    func trailingZeros(_ count: Int) -> Bool { isZero || (digits.count > count && digits.suffix(count).allSatisfy { $0 == "0" }) }

    func shifted(_ zeros: Int) -> Decimal { Decimal(digits: digits + String(repeating: "0", count: zeros)) }
    var belowThousand: Decimal { Decimal(digits: String(digits.suffix(3))) }
    var thousands: Decimal { Decimal(digits: String(digits.dropLast(3))).shifted(3) }

    static func + (a: Decimal, b: Decimal) -> Decimal {
        var result: [UInt8] = [], carry: UInt8 = 0
        let (x, y) = (Array(a.digits.utf8.reversed()), Array(b.digits.utf8.reversed()))
        for i in 0..<max(x.count, y.count) {
            let sum = (i < x.count ? x[i] - 48 : 0) + (i < y.count ? y[i] - 48 : 0) + carry
            result.append(sum % 10 + 48)
            carry = sum / 10
        }
        if carry > 0 { result.append(carry + 48) }
        return Decimal(digits: String(decoding: result.reversed(), as: UTF8.self))
    }
}

/// Figures, possibly with decimals: "21", "2.50".
private struct Figure {
    let text: String
    private let integer: String
    private let fraction: String

    init?(_ text: String) {
        let parts = text.unicodeScalars.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.allSatisfy({ !$0.isEmpty && $0.allSatisfy(\.isPythonDigit) }) else { return nil }
        self.text = text
        integer = Self.ascii(parts[0])
        fraction = parts.count == 2 ? Self.ascii(parts[1]) : ""
    }

    private static func ascii(_ digits: Substring.UnicodeScalarView) -> String {
        digits.map { "\(Int($0.properties.numericValue ?? 0))" }.joined()
    }

    var isWhole: Bool { fraction.allSatisfy { $0 == "0" } }
    var whole: Decimal { Decimal(digits: integer) }

    /// A number in text times ten to a power, if that is whole; nil also for what is no number.
    static func product(_ text: String, zeros: Int) -> Decimal? {
        // One point with digits on at least one side.
        let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        let integer = String(parts[0]), fraction = parts.count == 2 ? String(parts[1]) : ""
        guard !(integer + fraction).isEmpty, (integer + fraction).unicodeScalars.allSatisfy(\.isPythonDigit) else { return nil }
        let (left, right) = (ascii(integer[...].unicodeScalars), ascii(fraction[...].unicodeScalars))
        let decimals = right.reversed().drop { $0 == "0" }.count
        guard decimals <= zeros else { return nil }
        return Decimal(digits: left + right.prefix(decimals) + String(repeating: "0", count: zeros - decimals))
    }
}

/// The words that the rules know.
private enum Lexicon {
    static let zeros: Set<String> = ["o", "oh", "zero"]
    static let ones: [String: Int] = {
        let names = """
            one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen \
            nineteen
            """
        return Dictionary(uniqueKeysWithValues: names.split(separator: " ").enumerated().map { (String($1), $0 + 1) })
    }()
    static let tens: [String: Int] = {
        let names = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
        return Dictionary(uniqueKeysWithValues: zip(names, stride(from: 20, through: 90, by: 10)))
    }()
    /// Zeros of each power of ten.
    static let multipliers: [String: Int] = {
        let names = """
            thousand million billion trillion quadrillion quintillion sextillion septillion octillion nonillion decillion
            """
        let powers = names.split(separator: " ").enumerated().map { (String($1), 3 * ($0 + 1)) }
        return Dictionary(uniqueKeysWithValues: powers + [("hundred", 2)])
    }()

    static let onesSuffixed: [String: (Int, String)] = {
        let irregular = ["zeroth": 0, "first": 1, "second": 2, "third": 3, "fifth": 5, "twelfth": 12]
        var result = irregular.mapValues { ($0, [1: "st", 2: "nd", 3: "rd"][$0] ?? "th") }
        for (name, value) in ones {
            result[name == "six" ? "sixes" : name + "s"] = (value, "s")
            if value > 3, value != 5, value != 12 { result[name + (name.hasSuffix("t") ? "h" : "th")] = (value, "th") }
        }
        return result
    }()
    static let tensSuffixed: [String: (Int, String)] = tens.reduce(into: [:]) { result, pair in
        result[pair.key.dropLast() + "ies"] = (pair.value, "s")
        result[pair.key.dropLast() + "ieth"] = (pair.value, "th")
    }
    static let multipliersSuffixed: [String: (Int, String)] = multipliers.reduce(into: [:]) { result, pair in
        result[pair.key + "s"] = (pair.value, "s")
        result[pair.key + "th"] = (pair.value, "th")
    }

    static let signs = ["minus": "-", "negative": "-", "plus": "+", "positive": "+"]
    static let currencies = [
        "pound": "£", "pounds": "£", "euro": "€", "euros": "€", "dollar": "$", "dollars": "$", "cent": "¢", "cents": "¢",
    ]
    static let prefixes: Set<Unicode.Scalar> = ["-", "+", "£", "€", "$", "¢"]
    static let decimals = Set(ones.keys).union(tens.keys).union(zeros)
    static let words: Set<String> = decimals.union(onesSuffixed.keys).union(tensSuffixed.keys).union(multipliers.keys)
        .union(multipliersSuffixed.keys).union(signs.keys).union(currencies.keys)
        .union(["per", "percent", "and", "double", "triple", "point"])
}

extension EnglishNumbers {
    /// Words that "and a half" may follow as a number.
    static func isHalfable(_ word: String) -> Bool { Lexicon.decimals.contains(word) || Lexicon.multipliers[word] != nil }
}
