// What `lyra inspect` found, for people.
import Foundation
import LyraModel

extension InspectReport {
    var text: String {
        var lines = [path, ""]
        lines += table
        if let language { lines += [""] + facts(language) }
        for part in parts {
            guard let q = part.quantization else { continue }
            let others = Dictionary(grouping: q.layers.values, by: \.bits).sorted { $0.key < $1.key }.map { "\($1.count) with \($0) bits" }
            lines.append(
                "\(part.name): \(part.quantizedLayers) layers in \(q.all.bits) bits, groups of \(q.all.groupSize)"
                    + (others.isEmpty ? "" : ", of them \(others.joined(separator: ", "))"))
        }
        lines += list("Not found:", missing)
        lines += list("Cannot be opened:", failures)
        for part in parts where !part.problems.isEmpty {
            lines += list("\(part.name) does not fit its configuration (\(part.problems.count)):", part.problems)
        }
        if let nonFinite {
            lines += nonFinite.isEmpty ? ["", "All values are finite."] : list("Values that are no numbers:", nonFinite)
        }
        for part in parts { lines += tensorLines(part) }
        if nonFinite != nil, !isBroken { lines.append("Nothing is wrong.") }
        return lines.joined(separator: "\n") + "\n"
    }

    private func list(_ title: String, _ items: [String]) -> [String] {
        guard !items.isEmpty else { return [] }
        let shown = items.prefix(200).map { "  " + $0.replacingOccurrences(of: "\n", with: "\n  ") }
        return ["", title] + shown + (items.count > 200 ? ["  ... and \(items.count - 200) more"] : [])
    }

    // MARK: Sizes

    private var table: [String] {
        var rows = [["part", "parameters", "size", "type", "tensors", "where"]]
        let root = parts.first?.path ?? path
        for part in parts {
            rows.append(row(part.name, part.total, Self.relative(part.path, to: root)))
            if part.groups.count > 1 { rows += part.groups.map { row("  " + $0.name, $0, "") } }
        }
        if parts.count > 1 {
            var all = Group(name: "")
            for part in parts {
                all.tensors += part.total.tensors
                all.parameters += part.total.parameters
                all.bytes += part.total.bytes
                all.types.merge(part.total.types, uniquingKeysWith: +)
            }
            rows.append(row("all", all, ""))
        }
        return Columns.lines(rows, right: [1, 2, 4])
    }

    private func row(_ name: String, _ group: Group, _ place: String) -> [String] {
        let types = group.types.sorted { $0.value > $1.value }.map(\.key).joined(separator: ", ")
        return [name, Bytes.count(group.parameters), Bytes.text(group.bytes), types, "\(group.tensors)", place]
    }

    private static func relative(_ path: String, to root: String) -> String {
        if path == root { return "." }
        return path.hasPrefix(root + "/") ? String(path.dropFirst(root.count + 1)) : path
    }

    // MARK: Configurations

    private func facts(_ c: LyraConfiguration) -> [String] {
        var rows = [
            [
                "language model",
                "\(c.layers) layers of width \(c.hiddenSize), \(c.queryHeads) heads (\(c.keyValueHeads) of keys and values), feed-forward \(c.intermediateSize)",
            ],
            ["", "vocabulary \(c.vocabularySize), \(c.tiesEmbeddings ? "tied" : "separate") head, M-RoPE sections \(c.mropeSections)"],
            ["extractor", c.keepRate.map { rate in "every \(c.compressGap ?? 0) layers keep \(rate)" + (rate >= 1 ? " (off)" : "") } ?? "no settings"],
            ["speech projector", "\(c.speechStack) frames of \(c.speechHiddenSize) -> \(c.projectorWidth) -> \(c.hiddenSize)"],
        ]
        if let g = c.generator {
            let l = g.layers
            rows.append([
                "speech generator",
                "\(l.count) layers of width \(l.width), \(l.heads) heads, feed-forward \(l.intermediateSize); \(g.upsample) frames a token, \(g.units) units",
            ])
        }
        for adapter in adapters { rows.append(["adapter \(adapter.name)", "rank \(adapter.rank), scale \(adapter.scale)"]) }
        if let v = vision {
            rows.append([
                "vision tower",
                "\(v.depth) layers of width \(v.width), \(v.heads) heads; patches of \(v.patchSize), \(v.mergeSize) x \(v.mergeSize) merged -> \(v.outputSize)",
            ])
        }
        if let w = speech {
            rows.append([
                "speech tower",
                "\(w.layers) layers of width \(w.width), \(w.heads) heads, feed-forward \(w.intermediateSize); \(w.melBins) mel bins, \(w.positions) frames a window",
            ])
        }
        if let v = vocoder {
            rows.append(["vocoder", "\(v.units) units, \(v.initialChannels) channels, \(v.samplesPerFrame) samples a frame at \(v.sampleRate) Hz"])
        }
        if let tokenizer { rows.append(["tokenizer", "\(tokenizer.size) tokens"]) }
        rows.append(["answers end with", endTokens.map(String.init).joined(separator: ", ")])
        return Columns.lines(rows, right: [])
    }

    private func tensorLines(_ part: Part) -> [String] {
        guard let tensors = part.tensors else { return [] }
        let rows = tensors.map { ["  " + $0.name, $0.type, "\($0.shape)", $0.isUsed ? "" : "not used from here"] }
        return ["", "\(part.name):"] + Columns.lines(rows, right: [])
    }
}

/// Rows of text as aligned columns.
enum Columns {
    static func lines(_ rows: [[String]], right: Set<Int>) -> [String] {
        let count = rows.map(\.count).max() ?? 0
        let widths = (0..<count).map { column in rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0 }
        return rows.map { row in
            let cells = row.enumerated().map { column, cell in
                let padding = String(repeating: " ", count: widths[column] - cell.count)
                return right.contains(column) ? padding + cell : cell + padding
            }
            let line = cells.joined(separator: "  ")
            return String(line.reversed().drop(while: { $0 == " " }).reversed())
        }
    }
}
