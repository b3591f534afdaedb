// Pie charts with a legend.
import CCairo
import Foundation
import LyraMedia

struct PieChart: Scene {
    struct Slice: Sendable {
        var label: String
        /// Share in parts; neighbouring sizes differ enough to be seen.
        var size: Int
        var colour: Colour
    }
    let slices: [Slice]

    init(_ random: inout SeededRandom) {
        let count = random.int(3...4)
        let labels = random.sample(random.pick(Lexicon.chartLabels), count)
        let sizes = random.sample(count == 3 ? [1, 3, 6] : [1, 2, 4, 7], count), colours = random.sample(Colour.allCases, count)
        slices = (0..<count).map { Slice(label: labels[$0], size: sizes[$0], colour: colours[$0]) }
    }

    var content: String { slices.map { "\($0.label) \($0.size) \($0.colour)" }.joined(separator: ", ") }

    func draw(_ canvas: Canvas, _ random: inout SeededRandom) {
        canvas.fill((1, 1, 1))
        let context = canvas.context, total = Double(slices.reduce(0) { $0 + $1.size })
        var angle = random.real(0...6.28)
        let x = 82.0, y = 112.0, radius = random.real(64...74)
        let font = Font(family: random.pick(["DejaVu Sans", "Liberation Sans", "FreeSans"]))
        for (index, slice) in slices.enumerated() {
            let end = angle + Double(slice.size) / total * 2 * .pi
            let shade = slice.colour.shade(&random)
            cairo_new_path(context)
            cairo_move_to(context, x, y)
            cairo_arc(context, x, y, radius, angle, end)
            cairo_close_path(context)
            canvas.set(shade)
            cairo_fill_preserve(context)
            canvas.set((1, 1, 1))
            cairo_set_line_width(context, 2)
            cairo_stroke(context)
            let middle = (angle + end) / 2, rank = slices.count { $0.size > slice.size }
            let labels = [rank == 0 ? "largest" : rank == slices.count - 1 ? "smallest" : "middle", slice.colour.rawValue]
            canvas.label(around: x + radius * 0.62 * cos(middle), y + radius * 0.62 * sin(middle), radius: 15, labels)
            angle = end
            let row = 112 + (Double(index) - Double(slices.count - 1) / 2) * 34
            canvas.set(shade)
            canvas.rectangle(164, row - 16, 50, 10)
            canvas.set((0.1, 0.1, 0.1))
            canvas.fit(slice.label, font, size: 16, width: 56)
            canvas.text(slice.label, at: 164, row + 9)
            canvas.label(152, row - 17, 224, row + 17, labels + [slice.label])
        }
    }

    var description: String {
        "a pie chart from large to small with "
            + listed(slices.sorted { $0.size > $1.size }.map { "\($0.label) in \($0.colour)" })
    }

    func question(_ split: Split, _ random: inout SeededRandom) -> Question {
        let slice = random.pick(slices), isLarge = random.chance(0.5)
        let extreme = isLarge ? slices.max { $0.size < $1.size } : slices.min { $0.size < $1.size }
        switch random.below(5) {
        case 0, 1:
            return Question("chart", Wordings.largestSlice.text(split, &random, isLarge ? "largest" : "smallest"), extreme?.label ?? "")
        case 2: return Question("chart", Wordings.sliceColour.text(split, &random, slice.label), slice.colour.rawValue)
        case 3: return Question("chart", Wordings.sliceOfColour.text(split, &random, slice.colour.rawValue), slice.label)
        default: return Question.count("chart", Wordings.sliceCount.text(split, &random), slices.count)
        }
    }
}
