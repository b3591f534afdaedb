// What is talked about between the facts: reports and diary entries about a topic.
import LyraMedia

enum Topics {
    static let all = ["weather", "sport", "traffic", "music", "food", "work", "school", "animals"]

    /// A report of two to four sentences; the first names the topic.
    static func report(_ topic: String, diary: Bool, _ random: inout SeededRandom) -> String {
        let openings =
            diary
            ? ["Now about \(topic).", "Something about \(topic).", "Today I thought about \(topic).", "Let me write about \(topic)."]
            : ["Now the \(topic) report.", "Here is a report about \(topic).", "And now \(topic).", "The next report is about \(topic)."]
        let count = random.int(1...3)
        return ([random.pick(openings)] + (0..<count).map { _ in sentence(topic, diary, &random) }).joined(separator: " ")
    }

    private static func sentence(_ topic: String, _ diary: Bool, _ random: inout SeededRandom) -> String {
        let time = random.pick(Lexicon.times), place = "the " + random.pick(Lexicon.places)
        let number = NumberWords.text(random.int(2...30))
        let who = diary ? random.pick(["I", "we", "my friend", "my neighbour"]) : random.pick(["many people", "the visitors", "some tourists", "the children"])
        func any(_ words: String...) -> String { random.pick(words) }
        let text: String
        switch topic {
        case "weather":
            text = any(
                "it was \(any("cold", "warm", "hot", "cool", "wet", "dry")) and \(any("windy", "cloudy", "sunny", "foggy")) near \(place)",
                "there was \(any("rain", "snow", "fog", "wind", "ice")) \(time)", "\(who) waited for the \(any("rain", "storm", "sun", "snow")) near \(place)",
                "the wind came from the \(any("north", "south", "east", "west"))", "clouds covered \(place) \(time)")
        case "sport":
            text = any(
                "\(who) watched the \(any("football", "tennis", "chess", "swimming")) game \(time)", "the \(any("red", "blue", "green", "white")) team scored \(number) points",
                "\(who) ran \(number) miles \(time)", "the players trained near \(place)", "the game ended late and \(who) went home")
        case "traffic":
            text = any(
                "the road to \(place) was closed \(time)", "\(who) waited \(number) minutes for the bus", "there were \(number) cars on the bridge",
                "the street near \(place) was \(any("full", "empty", "quiet", "busy"))", "a truck stopped in front of \(place)")
        case "music":
            text = any(
                "\(who) listened to the \(any("piano", "violin", "guitar", "trumpet", "drum"))", "\(number) singers sang near \(place)",
                "the band played \(number) songs \(time)", "the music in \(place) was \(any("loud", "soft", "slow", "fast", "beautiful"))")
        case "food":
            text = any(
                "\(who) cooked \(random.pick(Lexicon.edibles)) and \(random.pick(Lexicon.edibles)) \(time)",
                "the soup was \(any("hot", "cold", "salty", "sweet"))", "\(who) ate \(number) \(any("pancakes", "cookies", "sandwiches", "apples"))",
                "the restaurant near \(place) was \(any("full", "empty", "closed", "open"))")
        case "work":
            text = any(
                "\(who) worked for \(number) hours \(time)", "the office near \(place) was \(any("open", "closed", "busy", "quiet"))",
                "\(who) wrote \(number) letters", "the factory made \(number) \(random.pick(Lexicon.things).withPlural)")
        case "school":
            text = any(
                "\(who) read \(number) pages \(time)", "the class visited \(place)", "\(number) students studied \(any("history", "music", "science", "language"))",
                "\(who) learned \(number) new words", "the lesson was \(any("long", "short", "easy", "difficult"))")
        default:
            text = any(
                "\(who) saw \(random.pick(Lexicon.beasts).withArticle) near \(place)", "\(number) \(any("birds", "horses", "sheep", "cows", "dogs")) slept near \(place)",
                "the \(random.pick(Lexicon.beasts)) was \(any("tired", "hungry", "happy", "wild", "tame"))", "\(who) fed the \(random.pick(Lexicon.beasts)) \(time)")
        }
        return text.capitalised + "."
    }

    static func greeting(diary: Bool, _ random: inout SeededRandom) -> String {
        diary
            ? random.pick(["Dear diary.", "This is my diary.", "A new page in my diary."])
            : random.pick(["Good evening. Here is the news.", "Welcome to the news.", "Good morning. This is the news."])
    }
}

extension String {
    /// More than one of a thing.
    fileprivate var withPlural: String {
        if hasSuffix("y"), let before = dropLast().last, !"aeiou".contains(before) { return dropLast() + "ies" }
        if hasSuffix("f") { return dropLast() + "ves" }
        if hasSuffix("fe") { return dropLast(2) + "ves" }
        return self + (hasSuffix("s") || hasSuffix("ch") || hasSuffix("sh") || hasSuffix("x") ? "es" : "s")
    }
}
