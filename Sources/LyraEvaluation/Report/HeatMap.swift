// The needle's heat map: a cell for each length and depth, coloured by the share found.
import Foundation

/// Accuracy over depth and length, as a picture.
public struct HeatMap: Sendable {
    public var title: String
    /// Labels of columns (lengths) and rows (depths).
    public var columns: [String]
    public var rows: [String]
    /// Share found, 0...1; nil where nothing was asked.  // [rows][columns]
    public var cells: [[Double?]]
    public var counts: [[Int]]

    /// Of the records whose `slice` is `value`; nil if they have no lengths and depths.
    public init?(_ records: [ItemRecord], title: String, where slice: String, is value: String) {
        let shown = records.filter { $0.score != nil && $0.error == nil && $0.slices["length"] != nil && $0.slices["depth"] != nil }
            .filter { ($0.slices[slice] ?? "off") == value }
        guard !shown.isEmpty else { return nil }
        func labels(_ key: String) -> [String] {
            Set(shown.compactMap { $0.slices[key] }).sorted { $0.compare($1, options: .numeric) == .orderedAscending }
        }
        (columns, rows) = (labels("length"), labels("depth"))
        self.title = title
        var sums: [String: (Double, Int)] = [:]
        for record in shown {
            let key = "\(record.slices["depth"] ?? "")|\(record.slices["length"] ?? "")", old = sums[key] ?? (0, 0)
            sums[key] = (old.0 + (record.score ?? 0), old.1 + 1)
        }
        cells = rows.map { [columns] row in columns.map { sums["\(row)|\($0)"].map { $0.0 / Double($0.1) } } }
        counts = rows.map { [columns] row in columns.map { sums["\(row)|\($0)"]?.1 ?? 0 } }
    }

    /// Both halves of a run.
    static func all(_ records: [ItemRecord]) -> [HeatMap] {
        [
            HeatMap(records, title: "With the extractor", where: "extractor", is: "on"),
            HeatMap(records, title: "Without the extractor", where: "extractor", is: "off"),
        ].compactMap { $0 }
    }

    private var seconds: Bool { columns.allSatisfy { Double($0) != nil } }

    /// "450" -> "7:30"
    private func label(_ column: String) -> String {
        guard let seconds = Double(column) else { return column }
        return seconds < 60 ? "\(NumberText.plain(seconds)) s" : NumberText.duration(seconds)
    }

    /// An SVG document; in a page that is dark it is dark, too.
    public func svg() -> String {
        let cell = (width: max(46.0, min(84, 640 / Double(columns.count))), height: 34.0)
        let (left, top, bottom) = (74.0, 52.0, 62.0)
        // Wide enough for the title and the share found beside it.
        let width = max(400, left + cell.width * Double(columns.count) + 16), height = top + cell.height * Double(rows.count) + bottom
        var svg = SVG(width: width, height: height, label: "\(title): accuracy by depth and length")
        svg.text(title, x: left, y: 24, size: 16, style: "hm-s", bold: true)
        for (r, row) in cells.enumerated() {
            let y = top + cell.height * Double(r)
            svg.text("\(rows[r]) %", x: left - 10, y: y + cell.height / 2 + 4, size: 12, style: "hm-m", anchor: "end")
            for (c, value) in row.enumerated() {
                let x = left + cell.width * Double(c)
                guard let value else {
                    svg.rectangle(x: x + 1, y: y + 1, width: cell.width - 2, height: cell.height - 2, fill: nil, style: "hm-e", radius: 4)
                    continue
                }
                let colour = Self.colour(value)
                svg.rectangle(
                    x: x + 1, y: y + 1, width: cell.width - 2, height: cell.height - 2, fill: colour.hex, radius: 4,
                    title: "\(label(columns[c])), depth \(rows[r]) %: \(NumberText.fixed(100 * value, 1)) % of \(counts[r][c])")
                svg.text(
                    NumberText.fixed(100 * value, 0), x: x + cell.width / 2, y: y + cell.height / 2 + 5, size: 13,
                    fill: colour.isDark ? "#ffffff" : "#1b1b1b", anchor: "middle")
            }
        }
        let base = top + cell.height * Double(rows.count)
        for (c, column) in columns.enumerated() {
            svg.text(label(column), x: left + cell.width * (Double(c) + 0.5), y: base + 18, size: 12, style: "hm-m", anchor: "middle")
        }
        svg.text("length of the recording", x: left + cell.width * Double(columns.count) / 2, y: base + 38, size: 12, style: "hm-m", anchor: "middle")
        svg.text("depth", x: left - 10, y: top - 10, size: 12, style: "hm-m", anchor: "end")
        let all = zip(cells.joined(), counts.joined()).reduce((0.0, 0)) { ($0.0 + ($1.0 ?? 0) * Double($1.1), $0.1 + $1.1) }
        svg.text(
            "\(NumberText.fixed(100 * all.0 / Double(max(1, all.1)), 1)) % of \(all.1) found", x: width - 16, y: 24, size: 13, style: "hm-m",
            anchor: "end")
        return svg.document(
            style: """
                .hm-s{fill:#1c1f24}.hm-m{fill:#5d6470}.hm-e{fill:none;stroke:#c9ced6;stroke-dasharray:3 3}
                @media (prefers-color-scheme:dark){.hm-s{fill:#eceef2}.hm-m{fill:#9aa3b2}.hm-e{stroke:#4a5260}}
                """)
    }

