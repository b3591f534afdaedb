// The report's drawings: scores with their intervals beside the paper's, slices, what the extractor keeps, time over length.
import Foundation
import Lyra

enum ReportCharts {
    /// A score with its interval on a line with the paper's scores.
    static func scale(_ metric: MetricValue, bands: [PaperBand]) -> String {
        let isShare = metric.unit == .percent
        let top = isShare ? 100.0 : max(metric.value, bands.map(\.high).max() ?? 0) * 1.05
        let isSmall = isShare && !metric.isHigherBetter && max(metric.value, bands.map(\.high).max() ?? 0) < 20
        let high = isSmall ? 20.0 : max(1e-9, top)
        let (width, height) = (300.0, 34.0), inset = 8.0
        func x(_ value: Double) -> Double { inset + (width - 2 * inset) * max(0, min(1, value / high)) }
        var svg = SVG(width: width, height: height, label: "\(metric.name): \(metric.text)")
        svg.rectangle(x: inset, y: 15, width: width - 2 * inset, height: 4, fill: nil, style: "track", radius: 2)
        for band in bands {
            let (low, end) = (x(band.low), x(band.high))
            svg.rectangle(
                x: low - 1.5, y: 8, width: max(3, end - low + 3), height: 18, fill: nil, style: "band", radius: 1.5,
                title: "paper, \(band.model): \(bandText(band, metric.unit))")
        }
        if let target = metric.target { svg.line(x(target), 5, x(target), 29, style: "target") }
        if let interval = metric.interval {
            svg.rectangle(x: x(interval.low), y: 14, width: max(2, x(interval.high) - x(interval.low)), height: 6, fill: nil, style: "interval", radius: 3)
        }
        svg.circle(x(metric.value), 17, radius: 5.5, style: "score", title: metric.text + (metric.intervalText.map { " (95 %: \($0))" } ?? ""))
        return svg.document()
    }

    static func bandText(_ band: PaperBand, _ unit: MetricDefinition.Unit) -> String {
        let low = NumberText.score(band.low, unit)
        return band.low == band.high ? low : "\(low)–\(NumberText.score(band.high, unit))"
    }

    /// Bars with intervals, one for each kind of item.
    static func slices(_ slices: [RunSummary.Slice]) -> String {
        let top = slices.first?.metric.unit == .percent ? 100 : max(1e-9, slices.map(\.metric.value).max() ?? 1)
        let rowHeight = 24.0, left = 190.0, width = 720.0, right = 110.0
        var svg = SVG(width: width, height: rowHeight * Double(slices.count) + 6, label: "by \(slices.first?.of ?? "")")
        func x(_ value: Double) -> Double { left + (width - left - right) * max(0, min(1, value / top)) }
        for (row, slice) in slices.enumerated() {
            let y = rowHeight * Double(row) + 4, metric = slice.metric
            let name = slice.name.count > 26 ? slice.name.prefix(25) + "…" : slice.name[...]
            svg.text(String(name), x: left - 10, y: y + 14, size: 13, style: "text", anchor: "end")
            svg.rectangle(x: left, y: y + 3, width: width - left - right, height: 14, fill: nil, style: "track", radius: 3)
            svg.rectangle(x: left, y: y + 3, width: x(metric.value) - left, height: 14, fill: nil, style: "bar", radius: 3, title: "\(slice.name): \(metric.text)")
            if let interval = metric.interval { svg.line(x(interval.low), y + 10, x(interval.high), y + 10, style: "whisker") }
            svg.text("\(metric.text)", x: width - right + 8, y: y + 14, size: 13, style: "text")
            svg.text("\(metric.items)", x: width - 4, y: y + 14, size: 12, style: "muted", anchor: "end")
        }
        return svg.document()
    }

