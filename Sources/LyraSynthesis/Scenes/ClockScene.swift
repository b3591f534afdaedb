// Clock faces, and clocks with digits, at every fifth minute.
import Foundation
import LyraMedia

struct ClockScene: Scene {
    /// 1 ... 12
    let hour: Int
    /// 0, 5, ... 55
    let minute: Int
    let isDigital: Bool
    let colour: Colour

    init(_ random: inout SeededRandom) {
        hour = random.int(1...12)
        minute = random.below(12) * 5
        isDigital = random.chance(0.2)
        colour = random.pick(Colour.allCases)
    }

    /// Without the colour: times are disjoint between splits, but those of the other kind of clock do not matter.
    var content: String { "\(hour) \(minute) \(isDigital)" }

    /// "three o'clock", "three oh five", "three thirty"
    var time: String {
        let hour = NumberWords.text(hour)
        switch minute {
        case 0: return hour + " o'clock"
        case 5: return hour + " oh five"
        default: return hour + " " + NumberWords.text(minute)
        }
    }

    func draw(_ canvas: Canvas, _ random: inout SeededRandom) {
        canvas.fill(random.pick(Colour.papers))
        if isDigital { drawDigits(canvas, &random) } else { drawFace(canvas, &random) }
        let words = time.split { $0 == " " || $0 == "-" }.map(String.init)
        canvas.label(0, 0, Double(canvas.width), Double(canvas.height), [colour.rawValue, "clock"] + words)
    }

    private func drawDigits(_ canvas: Canvas, _ random: inout SeededRandom) {
        let x = 112 + random.real(-10...10), y = 112 + random.real(-30...30)
        canvas.set(colour.shade(&random))
        canvas.rectangle(x - 94, y - 42, 188, 84)
        canvas.set((0.95, 0.97, 0.93))
        canvas.rectangle(x - 86, y - 34, 172, 68)
        canvas.set((0.05, 0.05, 0.05))
        canvas.font(Font(family: random.pick(Font.families), bold: random.chance(0.5)), size: 52)
        canvas.text("\(hour):\(minute < 10 ? "0" : "")\(minute)", centredAt: x, y)
    }

    private func drawFace(_ canvas: Canvas, _ random: inout SeededRandom) {
        let radius = random.real(84...100), slack = 108 - radius
        let x = 112 + random.real(-slack...slack), y = 112 + random.real(-slack...slack)
        canvas.set((1, 1, 1))
        canvas.circle(x, y, radius: radius)
        canvas.set(colour.shade(&random))
        canvas.circle(x, y, radius: radius, outline: 5)
        func at(_ turns: Double, _ length: Double) -> (Double, Double) {
            (x + length * sin(turns * 2 * .pi), y - length * cos(turns * 2 * .pi))
        }
        let numbers = random.below(3)
        canvas.font(Font(family: random.pick(Font.families)), size: 17)
        canvas.set((0.1, 0.1, 0.1))
        for mark in 0..<12 {
            let turns = Double(mark) / 12
            if numbers == 0 || (numbers == 1 && mark % 3 == 0) {
                let (tx, ty) = at(turns, radius * 0.82)
                canvas.text("\(mark == 0 ? 12 : mark)", centredAt: tx, ty)
            } else {
                let (x0, y0) = at(turns, radius * 0.84), (x1, y1) = at(turns, radius * 0.93)
                canvas.line(x0, y0, x1, y1, width: mark % 3 == 0 ? 4 : 2)
            }
        }
        let (hx, hy) = at((Double(hour % 12) + Double(minute) / 60) / 12, radius * 0.48)
        let (mx, my) = at(Double(minute) / 60, radius * 0.74)
        canvas.line(x, y, hx, hy, width: 7)
        canvas.line(x, y, mx, my, width: 3.5)
        canvas.circle(x, y, radius: 5)
    }

    var description: String { "\("\(colour) clock".withArticle) that shows \(time)" }

    func question(_ split: Split, _ random: inout SeededRandom) -> Question {
        switch random.below(6) {
        case 0: return Question.number("clock", Wordings.hour.text(split, &random), hour)
        case 1: return Question("colour", Wordings.clockColour.text(split, &random), colour.rawValue)
        default:
            var others = ["\(hour):\(minute < 10 ? "0" : "")\(minute)"]
            if time.contains("-") { others.append(time.replacing("-", with: " ")) }
            if minute == 30 { others.append("half past " + NumberWords.text(hour)) }
            return Question("clock", Wordings.time.text(split, &random), time, others: others)
        }
    }
}
