// Facts that are stated in recordings, and the questions about them.
import LyraMedia

/// Something that is said once.
struct Fact: Sendable, Equatable {
    /// What it is about, without what is said about it; no recording states two facts with one subject.
    var subject: String
    /// What is said about it.
    var value: String
    /// The sentence that states it.
    var statement: String
    /// A question that it answers.
    var question: Question

    /// The question, answered for a recording that does not state the fact.
    var absent: Question { Question("absent", question.text, Question.notInRecording) }
    /// Which split it belongs to: another value may be said of the same subject elsewhere.
    var content: String { "fact/\(subject)/\(value)" }

    static func random(_ split: Split, _ random: inout SeededRandom) -> Fact {
        split.draw(&random, content: { $0.content }) { draw(split, &$0) }
    }

    private static func draw(_ split: Split, _ random: inout SeededRandom) -> Fact {
        let name = random.pick(Lexicon.names)
        func fact(_ subject: String, _ value: String, _ statements: [String], _ wording: Wording, _ a: String, others: [String] = []) -> Fact {
            Fact(
                subject: subject, value: value, statement: random.pick(statements).capitalised + ".",
                question: Question("needle", wording.text(split, &random, a), value, others: others))
        }
        switch random.below(11) {
        case 0:
            let colour = random.pick(Colour.allCases), thing = random.pick(["door", "box", "safe", "gate", "bag"])
            let digits = (0..<3).map { _ in "\(random.below(10))" }.joined(), code = NumberWords.digits(digits)
            let what = "\(colour) \(thing)"
            return fact(
                "code of the \(what)", code, ["the code of the \(what) is \(code)", "you open the \(what) with the code \(code)"],
                FactWordings.code, what, others: [digits])
        case 1:
            let animal = random.pick(Lexicon.animals)
            return fact(
                "pet of \(name)", animal, ["\(name) has a pet, it is \(animal.withArticle)", "the pet of \(name) is \(animal.withArticle)"],
                FactWordings.pet, name, others: [animal.withArticle])
        case 2:
            let food = random.pick(Lexicon.edibles)
            return fact(
                "food of \(name)", food, ["the favourite food of \(name) is \(food)", "\(name) likes \(food) most of all"],
                FactWordings.food, name)
        case 3:
            let city = random.pick(Lexicon.cities)
            return fact("home of \(name)", city, ["\(name) lives in \(city)", "the home of \(name) is in \(city)"],
                        FactWordings.home, name, others: ["in \(city.lowercased())"])
        case 4:
            let job = random.pick(Lexicon.people.prefix(24))
            return fact("job of \(name)", job, ["\(name) works as \(job.withArticle)", "the job of \(name) is \(job)"],
                        FactWordings.job, name, others: [job.withArticle])
        case 5:
            let event = random.pick(["meeting", "concert", "party", "exam", "game", "wedding", "market", "race"]), day = random.pick(Lexicon.days)
            return fact("day of the \(event) of \(name)", day, ["the \(event) of \(name) is on \(day)", "on \(day) is the \(event) of \(name)"],
                        FactWordings.day, "\(event) of \(name)", others: ["on \(day.lowercased())"])
        case 6:
            let city = random.pick(Lexicon.cities), vehicle = random.pick(["train", "bus", "plane", "ship"])
            let hour = NumberWords.text(random.int(1...12))
            return fact(
                "\(vehicle) to \(city)", hour, ["the \(vehicle) to \(city) leaves at \(hour)", "at \(hour) the \(vehicle) leaves for \(city)"],
                FactWordings.departure, "\(vehicle) to \(city)", others: ["at \(hour)"])
        case 7:
            let thing = random.pick(Lexicon.things), price = random.int(2...40)
            return fact(
                "price of the \(thing)", NumberWords.text(price),
                ["the price of the \(thing) is \(NumberWords.text(price))", "the \(thing) costs \(NumberWords.text(price))"],
                Wordings.price, thing, others: NumberWords.otherForms(price))
        case 8:
            let thing = random.pick(["car", "house", "coat", "hat", "bicycle", "boat", "shirt", "bag"]), colour = random.pick(Colour.allCases)
            return fact(
                "colour of the \(thing) of \(name)", colour.rawValue, ["the \(thing) of \(name) is \(colour)", "\(name) has a \(colour) \(thing)"],
                Wordings.colour, "\(thing) of \(name)")
        case 9:
            let thing = random.pick(["key", "umbrella", "book", "letter", "ring", "camera", "wallet", "map"]), place = random.pick(Lexicon.places)
            return fact(
                "place of the \(thing) of \(name)", place,
                ["the \(thing) of \(name) is in the \(place)", "\(name) left the \(thing) in the \(place)"], FactWordings.place,
                "\(thing) of \(name)", others: ["the \(place)", "in the \(place)"])
        default:
            let word = random.pick(Lexicon.signWords)
            return fact("password of \(name)", word, ["the password of \(name) is \(word)", "\(name) uses the password \(word)"],
                        FactWordings.password, name)
        }
    }
}

