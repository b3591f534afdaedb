// The words of the small world: about 1,300, by what they are.

enum Lexicon {
    private static func words(_ text: String) -> [String] { text.split(whereSeparator: \.isWhitespace).map(String.init) }

    // MARK: Pictures

    static let foods = words(
        """
        apple bread butter cake carrot cheese cherry coffee corn cream egg fish grape honey juice lemon melon milk nuts onion
        orange pasta peach pear pie pizza plum potato rice salad salt soup sugar tea toast tomato water
        """)
    static let animals = words("bear bee bird cat cow deer dog duck fox frog goat hen horse lion mouse owl pig rabbit sheep tiger wolf")
    static let cities = words("Berlin Cairo Delhi Dublin London Madrid Milan Moscow Oslo Paris Rome Tokyo Vienna Lima Boston")
    static let days = words("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
    static let months = words("January February March April May June July August September October November December")
    static let chartLabels: [[String]] = [
        foods.filter { $0.count <= 6 }, animals.filter { $0.count <= 6 }, cities.filter { $0.count <= 6 },
        words("north south east west centre"), words("cars buses trains bikes ships planes"), words("gold silver iron wood stone glass"),
        words("May June July March April"), words("rain sun snow wind fog"), words("Anna Ben Clara David Emma Frank Grace Henry"),
    ]
    static let mapPlaces = words("bank bridge church farm forest garden hotel lake library market museum park port school shop station theatre tower")

    /// Short words that stand on signs.
    static let signWords = words(
        """
        open closed stop go exit enter push pull free sale hot cold left right up down yes no new old menu bank hotel taxi police
        danger school library museum theatre park beach station airport garden kitchen office market bakery pharmacy hospital
        welcome hello goodbye thanks please wait quiet private public danger caution water fire gas power light music dance film
        book paper press print radio river ocean mountain forest desert island winter summer spring autumn monday friday sunday
        north south east west coffee tea bread cheese pizza salad soup sugar honey lemon apple cherry orange melon peach pepper
        tiger lion zebra horse rabbit eagle dolphin turtle monkey panda rocket planet comet galaxy moon star sun cloud storm rain
        snow wind wave stone metal silver gold copper iron glass wood plastic cotton leather velvet silk table chair window door
        lamp clock mirror carpet pillow blanket bottle basket ladder hammer bucket engine wheel pedal brake motor train tram bus
        ticket travel arrive depart platform signal bridge tunnel tower castle palace temple chapel village city country world
        peace love hope dream smile happy lucky magic secret winner player team goal game match race speed power energy nature
        flower garden tree leaf root seed fruit berry potato tomato carrot onion garlic butter cream milk juice candy cake cookie
        """).reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } }

    /// What signs, menus, charts and maps have written on them.
    static let printed = Set(signWords + foods + chartLabels.flatMap { $0 } + mapPlaces).sorted()

    // MARK: Speech

    static let names = words(
        """
        Anna Ben Clara David Emma Frank Grace Henry Iris Jack Kate Leo Maria Nina Oscar Paul Rosa Sam Tina Victor Alice Boris
        Carla Daniel Ella Felix George Hannah Ivan Julia Kevin Laura Martin Nora Oliver Peter Robert Sara Thomas Vera Walter
        """)
    static let people = words(
        """
        teacher doctor farmer sailor baker driver painter singer writer nurse soldier gardener lawyer pilot dancer student
        neighbour captain waiter engineer brother sister mother father uncle aunt cousin grandmother child friend guest stranger
        king queen judge mayor player winner poet hunter fisherman shepherd tailor carpenter secretary manager director actor
        """)
    static let things = words(
        """
        table chair window door lamp clock mirror carpet pillow blanket bottle basket ladder hammer bucket engine wheel ticket
        letter newspaper book pencil notebook picture camera computer telephone radio television bicycle car truck boat ship
        train plane coat shirt hat shoe glove scarf button needle thread knife spoon fork plate cup glass kettle oven stove
        fridge broom brush soap towel comb ring necklace watch wallet purse umbrella suitcase box bag key lock bell candle match
        rope nail board brick stone stick leaf flower rose tree bush grass seed root branch nest feather shell egg bone coin
        map flag drum guitar piano violin trumpet flute whistle ball doll kite puzzle toy tent torch blade spade rake hose pipe
        cable battery screen keyboard paper envelope stamp card poster statue fountain bench fence gate wall roof chimney
        balcony stairs floor ceiling curtain shelf drawer cupboard desk sofa bed cradle bath sink tap jar bowl tray napkin
        """)
    static let edibles = words(
        """
        apples bread butter cake carrots cheese cherries coffee corn cream eggs fish grapes honey juice lemons milk mushrooms
        nuts olives onions oranges pancakes pasta peaches pears peas pepper pizza plums potatoes rice salad sandwiches sausages
        soup strawberries sugar tea tomatoes waffles beans cabbage chicken chocolate cookies garlic ham jam noodles pumpkin
        """)
    static let beasts = words(
        """
        bear bee bird cat cow deer dog duck eagle elephant fox frog giraffe goat goose hen horse kangaroo lion lizard monkey
        mouse owl parrot penguin pig pony rabbit rat seal shark sheep snake spider swan tiger turtle whale wolf zebra ant
        beetle butterfly camel crab crow dolphin donkey falcon hamster hedgehog
        """)
    static let places = words(
        """
        garden kitchen office market bakery pharmacy hospital school library museum theatre park beach station airport hotel
        restaurant factory farm forest field meadow mountain valley river lake island desert village city castle palace church
        tower bridge tunnel harbour street corner square cellar attic hall bedroom bathroom classroom workshop garage stable
        cottage cave hill cliff shore pond swamp jungle stadium prison bank shop supermarket cafe courtyard playground zoo
        """)
    static let adjectives = words(
        """
        red green blue yellow orange purple pink brown black grey white golden silver big small large tiny huge tall short long
        wide narrow thick thin heavy light old new young ancient modern fresh dry wet clean dirty hot cold warm cool bright dark
        loud quiet soft hard rough smooth sharp blunt sweet sour bitter salty strong weak fast slow early late happy sad angry
        calm brave shy clever foolish kind cruel polite rude rich poor cheap expensive empty full open closed broken whole
        round square flat deep shallow steep straight crooked beautiful ugly famous unknown strange common rare wild tame lazy
        busy tired hungry thirsty sleepy lucky careful gentle honest lonely proud simple difficult easy useful wooden plastic
        """)
    /// Past tense; somebody does it to a thing.
    static let actions = words(
        """
        found lost bought sold carried dropped lifted opened closed cleaned painted repaired broke moved pushed pulled threw
        caught kicked touched held kept gave took sent received brought borrowed stole hid showed saw watched noticed
        remembered forgot wanted liked loved hated needed used built made drew measured counted chose checked covered washed
        burned filled emptied tied wrapped packed unpacked shook turned copied examined admired
        """)
    /// Past tense; somebody does it, nothing follows.
    static let motions = words(
        """
        walked ran jumped danced slept sat stood waited worked played sang laughed cried smiled shouted whispered listened
        talked travelled arrived returned stayed swam climbed fell rested hurried stopped hesitated studied cooked
        """)
    static let adverbs = words(
        """
        quickly slowly quietly loudly carefully happily sadly suddenly finally often never always sometimes usually rarely
        gently badly well early late again together alone outside inside upstairs downstairs everywhere nowhere today
        yesterday tonight soon twice once already almost politely proudly secretly
        """)
    static let times = [
        "in the morning", "in the evening", "at night", "at noon", "after lunch", "before breakfast", "last week", "last year",
        "on Monday", "on Tuesday", "on Wednesday", "on Thursday", "on Friday", "on Saturday", "on Sunday", "in January", "in March",
        "in May", "in June", "in July", "in August", "in October", "in winter", "in summer", "in spring", "in autumn", "every day",
        "during the storm", "after the concert", "before the meeting", "for three hours", "since midnight", "until the rain stopped",
    ]
    static let prepositions = ["in", "near", "behind", "in front of", "next to", "outside", "inside", "beyond", "opposite"]
    static let plurals = words(
        """
        people children friends students workers visitors soldiers tourists birds horses cows sheep dogs cats wolves bees
        flowers trees leaves stones boxes books letters bottles cups plates shoes coats windows doors cars ships boats trains
        clouds stars planets rivers mountains islands songs stories pictures questions answers numbers words names colours
        """)
    static let abstract = words(
        """
        weather news music history science nature peace freedom truth love hope luck courage patience time money work health
        sleep silence noise light darkness winter summer traffic football chess cooking painting reading swimming dancing
        travel medicine law trade education language poetry energy technology
        """)
    static let verbs = words(
        """
        is are was were has had will would can could should must may might do does did go come get make know think see look want
        give use find tell ask seem feel try leave call eat drink read write speak hear learn teach buy sell pay send wait walk
        run swim fly drive ride sing dance sleep wake wash cook clean open close begin end win lose hope help believe understand
        """)
    static let small = words("the a and or but if because when while although that this these those with without from to of for about")

    /// Every word that a sentence may hold, each once.
    static let all: [String] = {
        let groups = [
            names, people, things, edibles, beasts, places, adjectives, actions, motions, adverbs, plurals, abstract, verbs, small,
            days, months, cities, animals, foods, signWords,
            (0...20).map(NumberWords.text), words("thirty forty fifty sixty seventy eighty ninety hundred"),
            times.flatMap { words($0) }, ShapeKind.allCases.flatMap { [$0.rawValue, $0.plural] },
        ]
        var seen = Set<String>()
        return groups.joined().filter { seen.insert($0.lowercased()).inserted }
    }()
}
