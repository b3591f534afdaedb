// Which of train, validation and test a thing belongs to.
import LyraMedia

/// A part of the small world. What a scene shows, how a question is put and whose voice it is belong to one split each, by
/// their content and not by a draw: data sets of different seeds cannot mix either.
public enum Split: String, Sendable, CaseIterable, Codable {
    case train, validation, test

    /// The split of a scene or sentence, by a text that says all that matters about it: 80 % are for training, 10 % each
    /// for validation and test.
    static func of(_ content: String) -> Split {
        switch stableHash("split/" + content) % 10 {
        case 0: .test
        case 1: .validation
        default: .train
        }
    }

    /// Draws until the content belongs to this split.
    func draw<Value>(_ random: inout SeededRandom, content: (Value) -> String, _ make: (inout SeededRandom) -> Value) -> Value {
        while true {
            let value = make(&random)
            if Split.of(content(value)) == self { return value }
        }
    }
}
