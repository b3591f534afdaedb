// The form in which answers about pictures are compared: that of the VQA challenge's evaluation server, which TextVQA, ST-VQA and
// the release's own scripts use. Rules are kept as they run there, including those that do not do what they were meant to.

/// Brings short answers into the form of the VQA challenge.
public enum AnswerProcessor {
    public static func process(_ answer: String) -> String {
        var text = Scalars(PythonText.lower(answer).unicodeScalars)
        for (old, new) in [(",", ""), ("?", ""), ("'s", " 's"), ("\n", " "), ("\t", " ")] { text = text.replacing(old, with: new) }
        return words(PythonText.lower(punctuation(Scalars(PythonText.strip(String(text)).unicodeScalars))))
    }

    /// A punctuation mark that stands beside a space somewhere goes; any other becomes a space. Periods go unless figures
    /// follow, 32 of them at most.
    private static func punctuation(_ text: Scalars) -> String {
        let pairs = zip(text, text.dropFirst())
        var result = text
        for mark in marks where text.contains(mark) {
            let isLoose = pairs.contains { ($0 == mark && $1 == " ") || ($0 == " " && $1 == mark) }
            result = result.replacing(String(mark), with: isLoose ? "" : " ")
        }
        var periods = 0
        return String(
            result.indices.compactMap { place -> Unicode.Scalar? in
                guard result[place] == ".", periods < 32, place + 1 == result.count || !result[place + 1].isPythonDigit else {
                    return result[place]
                }
                periods += 1
                return nil
            })
    }

    private static let marks = Scalars(";/[]\"{}()=+\\_-><@`,?!".unicodeScalars)

    private static func words(_ text: String) -> String {
        PythonText.words(text).map { numbers[$0] ?? $0 }.filter { !articles.contains($0) }.map { contractions[$0] ?? $0 }
            .joined(separator: " ")
    }

    private static let articles: Set<String> = ["a", "an", "the"]
    private static let numbers = [
        "none": "0", "zero": "0", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7",
        "eight": "8", "nine": "9", "ten": "10",
    ]

    /// Contractions by what people write for them.
    private static let contractions: [String: String] = {
        // Those that only lack their apostrophe, written with it.
        let plain = """
            ain't aren't can't could've couldn't didn't doesn't don't hadn't hasn't haven't he'd he's how'd how'll how's isn't it'd \
            it'll ma'am mightn't might've mustn't must've needn't not've o'clock oughtn't shan't should've shouldn't somebody'll \
            somebody's someone'd someone'll someone's something'd something'll that's there'd there're there's they'd they'll \
            they're they've 'twas wasn't we've weren't what'll what're what's what've when's where'd where's where've who've who'd who'll \
            who's why'll why're why's won't would've wouldn't y'all you'd you'll you're you've
            """
        var table = Dictionary(
            uniqueKeysWithValues: plain.split(separator: " ").map { ($0.filter { $0 != "'" }, String($0)) })
        // Those with two apostrophes, of which either may be missing.
        let double = """
            couldn't've hadn't've he'd've it'd've mightn't've she'd've shouldn't've someone'd've something'd've there'd've they'd've \
            we'd've who'd've wouldn't've you'd've
            """
        for full in double.split(separator: " ") {
            let parts = full.split(separator: "'")
            table["\(parts[0])\(parts[1])'\(parts[2])"] = String(full)
            table["\(parts[0])'\(parts[1])\(parts[2])"] = String(full)
        }
        table.merge([
            "somebody'd": "somebodyd", "somebodyd've": "somebody'd've", "somebody'dve": "somebody'd've",
            "ow's'at": "'ow's'at", "'ows'at": "'ow's'at", "'ow'sat": "'ow's'at",
            "yall'll": "y'all'll", "y'allll": "y'all'll", "yall'd've": "y'all'd've", "y'alld've": "y'all'd've",
            "y'all'dve": "y'all'd've",
        ]) { $1 }
        return table
    }()
}
