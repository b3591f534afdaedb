// MME's score: for each of its kinds of question the share answered right, plus the share of pictures with both questions
// answered right, in percent.

/// Answers to MME's questions, two for each picture.
public struct MMEScore: Sendable {
    public struct Answer: Sendable {
        public var category: String
        /// The two questions of a picture share it.
        public var picture: String
        public var isRight: Bool

        public init(category: String, picture: String, isRight: Bool) {
            (self.category, self.picture, self.isRight) = (category, picture, isRight)
        }
    }

    public static let perception: Set<String> = [
        "existence", "count", "position", "color", "posters", "celebrity", "scene", "landmark", "artwork", "OCR",
    ]
    public static let cognition: Set<String> = [
        "commonsense_reasoning", "numerical_calculation", "text_translation", "code_reasoning",
    ]

    /// Score of each category, 0...200.
    public let categories: [String: Double]
    public var total: Double { categories.sorted { $0.key < $1.key }.reduce(0) { $0 + $1.value } }

    public init(_ answers: [Answer]) {
        var pictures: [String: [String: [Bool]]] = [:]
        for answer in answers { pictures[answer.category, default: [:]][answer.picture, default: []].append(answer.isRight) }
        categories = pictures.mapValues { pictures in
            let shares = pictures.values.map { Self.points($0) }
            return shares.reduce(0, +) / Double(shares.count)
        }
    }

    /// Of one picture: the share of right answers, and as much again if all are.
    public static func points(_ answers: [Bool]) -> Double {
        let right = answers.count { $0 }
        return 100 * Double(right) / Double(answers.count) + (right == answers.count ? 100 : 0)
    }
}
