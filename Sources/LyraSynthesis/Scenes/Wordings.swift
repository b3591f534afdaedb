// The wordings of all questions about pictures. Held-out wordings use words that training has elsewhere.

enum Wordings {
    static let colour = Wording(
        ["What colour is the {a}?", "Which colour is the {a}?", "What is the colour of the {a}?", "The {a}, what colour is it?",
         "Name the colour of the {a}.", "What colour has the {a}?"],
        validation: ["Say which colour the {a} is."], test: ["Which colour has the {a}?", "Name the colour that the {a} has."])
    static let kind = Wording(
        ["Which shape is {a}?", "What is {a}?", "What shape is {a}?", "Name the {a} shape.", "What is the {a} shape?",
         "Which one is {a}?"],
        validation: ["Say which shape is {a}."], test: ["Name the shape that is {a}.", "What kind of shape is {a}?"])
    static let count = Wording(
        ["How many {a} are there?", "How many {a} do you see?", "Count the {a}.", "What is the number of {a}?",
         "How many {a} can you see?", "How many {a} are in the picture?"],
        validation: ["How many {a} are here?"], test: ["What number of {a} do you see?", "Count the {a} in the picture."])
    static let location = Wording(
        ["Where is the {a}?", "In which place is the {a}?", "Where do you see the {a}?", "Find the {a}.", "Where can you see the {a}?",
         "The {a}, where is it?"],
        validation: ["Say where the {a} is."], test: ["Where in the picture is the {a}?", "In which place do you see the {a}?"])
    static let occupant = Wording(
        ["What is {a}?", "What do you see {a}?", "Which shape is {a}?", "What can you see {a}?", "Name the shape {a}."],
        validation: ["Say what is {a}."], test: ["What is there {a}?", "Which shape do you see {a}?"])
    static let relation = Wording(
        ["Is the {a} {b} the {c}?", "Do you see the {a} {b} the {c}?", "The {a}, is it {b} the {c}?", "Is it true that the {a} is {b} the {c}?"],
        validation: ["Can you see the {a} {b} the {c}?"], test: ["Is it right that the {a} is {b} the {c}?"])
    static let existence = Wording(
        ["Is there {a}?", "Do you see {a}?", "Can you see {a}?", "Does the picture have {a}?", "Is {a} in the picture?"],
        validation: ["Is {a} here?"], test: ["Can you see {a} in the picture?", "Is there {a} here?"])
    static let bigger = Wording(
        ["Which is {a}, the {b} or the {c}?", "Which one is {a}, the {b} or the {c}?", "The {b} or the {c}, which is {a}?",
         "What is {a}, the {b} or the {c}?"],
        validation: ["Say which is {a}, the {b} or the {c}."], test: ["The {b} or the {c}, which one is {a}?", "Which shape is {a}, the {b} or the {c}?"])
    static let size = Wording(
        ["Is the {a} big or small?", "What size is the {a}?", "Which size has the {a}?", "The {a}, is it big or small?",
         "What is the size of the {a}?"],
        validation: ["Say if the {a} is big or small."], test: ["Which size is the {a}?", "Is the {a} small or big?"])
    static let more = Wording(
        ["Are there more {a} than {b}?", "Do you see more {a} than {b}?", "Can you see more {a} than {b}?",
         "Does the picture have more {a} than {b}?"],
        validation: ["Is it true that there are more {a} than {b}?"], test: ["Are more {a} than {b} in the picture?", "Are there more {a} here than {b}?"])
    static let describe = Wording(
        ["Describe the picture.", "What do you see?", "What is in the picture?", "What does the picture show?", "What can you see?",
         "Say what you see."],
        validation: ["Describe what you see."], test: ["Describe what is in the picture.", "What can you see in the picture?"])

    static let front = Wording(
        ["Which shape is in front?", "What is in front?", "Name the shape in front.", "What is the shape in front?", "Which one is in front?",
         "Which is the one in front?", "Name the shape that is in front."],
        validation: ["Say which shape is in front."], test: ["What shape do you see in front?", "Name the one in front."])
    static let behind = Wording(
        ["Which shape is behind?", "What is behind?", "Name the shape behind.", "What is the shape behind?", "Which one is behind?",
         "Which is the one behind?", "Name the shape that is behind."],
        validation: ["Say which shape is behind."], test: ["What shape do you see behind?", "Name the one behind."])
    static let inFront = Wording(
        ["Is the {a} in front of the {b}?", "The {a}, is it in front of the {b}?", "Do you see the {a} in front of the {b}?",
         "Is it true that the {a} is in front of the {b}?"],
        validation: ["Can you see the {a} in front of the {b}?"], test: ["Is it right that the {a} is in front of the {b}?"])