enum FactWordings {
    static let code = Wording(
        ["What is the code of the {a}?", "Which code has the {a}?", "How do I open the {a}?", "Name the code of the {a}."],
        validation: ["Say the code of the {a}."], test: ["What code has the {a}?", "Which is the code of the {a}?"])
    static let pet = Wording(
        ["What pet has {a}?", "Which animal has {a}?", "What is the pet of {a}?", "Which pet does {a} have?"],
        validation: ["Say which pet {a} has."], test: ["Which is the pet of {a}?", "What animal does {a} have?"])
    static let food = Wording(
        ["What does {a} like most?", "What is the favourite food of {a}?", "Which food does {a} like most?", "What does {a} like most of all?"],
        validation: ["Say what {a} likes most."], test: ["Which is the favourite food of {a}?", "What food does {a} like most?"])
    static let home = Wording(
        ["Where does {a} live?", "In which city does {a} live?", "What is the home of {a}?", "Which city does {a} live in?"],
        validation: ["Say where {a} lives."], test: ["Which city is the home of {a}?", "In what city does {a} live?"])
    static let job = Wording(
        ["What is the job of {a}?", "Which job has {a}?", "What does {a} work as?", "What job does {a} have?"],
        validation: ["Say what job {a} has."], test: ["Which is the job of {a}?", "What job has {a}?"])
    static let day = Wording(
        ["When is the {a}?", "On which day is the {a}?", "Which day is the {a}?", "What day is the {a}?"],
        validation: ["Say when the {a} is."], test: ["On what day is the {a}?", "What is the day of the {a}?"])
    static let departure = Wording(
        ["When does the {a} leave?", "At what time does the {a} leave?", "At which hour does the {a} leave?", "When does the {a} go?"],
        validation: ["Say when the {a} leaves."], test: ["At which time does the {a} leave?", "At what time does the {a} go?"])
    static let place = Wording(
        ["Where is the {a}?", "In which place is the {a}?", "Where do I find the {a}?", "Where can I find the {a}?"],
        validation: ["Say where the {a} is."], test: ["In which place can I find the {a}?", "In what place is the {a}?"])
    static let password = Wording(
        ["What is the password of {a}?", "Which password has {a}?", "Which password does {a} use?", "Name the password of {a}."],
        validation: ["Say the password of {a}."], test: ["What password does {a} use?", "Which is the password of {a}?"])

    static let topicCount = Wording(
        ["How many reports about {a} are there?", "How many times is {a} the topic?", "Count the reports about {a}.",
         "What is the number of reports about {a}?"],
        validation: ["How many reports are about {a}?"], test: ["How many reports about {a} do you hear?", "Count how many times {a} is the topic."])
    static let topics = Wording(
        ["What are the topics?", "Which topics are there?", "What is the recording about?", "Name the topics.", "What is it about?"],
        validation: ["Say what the topics are."], test: ["Which topics do you hear?", "What topics is the recording about?"])
}