    /// Tokens left after each extraction, and which parts of the media they are from.
    static func retention(_ records: [ItemRecord]) -> String? {
        let digests = records.compactMap(\.evidence).filter { !$0.layers.isEmpty }
        guard let layers = digests.first?.layers else { return nil }
        let kinds = Set(digests.flatMap { $0.media.map(\.kind) }).sorted()
        let (width, height, left, bottom) = (340.0, 190.0, 44.0, 34.0)
        func frame(_ label: String) -> SVG {
            var svg = SVG(width: width, height: height, label: label)
            svg.text(label, x: left, y: 14, size: 13, style: "text", bold: true)
            for step in 0...4 {
                let y = y(Double(step) / 4)
                svg.line(left, y, width - 8, y, style: "grid")
                svg.text("\(25 * step) %", x: left - 6, y: y + 4, size: 11, style: "muted", anchor: "end")
            }
            return svg
        }
        func y(_ share: Double) -> Double { height - bottom - (height - bottom - 26) * share }
        var curve = frame("Media tokens left, by layer")
        let span = width - 8 - left, last = Double((layers.last ?? 1) + 1)
        func x(_ layer: Double) -> Double { left + span * layer / (last * 1.15) }
        for (place, kind) in kinds.enumerated() {
            let media = digests.flatMap { $0.media }.filter { $0.kind == kind && $0.tokens > 0 }
            var points = [(x(0), y(1))], share = 1.0
            for (step, layer) in layers.enumerated() {
                let left = media.map { Double(step < $0.left.count ? $0.left[step] : 0) / Double($0.tokens) }
                points.append((x(Double(layer + 1)), y(share)))
                share = left.reduce(0, +) / Double(max(1, left.count))
                points.append((x(Double(layer + 1)), y(share)))
            }
            points.append((width - 8, y(share)))
            curve.polyline(points, style: place == 0 ? "curve" : "curve second")
            curve.text("\(kind) \(NumberText.fixed(100 * share, 0)) %", x: width - 10, y: y(share) - 6 - (place == 0 ? 0 : 12), size: 11, style: "muted", anchor: "end")
        }
        for layer in layers { curve.text("\(layer + 1)", x: x(Double(layer + 1)), y: height - bottom + 15, size: 11, style: "muted", anchor: "middle") }
        curve.text("after layer", x: width - 8, y: height - 6, size: 11, style: "muted", anchor: "end")

        var profile = frame("Share kept, from beginning to end")
        let media = digests.flatMap(\.media).filter { $0.profile.count == EvidenceDigest.parts }
        guard !media.isEmpty else { return "<div class=\"charts\">\(curve.document())</div>" }
        for part in 0..<EvidenceDigest.parts {
            let share = media.reduce(0) { $0 + $1.profile[part] } / Double(media.count), step = span / Double(EvidenceDigest.parts)
            profile.rectangle(
                x: left + step * Double(part) + 0.5, y: y(share), width: step - 1, height: height - bottom - y(share), fill: nil, style: "bar", radius: 1,
                title: "\(NumberText.fixed(100 * share, 1)) %")
        }
        profile.text("place in the recording or picture", x: width - 8, y: height - 6, size: 11, style: "muted", anchor: "end")
        return "<div class=\"charts\">\(curve.document())\(profile.document())</div>"
    }

    /// A dot for each reply: seconds to its first text over the length of its prompt.
    static func latency(_ records: [ItemRecord]) -> String? {
        let points = records.compactMap { record -> (Double, Double, String)? in
            guard let seconds = record.timings?.firstText ?? record.timings?.total, let tokens = record.usage?.promptTokens else { return nil }
            return (Double(tokens), seconds, record.id)
        }
        guard points.count >= 5, let most = points.map(\.0).max(), let longest = points.map(\.1).max(), longest > 0 else { return nil }
        let (width, height, left, bottom) = (340.0, 190.0, 54.0, 34.0)
        var svg = SVG(width: width, height: height, label: "Seconds to the first text, by tokens of the prompt")
        svg.text("Seconds to the first text", x: left, y: 14, size: 13, style: "text", bold: true)
        func x(_ tokens: Double) -> Double { left + (width - 16 - left) * tokens / most }
        func y(_ seconds: Double) -> Double { height - bottom - (height - bottom - 26) * seconds / (longest * 1.05) }
        for step in 0...4 {
            let value = longest * 1.05 * Double(step) / 4
            svg.line(left, y(value), width - 8, y(value), style: "grid")
            svg.text(NumberText.fixed(value, longest < 1 ? 3 : longest < 20 ? 2 : 0), x: left - 6, y: y(value) + 4, size: 11, style: "muted", anchor: "end")
        }
        let shown = points.count > 800 ? stride(from: 0, to: points.count, by: points.count / 800 + 1).map { points[$0] } : points
        for (tokens, seconds, id) in shown { svg.circle(x(tokens), y(seconds), radius: 2.6, style: "dot", title: "\(id): \(NumberText.duration(seconds))") }
        svg.text("0", x: left, y: height - bottom + 15, size: 11, style: "muted", anchor: "middle")
        svg.text("\(Int(most))", x: width - 16, y: height - bottom + 15, size: 11, style: "muted", anchor: "middle")
        svg.text("tokens of the prompt", x: width - 8, y: height - 6, size: 11, style: "muted", anchor: "end")
        return svg.document()
    }
}