    static let read = Wording(
        ["What does it say?", "What does the sign say?", "What is written here?", "Read the text.", "What does the text say?", "Read the sign."],
        validation: ["Say what is written here."], test: ["What is written on the sign?", "Read what it says."])
    static let wordColour = Wording(
        ["What colour is the word {a}?", "Which colour is the word {a}?", "What is the colour of the word {a}?", "In which colour is {a} written?"],
        validation: ["Say which colour the word {a} is."], test: ["Which colour has the word {a}?", "In what colour is the word {a} written?"])
    static let wordExistence = Wording(
        ["Does it say {a}?", "Does the sign say {a}?", "Is the word {a} there?", "Do you see the word {a}?", "Is {a} written here?"],
        validation: ["Does the text say {a}?"], test: ["Can you see the word {a}?", "Is the word {a} written here?"])
    static let colouredWord = Wording(
        ["What does the {a} word say?", "What is the {a} word?", "Which word is {a}?", "Read the {a} word.", "Which word is written in {a}?"],
        validation: ["Say which word is {a}."], test: ["What word is {a}?", "Read the word written in {a}."])
    static let placedWord = Wording(
        ["What does it say {a}?", "Which word is {a}?", "What is written {a}?", "Read the word {a}.", "What is the word {a}?"],
        validation: ["Say what is written {a}."], test: ["What word is {a}?", "Read what is written {a}."])

    static let page = Wording(
        ["Read the page.", "What does the page say?", "Read all words.", "What is written on the page?", "Read everything."],
        validation: ["Say all words."], test: ["Read what is on the page.", "Which words are on the page?"])
    static let wordAfter = Wording(
        ["Which word comes after {a}?", "What comes after {a}?", "What is the word after {a}?", "Read the word after {a}.", "Which word follows {a}?"],
        validation: ["Say the word after {a}."], test: ["What word follows {a}?", "Which is the word after {a}?"])
    static let wordBefore = Wording(
        ["Which word comes before {a}?", "What comes before {a}?", "What is the word before {a}?", "Read the word before {a}."],
        validation: ["Say the word before {a}."], test: ["What word comes before {a}?", "Which is the word before {a}?"])

    static let number = Wording(
        ["What number is it?", "Which number do you see?", "Read the number.", "What is the number?", "What number is in the picture?",
         "Which number is written here?"],
        validation: ["Say which number it is."], test: ["Which number can you see?", "Read the number in the picture."])
    static let titledNumber = Wording(
        ["What is the number of the {a}?", "Which {a} is it?", "What {a} number is it?", "Read the number of the {a}.", "Which number has the {a}?"],
        validation: ["Say which {a} it is."], test: ["What number has the {a}?", "Which {a} number do you see?"])
    static let digitCount = Wording(
        ["How many digits has the number?", "How many digits are there?", "Count the digits.", "How many digits do you see?",
         "How many digits does the number have?"],
        validation: ["How many digits are here?"], test: ["What is the number of digits?", "How many digits can you see?"])
    static let numberColour = Wording(
        ["What colour is the number?", "Which colour is the number?", "What is the colour of the number?", "In which colour is the number written?"],
        validation: ["Say which colour the number is."], test: ["Which colour has the number?", "Name the colour of the number."])

    static let price = Wording(
        ["What does the {a} cost?", "How much is the {a}?", "What is the price of the {a}?", "How much does the {a} cost?", "The {a}, how much is it?"],
        validation: ["Say how much the {a} is."], test: ["Which price has the {a}?", "What is the cost of the {a}?"])
    static let cheapest = Wording(
        ["What is the {a} thing?", "Which one is {a}?", "What is {a}?", "Name the {a} thing.", "Which thing is the {a}?"],
        validation: ["Say which one is the {a}."], test: ["Which is the {a} one?", "What is the {a} here?"])
    static let itemOfPrice = Wording(
        ["What costs {a}?", "Which thing costs {a}?", "What can I buy for {a}?", "Name the thing that costs {a}."],
        validation: ["Say what costs {a}."], test: ["Which one costs {a}?", "What is the thing that costs {a}?"])
    static let rowCount = Wording(
        ["How many things can I buy?", "How many things are there?", "Count the things.", "How many prices do you see?"],
        validation: ["How many things are here?"], test: ["What is the number of things?", "How many prices are there?"])

