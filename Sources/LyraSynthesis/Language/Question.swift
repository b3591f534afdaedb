// A question with its answer.

/// What is asked about a scene, a recording or the world, and what is to be answered.
struct Question: Sendable, Equatable {
    /// What is asked for: "colour", "count", "time".
    var kind: String
    var text: String
    /// As it is written: "There are three.", "It is a red circle."
    var answer: String
    /// Answers that are right, without capitals and full stops, plainest first.
    var accepted: [String]

    /// - Parameters:
    ///   - value: what is asked for, without capital and full stop: "three", "a red circle". It is accepted as an answer.
    ///   - others: what is accepted, too.
    ///   - opening: what the answer says before the value; nil: ``opening(_:_:)``.
    init(_ kind: String, _ text: String, _ value: String, others: [String] = [], opening: String? = nil) {
        let opening = opening ?? Self.opening(kind, value), plain = [value.lowercased()] + others
        (self.kind, self.text) = (kind, text)
        answer = (opening + value).capitalised + "."
        accepted = plain + (opening.isEmpty ? [] : plain.map { opening + $0 })
    }

    /// Answers are sentences, so that what is named stands within one: there a word has the tokens that it has in texts, and that
    /// encoders learn for what is seen and heard. At the beginning of a sentence it would have others, for the capital.
    private static func opening(_ kind: String, _ value: String) -> String {
        if [notInPicture, notInRecording, notInVideo].contains(value) { return "" }
        switch kind {
        case "describe", "command", "topics", "video", "digits": return ""
        // A word on a sign or a password may be "yes".
        case "text": return "it says "
        case "needle": return "it is "
        default: return ["yes", "no"].contains(value) ? "" : "it is "
        }
    }

    static let notInPicture = "that is not in the picture"
    static let notInRecording = "that is not in the recording"
    static let notInVideo = "that is not in the video"
}

extension Question {
    /// The answer as it is spoken: numbers digit by digit.
    var spokenAnswer: String {
        guard answer.contains(where: \.isNumber) else { return answer }
        return answer.split(separator: " ").map { word in
            word.contains(where: \.isNumber) ? NumberWords.digits(String(word)) : String(word)
        }.joined(separator: " ").capitalised + "."
    }
}