    /// From red over yellow to green; the number in the cell says the same.
    private static func colour(_ share: Double) -> (hex: String, isDark: Bool) {
        let stops: [(Double, Double, Double)] = [(178, 46, 52), (233, 128, 67), (246, 205, 97), (126, 178, 109), (30, 122, 82)]
        let place = max(0, min(1, share)) * Double(stops.count - 1), below = min(stops.count - 2, Int(place))
        let t = place - Double(below), (a, b) = (stops[below], stops[below + 1])
        let rgb = [a.0 + t * (b.0 - a.0), a.1 + t * (b.1 - a.1), a.2 + t * (b.2 - a.2)]
        let luminance = 0.2126 * rgb[0] + 0.7152 * rgb[1] + 0.0722 * rgb[2]
        return ("#" + rgb.map { String(format: "%02x", Int($0.rounded())) }.joined(), luminance < 120)
    }
}

/// Writes SVG, shape by shape.
struct SVG {
    private let width, height: Double
    private let label: String
    private var body = ""

    init(width: Double, height: Double, label: String) { (self.width, self.height, self.label) = (width, height, label) }

    private func n(_ value: Double) -> String {
        let text = String(format: "%.2f", value)
        return text.hasSuffix(".00") ? String(text.dropLast(3)) : text
    }

    private func attributes(_ fill: String?, _ style: String?) -> String {
        (fill.map { " fill=\"\($0)\"" } ?? "") + (style.map { " class=\"\($0)\"" } ?? "")
    }

    mutating func text(
        _ text: String, x: Double, y: Double, size: Double, fill: String? = nil, style: String? = nil, anchor: String? = nil,
        bold: Bool = false
    ) {
        body += "<text x=\"\(n(x))\" y=\"\(n(y))\" font-size=\"\(n(size))\"\(attributes(fill, style))"
        body += (anchor.map { " text-anchor=\"\($0)\"" } ?? "") + (bold ? " font-weight=\"600\"" : "")
        body += ">\(HTML.escape(text))</text>\n"
    }

    mutating func rectangle(
        x: Double, y: Double, width: Double, height: Double, fill: String?, style: String? = nil, radius: Double = 0, title: String? = nil
    ) {
        body += "<rect x=\"\(n(x))\" y=\"\(n(y))\" width=\"\(n(max(0, width)))\" height=\"\(n(max(0, height)))\"\(attributes(fill, style))"
        body += radius > 0 ? " rx=\"\(n(radius))\"" : ""
        body += title.map { "><title>\(HTML.escape($0))</title></rect>\n" } ?? "/>\n"
    }

    mutating func line(_ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, style: String) {
        body += "<line x1=\"\(n(x1))\" y1=\"\(n(y1))\" x2=\"\(n(x2))\" y2=\"\(n(y2))\" class=\"\(style)\"/>\n"
    }

    mutating func polyline(_ points: [(Double, Double)], style: String) {
        body += "<polyline points=\"\(points.map { "\(n($0.0)),\(n($0.1))" }.joined(separator: " "))\" class=\"\(style)\"/>\n"
    }

    mutating func circle(_ x: Double, _ y: Double, radius: Double, style: String, title: String? = nil) {
        body += "<circle cx=\"\(n(x))\" cy=\"\(n(y))\" r=\"\(n(radius))\" class=\"\(style)\""
        body += title.map { "><title>\(HTML.escape($0))</title></circle>\n" } ?? "/>\n"
    }

    func document(style: String? = nil) -> String {
        """
        <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(n(width)) \(n(height))" width="\(n(width))" role="img" \
        aria-label="\(HTML.escape(label))" font-family="system-ui, 'Segoe UI', 'Noto Sans', 'DejaVu Sans', sans-serif">
        \(style.map { "<style>\($0)</style>\n" } ?? "")\(body)</svg>

        """
    }
}

enum HTML {
    static func escape(_ text: some StringProtocol) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "'": result += "&#39;"
            // Not allowed in XML, and nothing to see.
            case _ where scalar.value < 0x20 && !["\n", "\t"].contains(scalar): continue
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
