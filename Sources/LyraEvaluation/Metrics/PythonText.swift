// What Python's strings call a space, a word, lower case. The metrics' references are Python programs, and a score that
// is to agree with theirs has to cut text where they do. Knows no metric.

typealias Scalars = [Unicode.Scalar]

extension Unicode.Scalar {
    /// `str.isspace`, and `\s` of a regular expression.
    var isPythonSpace: Bool {
        switch value {
        case 0x09...0x0D, 0x1C...0x20, 0x85, 0xA0, 0x1680, 0x2000...0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000: true
        default: false
        }
    }

    /// `\w`: letters, anything with a numeric value, and the underscore.
    var isPythonWord: Bool {
        if value < 0x80 { return isASCIILetter || isASCIIDigit || self == "_" }
        switch properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: return true
        default: return properties.numericType != nil
        }
    }

    /// `\d`: decimal digits of any script.
    var isPythonDigit: Bool { value < 0x80 ? isASCIIDigit : properties.generalCategory == .decimalNumber }

    var isASCIIDigit: Bool { ("0"..."9").contains(self) }
    var isASCIILower: Bool { ("a"..."z").contains(self) }
    private var isASCIILetter: Bool { isASCIILower || ("A"..."Z").contains(self) }
}

enum PythonText {
    /// `str.lower`: full case mappings, with the form of sigma that ends a word.
    static func lower(_ text: String) -> String {
        guard text.unicodeScalars.contains("\u{3A3}") else { return text.lowercased() }
        let scalars = Scalars(text.unicodeScalars)
        var result = ""
        for (place, scalar) in scalars.enumerated() {
            guard scalar == "\u{3A3}" else {
                result += scalar.properties.lowercaseMapping
                continue
            }
            let before = scalars[..<place].last { !$0.properties.isCaseIgnorable }
            let after = scalars[(place + 1)...].first { !$0.properties.isCaseIgnorable }
            result += before?.properties.isCased == true && after?.properties.isCased != true ? "\u{3C2}" : "\u{3C3}"
        }
        return result
    }

    /// `str.split()`.
    static func words(_ text: some StringProtocol) -> [String] {
        text.unicodeScalars.split(whereSeparator: \.isPythonSpace).map { String(String.UnicodeScalarView($0)) }
    }

    /// `str.strip()`.
    static func strip(_ text: String) -> String {
        let scalars = text.unicodeScalars
        guard let first = scalars.firstIndex(where: { !$0.isPythonSpace }),
            let last = scalars.lastIndex(where: { !$0.isPythonSpace })
        else { return "" }
        return String(scalars[first...last])
    }

    /// What `float(text)` makes of it; nil where it raises.
    static func float(_ text: String) -> Double? {
        var body = strip(text).unicodeScalars.map { scalar -> Unicode.Scalar in
            // Digits of any script count.
            guard scalar.value >= 0x80, scalar.isPythonDigit, let value = scalar.properties.numericValue else { return scalar }
            return Unicode.Scalar(UInt8(value) + 48)
        }[...]
        guard let sign = body.first else { return nil }
        if sign == "+" || sign == "-" { body.removeFirst() }
        let negative = sign == "-"
        let word = String(String.UnicodeScalarView(body)).lowercased()
        if word == "inf" || word == "infinity" { return negative ? -.infinity : .infinity }
        if word == "nan" { return .nan }
        guard let literal = number(body) else { return nil }
        return Double((negative ? "-" : "") + literal)
    }

    /// A decimal literal, its underscores left out: digits around an optional point, an optional exponent.
    private static func number(_ text: ArraySlice<Unicode.Scalar>) -> String? {
        var rest = text, literal = ""
        /// Digits, with single underscores between them; nil if an underscore stands elsewhere.
        func digits() -> Int? {
            var count = 0, underscore = false
            while let next = rest.first, next.isASCIIDigit || next == "_" {
                if next == "_" {
                    guard count > 0, !underscore else { return nil }
                } else {
                    literal.unicodeScalars.append(next)
                    count += 1
                }
                underscore = next == "_"
                rest.removeFirst()
            }
            return underscore ? nil : count
        }
        guard let whole = digits() else { return nil }
        var fraction = 0
        if rest.first == "." {
            rest.removeFirst()
            if literal.isEmpty { literal = "0" }
            literal += "."
            guard let count = digits() else { return nil }
            fraction = count
            if fraction == 0 { literal += "0" }
        }
        guard whole + fraction > 0 else { return nil }
        if rest.first == "e" || rest.first == "E" {
            rest.removeFirst()
            literal += "e"
            if let sign = rest.first, sign == "+" || sign == "-" {
                literal.unicodeScalars.append(sign)
                rest.removeFirst()
            }
            guard let count = digits(), count > 0 else { return nil }
        }
        return rest.isEmpty ? literal : nil
    }
}

extension String {
    init(_ scalars: some Sequence<Unicode.Scalar>) {
        var view = String.UnicodeScalarView()
        for scalar in scalars { view.append(scalar) }
        self.init(view)
    }
}
