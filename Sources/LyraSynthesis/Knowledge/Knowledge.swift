// Questions that need no picture: sums, small facts, and commands. They are the same in all splits, since a fact that was
// never learnt cannot be known; wordings and voices are held out.
import LyraMedia

enum Knowledge {
    static func question(_ split: Split, _ random: inout SeededRandom) -> Question {
        switch random.below(10) {
        case 0...3: arithmetic(split, &random)
        case 4...6: fact(split, &random)
        default: command(split, &random)
        }
    }

    // MARK: Sums

    static func arithmetic(_ split: Split, _ random: inout SeededRandom) -> Question {
        func words(_ number: Int) -> String { NumberWords.text(number) }
        switch random.below(5) {
        case 0, 1:
            let a = random.int(0...10), b = random.int(0...10)
            return .number("arithmetic", Wordings.plus.text(split, &random, words(a), words(b)), a + b)
        case 2:
            let b = random.int(0...10), a = b + random.int(0...10)
            return .number("arithmetic", Wordings.minus.text(split, &random, words(a), words(b)), a - b)
        case 3:
            let a = random.int(1...6), b = random.int(1...6)
            return .number("arithmetic", Wordings.times.text(split, &random, words(a), words(b)), a * b)
        default:
            let pair = random.sample(0...20, 2), larger = random.chance(0.5)
            return .number(
                "arithmetic", Wordings.larger.text(split, &random, larger ? "larger" : "smaller", words(pair[0]), words(pair[1])),
                larger ? max(pair[0], pair[1]) : min(pair[0], pair[1]))
        }
    }

    // MARK: Facts

    private static func pairs(_ text: String) -> [(String, String)] {
        text.split(separator: "\n").map { line in
            let parts = line.split(separator: ":").map { $0.drop { $0 == " " } }
            return (String(parts[0]), String(parts[1]))
        }
    }

    private static let facts: [(kind: String, wording: Wording, pairs: [(String, String)])] = [
        ("capital", Wordings.capital, pairs(
            """
            France: Paris
            Italy: Rome
            Spain: Madrid
            Germany: Berlin
            England: London
            Ireland: Dublin
            Austria: Vienna
            Russia: Moscow
            Norway: Oslo
            Japan: Tokyo
            Egypt: Cairo
            India: Delhi
            Peru: Lima
            Greece: Athens
            Poland: Warsaw
            Portugal: Lisbon
            """)),
        ("opposite", Wordings.opposite, pairs(
            """
            hot: cold
            big: small
            old: new
            wet: dry
            fast: slow
            early: late
            happy: sad
            open: closed
            full: empty
            loud: quiet
            hard: soft
            rich: poor
            long: short
            light: dark
            left: right
            north: south
            east: west
            strong: weak
            day: night
            summer: winter
            """)),
        ("colour_of", Wordings.colourOf, pairs(
            """
            grass: green
            snow: white
            blood: red
            the sky: blue
            a lemon: yellow
            a carrot: orange
            coal: black
            a cherry: red
            milk: white
            a tomato: red
            chocolate: brown
            gold: yellow
            """)),
        ("sound_of", Wordings.animalThat, pairs(
            """
            barks: a dog
            gives milk: a cow
            lays eggs: a hen
            has stripes: a zebra
            makes honey: a bee
            has a long neck: a giraffe
            lives in a shell: a snail
            catches mice: a cat
            """)),
    ]
    private static let numbers = pairs(
        """
        days has a week: 7
        months has a year: 12
        legs has a dog: 4
        legs has a spider: 8
        legs has a bee: 6
        legs has a bird: 2
        sides has a triangle: 3
        sides has a square: 4
        sides has a hexagon: 6
        wheels has a car: 4
        wheels has a bicycle: 2
        fingers has a hand: 5
        minutes has an hour: 60
        hours has a day: 24
        seconds has a minute: 60
        """)

    static func fact(_ split: Split, _ random: inout SeededRandom) -> Question {
        switch random.below(7) {
        case 0:
            let (what, number) = random.pick(numbers)
            let words = what.split(separator: " has "), count = Int(number) ?? 0
            return .number("fact", Wordings.howMany.text(split, &random, String(words[0]), String(words[1])), count)
        case 1:
            let list = random.pick([Lexicon.days, Lexicon.months])
            let index = random.below(list.count), after = random.chance(0.6)
            let answer = list[(index + (after ? 1 : list.count - 1)) % list.count]
            return Question("fact", Wordings.nextTo.text(split, &random, after ? "after" : "before", list[index]), answer)
        case 2:
            let number = random.int(1...19), after = random.chance(0.6)
            return .number(
                "fact", Wordings.nextTo.text(split, &random, after ? "after" : "before", NumberWords.text(number)),
                number + (after ? 1 : -1))
        default:
            let group = random.pick(facts)
            var (what, answer) = random.pick(group.pairs)
            if group.kind == "opposite", random.chance(0.5) { swap(&what, &answer) }
            let others = answer.hasPrefix("a ") ? [String(answer.dropFirst(2))] : []
            return Question("fact", group.wording.text(split, &random, what), answer, others: others)
        }
    }

    // MARK: Commands

    static func command(_ split: Split, _ random: inout SeededRandom) -> Question {
        switch random.below(6) {
        case 0:
            let word = random.pick(Lexicon.all).lowercased()
            return Question("command", Wordings.sayWord.text(split, &random, word), word)
        case 1:
            let word = random.pick(Lexicon.all.filter { $0.count <= 5 && !$0.contains("-") }).lowercased()
            let letters = word.map { $0.uppercased() }
            return Question("command", Wordings.spell.text(split, &random, word), letters.joined(separator: " "), others: [word])
        case 2:
            let end = random.int(2...10)
            return Question(
                "command", Wordings.countTo.text(split, &random, NumberWords.text(end)),
                (1...end).map(NumberWords.text).joined(separator: " "))
        case 3:
            let start = random.int(2...10)
            return Question(
                "command", Wordings.countDown.text(split, &random, NumberWords.text(start)),
                (0...start).reversed().map(NumberWords.text).joined(separator: " "))
        case 4:
            let words = random.sample(Lexicon.things, random.int(2...4)), last = random.chance(0.5)
            return Question(
                "command", Wordings.pickWord.text(split, &random, last ? "last" : "first", words.joined(separator: " ")),
                (last ? words.last : words.first) ?? "")
        default:
            let word = random.pick(Lexicon.names)
            return Question("command", Wordings.greet.text(split, &random, word), "hello \(word)")
        }
    }
}
