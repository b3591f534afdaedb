// losses.svg: the parts of the loss over the steps of a run.
import Foundation

enum LossPlot {
    private static let (width, height, left, right, top, bottom) = (900.0, 460.0, 64.0, 150.0, 36.0, 48.0)

    /// An SVG picture of all parts that are not zero throughout, smoothed, with the raw values faint behind.
    static func svg(_ lines: [StepMetrics]) -> String {
        let parts: [(name: String, color: String, value: (StepMetrics) -> Float?)] = [
            ("total", "#1f2937", { $0.losses.total }), ("answer (CE)", "#2563eb", { $0.losses.answer }),
            ("LCMR", "#d97706", { $0.losses.regulariser }), ("speech (CTC)", "#059669", { $0.losses.speech }),
            ("evidence", "#7c3aed", { $0.losses.evidence }),
            ("validation", "#dc2626", { $0.validation?.losses.total }),
        ]
        return svg(
            parts.map { part in
                Curve(
                    name: part.name, color: part.color,
                    points: lines.compactMap { line in part.value(line).map { (Double(line.step), Double($0)) } })
            })
    }

    /// A line of the picture.
    struct Curve {
        var name: String
        var color: String
        var points: [(step: Double, value: Double)]
    }

    /// The curves that are not zero throughout.
    static func svg(_ all: [Curve]) -> String {
        let curves = all.map { ($0.name, $0.color, $0.points.map { ($0.step, $0.value) }) }
            .filter { $0.2.contains { $0.1 != 0 && $0.1.isFinite } }
        let values = curves.flatMap { $0.2.map(\.1) }.filter(\.isFinite)
        let high = (values.max() ?? 1), low = min(0, values.min() ?? 0), last = curves.flatMap { $0.2.map(\.0) }.max() ?? 1
        func x(_ step: Double) -> Double { left + (width - left - right) * step / max(1, last) }
        func y(_ value: Double) -> Double { height - bottom - (height - top - bottom) * (value - low) / max(1e-9, high - low) }
        func number(_ value: Double) -> String { String(format: value >= 100 ? "%.0f" : value >= 1 ? "%.1f" : "%.3f", value) }

        var svg = """
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(Int(width)) \(Int(height))" font-family="sans-serif" font-size="13">
            <rect width="100%" height="100%" fill="#ffffff"/>
            <text x="\(left)" y="22" font-size="15" fill="#111827">Loss by step</text>

            """
        for i in 0...4 {
            let value = low + (high - low) * Double(i) / 4, step = last * Double(i) / 4
            svg += """
                <line x1="\(left)" x2="\(width - right)" y1="\(y(value))" y2="\(y(value))" stroke="#e5e7eb"/>
                <text x="\(left - 8)" y="\(y(value) + 4)" text-anchor="end" fill="#6b7280">\(number(value))</text>
                <text x="\(x(step))" y="\(height - bottom + 20)" text-anchor="middle" fill="#6b7280">\(Int(step))</text>

                """
        }
        for (place, (name, color, points)) in curves.enumerated() {
            func path(_ points: [(Double, Double)]) -> String {
                points.filter(\.1.isFinite).map { String(format: "%.1f,%.1f", x($0.0), y($0.1)) }.joined(separator: " ")
            }
            let mean = smoothed(points), together = max(1, points.count / 400)
            let thinned = mean.enumerated().filter { $0.offset % together == 0 || $0.offset == mean.count - 1 }.map(\.element)
            svg += "<polyline fill=\"none\" stroke=\"\(color)\" stroke-opacity=\"0.25\" points=\"\(path(extremes(points, of: together)))\"/>\n"
            svg += "<polyline fill=\"none\" stroke=\"\(color)\" stroke-width=\"2\" points=\"\(path(thinned))\"/>\n"
            let final = mean.last?.1 ?? 0
            svg += """
                <text x="\(width - right + 12)" y="\(top + 20 * Double(place) + 12)" fill="\(color)">\(name) \(number(final))</text>

                """
        }
        return svg + "</svg>\n"
    }

    /// The lowest and the highest of every so many points, as they come: a pixel has room for no more.
    private static func extremes(_ points: [(Double, Double)], of together: Int) -> [(Double, Double)] {
        guard together > 1 else { return points }
        return stride(from: 0, to: points.count, by: together).flatMap { start in
            let group = points[start..<min(points.count, start + together)].filter(\.1.isFinite)
            guard let low = group.min(by: { $0.1 < $1.1 }), let high = group.max(by: { $0.1 < $1.1 }) else { return [(Double, Double)]() }
            return low.0 < high.0 ? [low, high] : low.0 > high.0 ? [high, low] : [low]
        }
    }

    /// Exponential mean over about a fiftieth of the run.
    private static func smoothed(_ points: [(Double, Double)]) -> [(Double, Double)] {
        let share = min(1, 50 / Double(max(1, points.count)))
        var mean: Double?
        return points.filter(\.1.isFinite).map { point in
            let value = mean.map { $0 + share * (point.1 - $0) } ?? point.1
            mean = value
            return (point.0, value)
        }
    }
}
