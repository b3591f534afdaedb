// What lyra eval prints: tables of scores.
import Foundation
import LyraEvaluation

enum EvalOutput {
    static func write(_ text: String, to path: String) throws { try OutputFile.write(Data(text.utf8), to: path) }

    /// A row a metric.
    static func table(_ runs: [ReportRun]) -> String {
        let hasTargets = runs.contains { $0.summary.metrics.contains { $0.target != nil } }
        var rows = [["benchmark", "metric", "score", "95 %"] + (hasTargets ? ["target", ""] : ["paper (Mini / Base / Pro)"]) + ["items"]]
        for run in runs {
            for (place, metric) in run.summary.metrics.enumerated() {
                let sign = metric.isHigherBetter ? ">=" : "<="
                let target = metric.target.map { "\(sign) \(metric.target == $0.rounded() ? "\(Int($0))" : "\($0)")" } ?? ""
                let bands = place == 0 ? paper(run.info, metric) : ""
                let extra = hasTargets ? [target, metric.isReached.map { $0 ? "reached" : "missed" } ?? ""] : [bands]
                rows.append([place == 0 ? run.info.name : "", metric.name, metric.text, metric.intervalText ?? "-"] + extra + ["\(metric.items)"])
            }
            if run.summary.metrics.isEmpty { rows.append([run.info.name, "no score yet"]) }
        }
        var lines = Columns.lines(rows, right: hasTargets ? [2, 3, 4, 6] : [2, 3, 5])
        for run in runs where run.summary.failed > 0 {
            lines.append("\(run.info.name): \(run.summary.failed) of \(run.summary.items) items could not be asked and do not count")
        }
        for run in runs where run.summary.unscored > 0 {
            lines.append("\(run.info.name): \(run.summary.unscored) items have replies but no score")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func paper(_ info: BenchmarkInfo, _ metric: MetricValue) -> String {
        guard !info.bands.isEmpty else { return "" }
        return ["Mini", "Base", "Pro"].map { model in
            info.bands.first { $0.model == model }.map { $0.low == $0.high ? plain($0.low) : "\(plain($0.low))-\(plain($0.high))" } ?? "-"
        }.joined(separator: " / ")
    }

    static func plain(_ value: Double) -> String { value == value.rounded() ? "\(Int(value))" : "\(value)" }
}
