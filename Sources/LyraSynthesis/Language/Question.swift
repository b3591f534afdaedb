// A question with its answer.

/// What is asked about a scene, a recording or the world, and what is to be answered.
struct Question: Sendable, Equatable {
    /// What is asked for: "colour", "count", "time".
    var kind: String
    var text: String
    /// As it is written: "Three.", "A red circle."
    var answer: String
    /// Other answers that are right, without capitals and full stops; the answer itself is always one.
    var others: [String] = []

    /// - Parameter value: the answer without capital and full stop.
    init(_ kind: String, _ text: String, _ value: String, others: [String] = []) {
        (self.kind, self.text, self.others) = (kind, text, others)
        answer = value.capitalised + "."
    }

    /// Accepted answers, plainest first.
    var accepted: [String] { [String(answer.dropLast()).lowercased()] + others }

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
