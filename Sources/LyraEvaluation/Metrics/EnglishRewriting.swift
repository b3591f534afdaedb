// Small rewriting steps of the English normaliser, each one regular expression of the original: leftmost match first, and
// what a match has used is not matched again.

extension Scalars {
    private func isBoundary(_ place: Int) -> Bool {
        (place > 0 && self[place - 1].isPythonWord) != (place < count && self[place].isPythonWord)
    }

    /// Replaces a text where it stands, at word boundaries on the sides that ask for them.
    func replacing(_ text: Scalars, with other: Scalars, edges: (start: Bool, end: Bool)) -> Scalars {
        guard let first = text.first, contains(first) else { return self }
        var result: Scalars = [], place = 0
        while place < count {
            let end = place + text.count
            if self[place] == first, end <= count, self[place..<end] == text[...], !edges.start || isBoundary(place),
                !edges.end || isBoundary(end)
            {
                result += other
                place = end
            } else {
                result.append(self[place])
                place += 1
            }
        }
        return result
    }

    /// Replaces a text wherever it stands.
    func replacing(_ text: String, with other: String) -> Scalars {
        replacing(Scalars(text.unicodeScalars), with: Scalars(other.unicodeScalars), edges: (false, false))
    }

    /// Removes what stands between brackets, with them.
    func withoutEnclosed(open: Set<Unicode.Scalar>, close: Set<Unicode.Scalar>, mayBeEmpty: Bool) -> Scalars {
        var result: Scalars = [], place = 0
        while place < count {
            if open.contains(self[place]), let end = self[(place + 1)...].firstIndex(where: close.contains),
                mayBeEmpty || end > place + 1
            {
                place = end + 1
            } else {
                result.append(self[place])
                place += 1
            }
        }
        return result
    }

    func withoutSpaces(before scalar: Unicode.Scalar) -> Scalars {
        var result: Scalars = []
        for next in self {
            if next == scalar { while result.last?.isPythonSpace == true { result.removeLast() } }
            result.append(next)
        }
        return result
    }

    /// "1,2" -> "12"; the digit after a removed comma begins no new match.
    func withoutCommasBetweenDigits() -> Scalars {
        var result: Scalars = [], place = 0
        while place < count {
            if place + 2 < count, self[place].isPythonDigit, self[place + 1] == ",", self[place + 2].isPythonDigit {
                result += [self[place], self[place + 2]]
                place += 3
            } else {
                result.append(self[place])
                place += 1
            }
        }
        return result
    }

    /// A symbol becomes a space if what follows says so; both are used by the match.
    func spacing(
        where symbol: (Unicode.Scalar) -> Bool, before following: (Unicode.Scalar) -> Bool, atEnd: Bool
    ) -> Scalars {
        var result: Scalars = [], place = 0
        while place < count {
            if symbol(self[place]), place + 1 < count, following(self[place + 1]) {
                result += [" ", self[place + 1]]
                place += 2
            } else {
                result.append(atEnd && place == count - 1 && symbol(self[place]) ? " " : self[place])
                place += 1
            }
        }
        return result
    }

    /// A percent sign that does not follow a figure becomes a space.
    func spacingPercent() -> Scalars {
        var result: Scalars = [], place = 0
        while place < count {
            if place + 1 < count, !self[place].isASCIIDigit, self[place + 1] == "%" {
                result += [self[place], " "]
                place += 2
            } else {
                result.append(self[place])
                place += 1
            }
        }
        return result
    }

    func collapsingSpaces() -> Scalars {
        reduce(into: []) { result, scalar in
            if !scalar.isPythonSpace { result.append(scalar) } else if result.last != " " { result.append(" ") }
        }
    }

