// Bar charts with labels.
import LyraMedia

struct BarChart: Scene {
    struct Bar: Sendable {
        var label: String
        /// 1 ... 10, all different.
        var value: Int
        var colour: Colour
    }
    let bars: [Bar]
    let showsValues: Bool

    init(_ random: inout SeededRandom) {
        let count = random.int(3...5)
        let labels = random.sample(random.pick(Lexicon.chartLabels), count)
        let values = random.sample(1...10, count), colours = random.sample(Colour.allCases, count)
        bars = (0..<count).map { Bar(label: labels[$0], value: values[$0], colour: colours[$0]) }
        showsValues = random.chance(0.6)
    }

    var content: String { bars.map { "\($0.label) \($0.value) \($0.colour)" }.joined(separator: ", ") }

    func draw(_ canvas: Canvas, _ random: inout SeededRandom) {
        canvas.fill((1, 1, 1))
        let font = Font(family: random.pick(["DejaVu Sans", "Liberation Sans", "FreeSans", "Liberation Serif"]))
        let base = 192.0, top = 22.0, left = showsValues ? 14.0 : 32.0, right = 218.0, side = Double(canvas.width)
        let unit = (base - top) / 10, slot = (right - left) / Double(bars.count)
        if !showsValues {
            // An axis with lines to read the values by.
            canvas.font(font, size: 12)
            for value in 0...10 {
                let y = base - Double(value) * unit
                canvas.set((0.85, 0.85, 0.85))
                canvas.line(left, y, right, y, width: 1)
                guard value % 2 == 0 else { continue }
                canvas.set((0.2, 0.2, 0.2))
                canvas.text("\(value)", centredAt: left - 13, y)
            }
        }
        for (index, bar) in bars.enumerated() {
            let width = slot * 0.62, x = left + slot * (Double(index) + 0.5), height = Double(bar.value) * unit
            canvas.set(bar.colour.shade(&random))
            canvas.rectangle(x - width / 2, base - height, width, height)
            let extreme = bars.contains { $0.value > bar.value } ? bars.contains { $0.value < bar.value } ? [] : ["shortest"] : ["tallest"]
            // From top to bottom, the name where it is printed.
            canvas.label(x - slot / 2, 0, x + slot / 2, side, extreme + [bar.colour.rawValue, NumberWords.text(bar.value), bar.label])
            canvas.set((0.1, 0.1, 0.1))
            // Names of neighbours lie in two rows, so that long ones stay readable.
            canvas.fit(bar.label, font, size: 14, width: min(2 * slot - 4, 2 * min(x, side - x) - 4))
            canvas.text(bar.label, centredAt: x, base + (index % 2 == 0 ? 9 : 23))
            if showsValues {
                canvas.font(font, size: 15)
                canvas.text("\(bar.value)", centredAt: x, base - height - 10)
            }
        }
        canvas.set((0.1, 0.1, 0.1))
        canvas.line(left, base, right, base, width: 2)
    }

    var description: String {
        "a bar chart with " + listed(bars.map { "\($0.label) at \(NumberWords.text($0.value)) in \($0.colour)" })
    }

    func question(_ split: Split, _ random: inout SeededRandom) -> Question {
        let pair = random.sample(bars, 2), bar = pair[0], other = pair[1]
        let isTall = random.chance(0.5)
        switch random.below(8) {
        case 0, 1:
            let extreme = isTall ? bars.max { $0.value < $1.value } : bars.min { $0.value < $1.value }
            return Question("chart", Wordings.tallestBar.text(split, &random, isTall ? "tallest" : "shortest"), extreme?.label ?? "")
        case 2, 3: return Question.number("chart", Wordings.barValue.text(split, &random, bar.label), bar.value)
        case 4: return Question.count("chart", Wordings.barCount.text(split, &random), bars.count)
        case 5: return Question("chart", Wordings.barColour.text(split, &random, bar.label), bar.colour.rawValue)
        case 6 where random.chance(0.5):
            let labels = Lexicon.chartLabels.joined().filter { label in !bars.contains { $0.label == label } }
            return Question("absent", Wordings.barValue.text(split, &random, random.pick(labels)), Question.notInPicture)
        default:
            return Question(
                "chart", Wordings.barCompare.text(split, &random, bar.label, isTall ? "taller" : "shorter", other.label),
                (bar.value > other.value) == isTall ? "yes" : "no")
        }
    }
}
