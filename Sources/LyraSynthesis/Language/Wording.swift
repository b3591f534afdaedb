// How questions are put: several wordings for each, some of which are for validation or test alone.
import LyraMedia

/// The ways of asking one thing. `{a}`, `{b}`, ... stand for what is filled in.
struct Wording: Sendable {
    let train: [String]
    let validation: [String]
    let test: [String]

    init(_ train: [String], validation: [String], test: [String]) {
        (self.train, self.validation, self.test) = (train, validation, test)
    }

    func bodies(_ split: Split) -> [String] {
        switch split {
        case .train: train
        case .validation: validation
        case .test: test
        }
    }

    /// What may stand around a question. The first, nothing, is in all splits; of the others each is in one.
    static func frames(_ split: Split) -> [String] {
        switch split {
        case .train: ["{}", "Tell me, {}", "Please, {}", "Now, {}", "Look here. {}"]
        case .validation: ["{}", "Please tell me, {}"]
        case .test: ["{}", "Now look here. {}"]
        }
    }

    /// A wording of the split, as a template. Held-out wordings are a held-out body in any frame of training, or a body of
    /// training in a held-out frame.
    func template(_ split: Split, _ random: inout SeededRandom, framed: Bool = true) -> String {
        let plain = "{}"
        switch split {
        case .train:
            let frame = framed && random.chance(0.3) ? random.pick(Self.frames(.train).dropFirst()) : plain
            return Self.put(random.pick(train), in: frame)
        case .validation, .test:
            if framed, random.chance(0.3) { return Self.put(random.pick(train), in: Self.frames(split)[1]) }
            let frame = framed && random.chance(0.3) ? random.pick(Self.frames(.train).dropFirst()) : plain
            return Self.put(random.pick(bodies(split)), in: frame)
        }
    }

    private static func put(_ body: String, in frame: String) -> String {
        guard frame != "{}" else { return body }
        let follows = frame.hasPrefix("{}") || frame.contains(". {}")
        return frame.replacing("{}", with: follows ? body : body.uncapitalised)
    }

    func text(_ split: Split, _ random: inout SeededRandom, framed: Bool = true, _ values: String...) -> String {
        var text = template(split, &random, framed: framed)
        for (name, value) in zip(["{a}", "{b}", "{c}"], values) { text = text.replacing(name, with: value) }
        return text.capitalised
    }
}