    static let tallestBar = Wording(
        ["Which bar is the {a}?", "Which bar is {a}?", "What is the {a} bar?", "Name the {a} bar.", "Which one is the {a} bar?"],
        validation: ["Say which bar is the {a}."], test: ["Which is the {a} bar?", "What is the name of the {a} bar?"])
    static let barValue = Wording(
        ["What is the value of {a}?", "How much is {a}?", "How high is {a}?", "What value has {a}?", "How high is the bar of {a}?",
         "What is the number for {a}?"],
        validation: ["Say the value of {a}."], test: ["Which value has {a}?", "What is the value for {a}?"])
    static let barCount = Wording(
        ["How many bars are there?", "How many bars do you see?", "Count the bars.", "What is the number of bars?", "How many bars can you see?"],
        validation: ["How many bars are here?"], test: ["What number of bars do you see?", "How many bars are in the picture?"])
    static let barColour = Wording(
        ["What colour is the bar of {a}?", "Which colour is the bar of {a}?", "What is the colour of {a}?", "What colour is {a}?", "Name the colour of {a}."],
        validation: ["Say which colour {a} is."], test: ["Which colour has the bar of {a}?", "Name the colour of the bar of {a}."])
    static let barCompare = Wording(
        ["Is {a} {b} than {c}?", "Is the bar of {a} {b} than the bar of {c}?", "Is it true that {a} is {b} than {c}?"],
        validation: ["Is it right that {a} is {b} than {c}?"], test: ["Is {a} a {b} bar than {c}?"])

    static let largestSlice = Wording(
        ["Which slice is the {a}?", "Which slice is {a}?", "What is the {a} slice?", "Name the {a} slice.", "What is the {a} part?", "Which part is the {a}?"],
        validation: ["Say which slice is the {a}."], test: ["Which is the {a} slice?", "Name the {a} part."])
    static let sliceColour = Wording(
        ["What colour is the slice of {a}?", "Which colour is the slice of {a}?", "What is the colour of {a}?", "What colour is {a}?", "Name the colour of {a}."],
        validation: ["Say which colour {a} is."], test: ["Which colour has the slice of {a}?", "Name the colour of the slice of {a}."])
    static let sliceOfColour = Wording(
        ["Which slice is {a}?", "What is the {a} slice?", "Name the {a} slice.", "Which part is {a}?", "What is the {a} part?"],
        validation: ["Say which slice is {a}."], test: ["What does the {a} slice show?", "Name the {a} part."])
    static let sliceCount = Wording(
        ["How many slices are there?", "How many slices do you see?", "Count the slices.", "How many parts are there?", "What is the number of slices?"],
        validation: ["How many slices are here?"], test: ["How many parts do you see?", "How many slices are in the picture?"])

    static let time = Wording(
        ["What time is it?", "What is the time?", "What time does the clock show?", "Read the clock.", "Which time do you see?",
         "What does the clock say?"],
        validation: ["Say what time it is."], test: ["Which time is it?", "Which time does the clock show?", "What time do you see?"])
    static let hour = Wording(
        ["Which hour is it?", "What is the hour?", "What hour does the clock show?", "Which hour do you see?"],
        validation: ["Say which hour it is."], test: ["What hour is it?", "Which hour does the clock show?"])
    static let clockColour = Wording(
        ["What colour is the clock?", "Which colour is the clock?", "What is the colour of the clock?", "Name the colour of the clock."],
        validation: ["Say which colour the clock is."], test: ["Which colour has the clock?", "What colour has the clock?"])

    static let gridPlace = Wording(
        ["In which cell is the {a}?", "Which cell has the {a}?", "Where is the {a}?", "Find the {a}.", "What cell is the {a} in?"],
        validation: ["Say in which cell the {a} is."], test: ["Which cell is the {a} in?", "In which cell do you see the {a}?"])
    static let gridCell = Wording(
        ["What is in {a}?", "What is in cell {a}?", "Which shape is in {a}?", "What do you see in {a}?", "Name the shape in {a}."],
        validation: ["Say what is in cell {a}."], test: ["What can you see in {a}?", "Which shape is in cell {a}?"])
    static let mapPlace = Wording(
        ["Where is the {a}?", "Where on the map is the {a}?", "Find the {a}.", "Where do you see the {a}?", "In which place is the {a}?"],
        validation: ["Say where the {a} is."], test: ["Where can you see the {a}?", "In which place do you see the {a}?"])
    static let mapAt = Wording(
        ["What is {a}?", "What do you see {a}?", "What is {a} of the map?", "Name the place {a}.", "Which place is {a}?"],
        validation: ["Say what is {a}."], test: ["What is there {a}?", "Which place do you see {a}?"])
    static let mapNeighbour = Wording(
        ["What is {a} of the {b}?", "Which place is {a} of the {b}?", "What do you see {a} of the {b}?", "Name the place {a} of the {b}."],
        validation: ["Say what is {a} of the {b}."], test: ["What is there {a} of the {b}?", "Which place do you see {a} of the {b}?"])
}

extension Wordings {
    /// The release's instruction, which `lyra transcribe` gives; its line break stands after the one that ends the recording.
    static let releaseInstruction = "\nRecord the spoken words as text."
    static let transcribe = Wording(
        ["Write down what you hear.", "Transcribe the recording.", "What is said?", "Write what is said.", "Transcribe this.",
         "What do you hear?"],
        validation: ["Write down what is said."], test: ["Transcribe what is said.", "Write what you hear."])
}

