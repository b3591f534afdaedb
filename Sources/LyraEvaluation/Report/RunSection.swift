// One run's part of the report: all metrics, what failed, slices, heat maps, cost, and the items it did worst on.
import Foundation

struct RunSection {
    let run: ReportRun
    let isOnly: Bool
    let worst: Int

    private var summary: RunSummary { run.summary }

    var html: String {
        let parts = [metrics, failures, heatMaps, slices, mistakes, cost, retention, items]
        return """
            <section id="\(run.settings.benchmark)" class="run">
            \(isOnly ? "" : "<h2>\(HTML.escape(run.info.title))</h2>")
            \(parts.filter { !$0.isEmpty }.joined(separator: "\n"))
            </section>
            """
    }

    private func part(_ title: String, _ body: String) -> String { "<div class=\"part\"><h3>\(HTML.escape(title))</h3>\(body)</div>" }

    private func table(_ head: [String], _ rows: [[String]], numbers: Set<Int>) -> String {
        func cells(_ row: [String], _ tag: String) -> String {
            row.enumerated().map { "<\(tag)\(numbers.contains($0.offset) ? " class=\"number\"" : "")>\($0.element)</\(tag)>" }.joined()
        }
        return """
            <div class="scroll"><table><thead><tr>\(cells(head, "th"))</tr></thead>
            <tbody>\(rows.map { "<tr>\(cells($0, "td"))</tr>" }.joined(separator: "\n"))</tbody></table></div>
            """
    }

    private var metrics: String {
        guard summary.metrics.count > 1 || summary.metrics.first?.target != nil else { return "" }
        let hasTargets = summary.metrics.contains { $0.target != nil }
        let rows = summary.metrics.map { metric -> [String] in
            let sign = metric.isHigherBetter ? "≥" : "≤"
            let target = metric.target.map { "\(sign) \(NumberText.plain($0))" } ?? ""
            let state = metric.isReached.map { $0 ? "<span class=\"good\">reached</span>" : "<span class=\"bad\">missed</span>" } ?? ""
            return [HTML.escape(metric.name), metric.text, metric.intervalText ?? "–"] + (hasTargets ? [target, state] : []) + ["\(metric.items)"]
        }
        let head = ["metric", "score", "95 %"] + (hasTargets ? ["target", ""] : []) + ["items"]
        return part("All numbers", table(head, rows, numbers: hasTargets ? [1, 2, 3, 5] : [1, 2, 3]))
    }

    private var failures: String {
        guard summary.failed > 0 || summary.unscored > 0 || !summary.isComplete else { return "" }
        var lines: [String] = []
        if !summary.isComplete { lines.append("<p class=\"bad\">The run is not complete: \(summary.items) items so far.</p>") }
        if summary.unscored > 0 { lines.append("<p class=\"muted\">\(summary.unscored) items have replies but no score.</p>") }
        if summary.failed > 0 {
            let list = summary.failures.prefix(12).map { "<li><code>\(HTML.escape($0.id))</code> \(HTML.escape($0.error))</li>" }.joined()
            let more = summary.failed > 12 ? "<li class=\"muted\">and \(summary.failed - 12) more</li>" : ""
            lines.append("<p class=\"bad\">\(summary.failed) of \(summary.items) items could not be asked; they do not count.</p><ul class=\"failures\">\(list)\(more)</ul>")
        }
        return part("Left out", lines.joined())
    }

    private var heatMaps: String {
        let maps = HeatMap.all(run.records)
        return maps.isEmpty ? "" : part("Accuracy by depth and length", "<div class=\"charts\">\(maps.map { $0.svg() }.joined())</div>")
    }

    private var slices: String {
        let names = summary.slices.reduce(into: [String]()) { if !$0.contains($1.of) { $0.append($1.of) } }
        let charts = names.map { name in
            "<h4>by \(HTML.escape(name.replacing("_", with: " ")))</h4><div class=\"scroll\">\(ReportCharts.slices(summary.slices.filter { $0.of == name }))</div>"
        }
        return charts.isEmpty ? "" : part("\(summary.metrics.first?.name ?? ""), by kind of item", charts.joined())
    }

    /// Words most often heard wrong, for transcriptions.
    private var mistakes: String {
        let transcripts = run.records.filter { $0.error == nil && $0.counts["plain_words"] != nil }
        guard !transcripts.isEmpty else { return "" }
        let all = transcripts.flatMap {
            TextErrors.words(EnglishNormalizer.normalise($0.truth.first ?? ""), EnglishNormalizer.normalise($0.answer)).mistakes
        }
        let none = "<span class=\"muted\">nothing</span>"
        let rows = Mistake.mostFrequent(all, limit: 12).map { mistake, count in
            [mistake.said.isEmpty ? none : HTML.escape(mistake.said), mistake.heard.isEmpty ? none : HTML.escape(mistake.heard), "\(count)"]
        }
        func sum(_ key: String) -> Int { Int(transcripts.reduce(0) { $0 + ($1.counts[key] ?? 0) }) }
        let counts = "\(sum("words")) words: \(sum("substitutions")) wrong, \(sum("deletions")) missing, \(sum("insertions")) too many"
        return rows.isEmpty ? "" : part("Most frequent errors", "<p class=\"muted\">\(counts)</p>" + table(["said", "written", "times"], rows, numbers: [2]))
    }

