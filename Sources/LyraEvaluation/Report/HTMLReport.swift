// The report: one page that shows what runs came to, for people. It needs no other file and no network.
import Foundation

/// A page about one run or several.
public struct HTMLReport: Sendable {
    let runs: [ReportRun]
    /// Benchmarks that could not be run, with why.
    let missing: [(name: String, why: String)]
    /// How many of the worst items are shown of each run.
    public var worst = 8

    public init(_ runs: [ReportRun], missing: [(name: String, why: String)] = []) { (self.runs, self.missing) = (runs, missing) }

    public func html() -> String {
        let models = Set(runs.map(\.modelName)).sorted().joined(separator: ", ")
        let title = runs.count == 1 ? "\(runs[0].info.title) · \(models)" : "Evaluation of \(models)"
        return """
            <!doctype html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta name="color-scheme" content="light dark">
            <title>\(HTML.escape(title))</title>
            <style>\(ReportStyle.css)</style>
            </head>
            <body>
            <header><h1>\(HTML.escape(title))</h1>\(facts)</header>
            <main>
            \(overview)
            \(runs.map { RunSection(run: $0, isOnly: runs.count == 1, worst: worst).html }.joined(separator: "\n"))
            \(missingSection)
            </main>
            <footer>Written by <code>lyra eval</code>. Intervals are 95 % bootstrap intervals over items.</footer>
            </body>
            </html>

            """
    }

    private var facts: String {
        let parts = [
            Set(runs.map(\.settings.precision)).sorted().joined(separator: ", "),
            Set(runs.map { $0.settings.extractor.map { "extractor: \($0)" } ?? "no extractor" }).sorted().joined(separator: "; "),
            "\(runs.reduce(0) { $0 + $1.summary.items }) items",
            NumberText.duration(runs.reduce(0) { $0 + $1.summary.cost.totalSeconds }) + " of replying",
        ]
        return "<p class=\"facts\">\(parts.map { "<span>\(HTML.escape($0))</span>" }.joined())</p>"
    }

    /// The score each benchmark is known by.
    private var overview: String {
        let rows = runs.map { run -> String in
            let name = runs.count > 1 ? "<a href=\"#\(run.settings.benchmark)\">\(HTML.escape(run.info.title))</a>" : HTML.escape(run.info.title)
            guard let metric = run.summary.metrics.first, metric.key == run.info.metrics.first?.key else {
                return "<tr><th scope=\"row\">\(name)</th><td colspan=\"7\" class=\"muted\">no score yet</td></tr>"
            }
            let bands = ["Mini", "Base", "Pro"].map { model in
                let band = run.info.bands.first { $0.model == model }
                return "<td class=\"number muted\">\(band.map { ReportCharts.bandText($0, metric.unit) } ?? "–")</td>"
            }.joined()
            return """
                <tr><th scope="row">\(name)<small>\(HTML.escape(metric.name))\(metric.isHigherBetter ? "" : " (less is better)")</small></th>
                <td class="number score-cell">\(metric.text)</td><td class="number muted">\(metric.intervalText ?? "–")</td>
                <td class="plot">\(ReportCharts.scale(metric, bands: run.info.bands))</td>\(bands)
                <td class="number muted">\(metric.items)</td></tr>
                """
        }
        return """
            <section><h2>Scores</h2><div class="scroll"><table class="scores">
            <thead><tr><th></th><th class="number">score</th><th class="number">95 %</th><th></th>
            <th class="number">Mini</th><th class="number">Base</th><th class="number">Pro</th><th class="number">items</th></tr></thead>
            <tbody>\(rows.joined(separator: "\n"))</tbody></table></div>
            <p class="muted legend"><i class="key dot"></i>score<i class="key line"></i>95 % interval<i class="key mark"></i>paper and release</p>
            </section>
            """
    }

    private var missingSection: String {
        guard !missing.isEmpty else { return "" }
        let list = missing.map { "<dt>\(HTML.escape($0.name))</dt><dd><pre>\(HTML.escape($0.why))</pre></dd>" }.joined()
        return "<section><h2>Not run</h2><dl class=\"missing\">\(list)</dl></section>"
    }
}