// Without pictures.
extension Wordings {
    static let plus = Wording(
        ["What is {a} plus {b}?", "How much is {a} plus {b}?", "Add {a} and {b}.", "What is the sum of {a} and {b}?", "{a} plus {b} is what?",
         "What do you get for {a} plus {b}?"],
        validation: ["Say what {a} plus {b} is."], test: ["How much is the sum of {a} and {b}?", "What do {a} and {b} make?"])
    static let minus = Wording(
        ["What is {a} minus {b}?", "How much is {a} minus {b}?", "{a} minus {b} is what?", "What do you get for {a} minus {b}?",
         "Take {b} from {a}."],
        validation: ["Say what {a} minus {b} is."], test: ["How much do you get for {a} minus {b}?"])
    static let times = Wording(
        ["What is {a} times {b}?", "How much is {a} times {b}?", "{a} times {b} is what?", "What do you get for {a} times {b}?"],
        validation: ["Say what {a} times {b} is."], test: ["How much do you get for {a} times {b}?"])
    static let larger = Wording(
        ["Which is {a}, {b} or {c}?", "Which number is {a}, {b} or {c}?", "What is {a}, {b} or {c}?", "{b} or {c}, which is {a}?"],
        validation: ["Say which is {a}, {b} or {c}."], test: ["{b} or {c}, which number is {a}?", "Which one is {a}, {b} or {c}?"])
    static let capital = Wording(
        ["What is the capital of {a}?", "Which city is the capital of {a}?", "Name the capital of {a}.", "The capital of {a}, what is it?"],
        validation: ["Say the capital of {a}."], test: ["Which is the capital of {a}?", "What city is the capital of {a}?"])
    static let opposite = Wording(
        ["What is the opposite of {a}?", "Name the opposite of {a}.", "Which word is the opposite of {a}?", "The opposite of {a}, what is it?"],
        validation: ["Say the opposite of {a}."], test: ["What word is the opposite of {a}?", "Which is the opposite of {a}?"])
    static let colourOf = Wording(
        ["What colour is {a}?", "Which colour is {a}?", "What is the colour of {a}?", "Name the colour of {a}."],
        validation: ["Say which colour {a} is."], test: ["Which colour has {a}?", "What colour has {a}?"])
    static let animalThat = Wording(
        ["Which animal {a}?", "What animal {a}?", "Name an animal that {a}.", "Which one is the animal that {a}?"],
        validation: ["Say which animal {a}."], test: ["What is the animal that {a}?", "Name the animal that {a}."])
    static let howMany = Wording(
        ["How many {a} has {b}?", "How many {a} does {b} have?", "How many {a} are in {b}?", "What is the number of {a} in {b}?"],
        validation: ["Say how many {a} {b} has."], test: ["What number of {a} has {b}?"])
    static let nextTo = Wording(
        ["What comes {a} {b}?", "Which one comes {a} {b}?", "What is {a} {b}?", "Name what comes {a} {b}."],
        validation: ["Say what comes {a} {b}."], test: ["What do you get {a} {b}?", "Which is {a} {b}?"])
    static let sayWord = Wording(
        ["Say the word {a}.", "Repeat the word {a}.", "Say {a}.", "Repeat after me: {a}.", "Can you say {a}?", "Can you say the word {a}?"],
        validation: ["Can you repeat {a}?"], test: ["Can you repeat the word {a}?", "Say after me: {a}."])
    static let spell = Wording(
        ["Spell the word {a}.", "Spell {a}.", "How do you spell {a}?", "Can you spell {a}?", "How is {a} spelled?"],
        validation: ["Can you spell the word {a}?"], test: ["How do you spell the word {a}?", "How is the word {a} spelled?"])
    static let countTo = Wording(
        ["Count to {a}.", "Count from one to {a}.", "Can you count to {a}?", "Count up to {a}."],
        validation: ["Can you count up to {a}?"], test: ["Can you count from one to {a}?", "Count from one up to {a}."])
    static let countDown = Wording(
        ["Count down from {a}.", "Count down from {a} to zero.", "Can you count down from {a}?", "Count from {a} down to zero."],
        validation: ["Can you count from {a} down to zero?"], test: ["Can you count down from {a} to zero?"])
    static let pickWord = Wording(
        ["Say the {a} of these words: {b}.", "What is the {a} word of {b}?", "Repeat the {a} word: {b}.", "Which word is the {a}: {b}?"],
        validation: ["Say the {a} word: {b}."], test: ["Repeat the {a} of these words: {b}."])
    static let greet = Wording(
        ["Say hello to {a}.", "This is {a}. Say hello.", "Greet {a}.", "Can you say hello to {a}?"],
        validation: ["Can you greet {a}?"], test: ["This is {a}. Can you say hello?"])
}