    private var cost: String {
        let cost = summary.cost
        let seconds: (Double) -> String = NumberText.duration, plain: (Double) -> String = { NumberText.fixed($0, $0 < 10 ? 1 : 0) }
        let spreads: [(String, RunSummary.Spread?, (Double) -> String)] = [
            ("To the first text", cost.firstTextSeconds, seconds), ("To the first sound", cost.firstSoundSeconds, seconds),
            ("Whole reply", cost.replySeconds, seconds), ("Prompt tokens", cost.promptTokens, plain), ("New tokens", cost.newTokens, plain),
            ("Prompt tokens a second", cost.prefillTokensPerSecond, plain), ("New tokens a second", cost.newTokensPerSecond, plain),
        ]
        let rows = spreads.compactMap { name, spread, text in
            spread.map { [name, text($0.median), text($0.percentile95), text($0.largest)] }
        }
        guard !rows.isEmpty else { return "" }
        let memory = cost.peakMemoryBytes.map { "<p class=\"muted\">Most memory: \(NumberText.bytes($0))</p>" } ?? ""
        let body = table(["", "median", "95 %", "most"], rows, numbers: [1, 2, 3]) + memory
        return part("Time and memory", "<div class=\"charts\"><div>\(body)</div>\(ReportCharts.latency(run.records) ?? "")</div>")
    }

    private var retention: String { ReportCharts.retention(run.records).map { part("What the extractor keeps", $0) } ?? "" }

    // MARK: Items

    private var items: String {
        let scored = run.records.filter { $0.error == nil && $0.score != nil && $0.score != 1 }
        let shown = scored.sorted { ($0.score ?? 0, $0.index) < ($1.score ?? 0, $1.index) }.prefix(worst)
        guard !shown.isEmpty else { return "" }
        return part("Worst items", "<div class=\"items\">\(shown.map(card).joined(separator: "\n"))</div>")
    }

    private func card(_ record: ItemRecord) -> String {
        var lines: [(String, String)] = []
        let options = record.options.map { "<ul class=\"options\">\($0.map { "<li>\(HTML.escape($0))</li>" }.joined())</ul>" } ?? ""
        lines.append(("question", HTML.escape(record.question) + options))
        if record.counts["plain_words"] != nil {
            lines.append(("said and written", difference(record)))
        } else {
            if let earlier = record.earlier { lines.append(("first reply", HTML.escape(earlier.joined(separator: "\n")))) }
            lines.append(("reply", record.answer.isEmpty ? "<span class=\"muted\">nothing</span>" : HTML.escape(short(record.answer))))
            let truth = NSOrderedSet(array: record.truth).array.compactMap { $0 as? String }
            if !truth.isEmpty { lines.append(("accepted", HTML.escape(short(truth.joined(separator: " · "))))) }
        }
        if let spoken = record.spoken, let player = try? ReportMedia.sound("\(run.path)/\(spoken)") { lines.append(("spoken", player)) }
        for (who, text) in (record.heard ?? [:]).sorted(by: { $0.key < $1.key }) { lines.append(("heard by \(who)", HTML.escape(short(text)))) }
        let list = lines.map { "<dt>\(HTML.escape($0.0))</dt><dd>\($0.1)</dd>" }.joined()
        let score = "<span class=\"badge\">\(NumberText.fixed(100 * (record.score ?? 0), 0))</span>"
        return """
            <article class="item"><h4>\(score)<code>\(HTML.escape(record.id))</code></h4>
            <div class="media">\(record.media.prefix(4).map(ReportMedia.html).joined())</div><dl>\(list)</dl></article>
            """
    }

    private func short(_ text: String) -> String { text.count > 400 ? text.prefix(400) + "…" : text }

    /// The transcript with what is missing struck out and what is too much underlined.
    private func difference(_ record: ItemRecord) -> String {
        let errors = TextErrors.words(EnglishNormalizer.normalise(record.truth.first ?? ""), EnglishNormalizer.normalise(record.answer))
        let pieces = errors.edits.prefix(200).map { edit -> String in
            switch edit {
            case .keep(let r, _): HTML.escape(errors.reference[r])
            case .substitute(let r, let h): "<del>\(HTML.escape(errors.reference[r]))</del> <ins>\(HTML.escape(errors.hypothesis[h]))</ins>"
            case .delete(let r): "<del>\(HTML.escape(errors.reference[r]))</del>"
            case .insert(let h): "<ins>\(HTML.escape(errors.hypothesis[h]))</ins>"
            }
        }
        return pieces.joined(separator: " ") + (errors.edits.count > 200 ? " …" : "")
    }
}