    /// "1 st" -> "1st".
    func joiningOrdinals() -> Scalars {
        let endings = ["st", "nd", "rd", "th", "s"].map { Scalars($0.unicodeScalars) }
        var result: Scalars = [], place = 0
        while place < count {
            result.append(self[place])
            place += 1
            guard self[place - 1].isASCIIDigit, place < count, self[place].isPythonSpace else { continue }
            let start = self[place...].firstIndex { !$0.isPythonSpace } ?? count
            let ending = endings.first { ending in
                let end = start + ending.count
                return end <= count && self[start..<end] == ending[...] && isBoundary(end)
            }
            guard let ending else { continue }
            result += ending
            place = start + ending.count
        }
        return result
    }

    /// The pieces between places where these words follow each other, with any spaces between them.
    func split(at words: [String]) -> [String] {
        var pieces: [String] = [], start = 0, place = 0
        while place < count {
            if let end = match(words, at: place) {
                pieces.append(String(self[start..<place]))
                (start, place) = (end, end)
            } else {
                place += 1
            }
        }
        return pieces + [String(self[start...])]
    }

    private func match(_ words: [String], at place: Int) -> Int? {
        guard isBoundary(place) else { return nil }
        var end = place
        for (i, word) in words.enumerated() {
            if i > 0 {
                guard end < count, self[end].isPythonSpace else { return nil }
                end = self[end...].firstIndex { !$0.isPythonSpace } ?? count
            }
            let next = end + word.unicodeScalars.count
            guard next <= count, self[end..<next].elementsEqual(word.unicodeScalars) else { return nil }
            end = next
        }
        return isBoundary(end) ? end : nil
    }
}

extension String {
    /// "$2 and ¢7" -> "$2.07", "$0.07" -> "¢7".
    var combiningCents: String {
        let s = Scalars(unicodeScalars)
        return s.rewritingCurrency { place -> (String, Int)? in
            guard let amount = s.digits(at: place + 1, atMost: .max), amount < s.count, s[amount] == " " else { return nil }
            var next = amount + 1
            if s[next...].starts(with: "and ".unicodeScalars) { next += 4 }
            guard next < s.count, s[next] == "¢", let end = s.wholeDigits(at: next + 1) else { return nil }
            let cents = String(s[(next + 1)..<end])
            return (String(s[place..<amount]) + "." + (cents.count == 1 ? "0" + cents : cents), end)
        }.splittingCents
    }

    private var splittingCents: String {
        let s = Scalars(unicodeScalars)
        return s.rewritingCurrency { place -> (String, Int)? in
            guard place + 2 < s.count, s[place + 1] == "0", s[place + 2] != "\n", let end = s.wholeDigits(at: place + 3) else {
                return nil
            }
            return ("¢\(Int(String(s[(place + 3)..<end])) ?? 0)", end)
        }
    }

    /// The figure 1 alone reads as the word.
    var withWordsForOne: String {
        let one = Scalars("one".unicodeScalars)
        return String(
            Scalars(unicodeScalars).replacing(["1", "s"], with: one + ["s"], edges: (true, true))
                .replacing(["1"], with: one, edges: (true, true)))
    }
}

extension Scalars {
    /// End of the ASCII digits from a place on, at least one.
    fileprivate func digits(at place: Int, atMost limit: Int) -> Int? {
        guard place <= count else { return nil }
        let run = self[place...].prefix(limit)
        let end = run.firstIndex { !$0.isASCIIDigit } ?? run.endIndex
        return end > place ? end : nil
    }

    /// The same for one or two digits with a word boundary after them.
    fileprivate func wholeDigits(at place: Int) -> Int? {
        guard let end = digits(at: place, atMost: 2) else { return nil }
        return stride(from: end, to: place, by: -1).first { isBoundary($0) }
    }

    /// Rewrites matches that begin with a currency sign.
    fileprivate func rewritingCurrency(_ match: (Int) -> (String, Int)?) -> String {
        var result: Scalars = [], place = 0
        while place < count {
            if ["€", "£", "$"].contains(self[place]), let (text, end) = match(place) {
                result += text.unicodeScalars
                place = end
            } else {
                result.append(self[place])
                place += 1
            }
        }
        return String(result)
    }
}
