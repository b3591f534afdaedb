// The progress line of a stage that trains one network by itself, and what is worth a line of its own.
import Foundation
import LyraTraining

final class PartProgress {
    private let began = ContinuousClock.now
    private var first = 0
    private let isTerminal = Terminal.shared.errorIsTerminal
    private var last: PartMetrics?

    func show(_ event: PartEvent) {
        switch event {
        case .began(let parameters, let done, let steps):
            first = done
            Terminal.shared.say("\(steps) steps, \(parameters) parameters train" + (done > 0 ? "; going on after step \(done)" : ""))
        case .step(let step, let total):
            last = step
            let elapsed = (ContinuousClock.now - began) / .seconds(1)
            Terminal.shared.draw(
                ProgressLine(
                    label: Self.text(step), fraction: Double(step.step - first) / Double(max(1, total - first)),
                    count: "\(step.step)/\(total)", rate: String(format: "%.2f s/step", step.seconds), elapsed: elapsed
                ).text(columns: Terminal.columns))
            if let validation = step.validation, !validation.isEmpty {
                let values = validation.sorted { $0.key < $1.key }.map { String(format: "\($0.key) %.4f", $0.value) }
                Terminal.shared.say("step \(step.step): validation \(values.joined(separator: ", "))")
            }
            // Without a terminal there is no progress line: a line now and then.
            if !isTerminal, step.step % max(1, min(100, total / 20)) == 0 {
                Terminal.shared.say("step \(step.step)/\(total)  \(Self.text(step))" + String(format: "  %.2f s/step", elapsed / Double(step.step - first)))
            }
        }
    }

    private static func text(_ step: PartMetrics) -> String {
        let losses = step.losses.sorted { $0.key < $1.key }.map { String(format: "\($0.key) %.4f", $0.value) }
        return losses.joined(separator: " ") + String(format: "  lr %.2e", step.learningRate)
    }

    func finish(_ written: [String]) {
        Terminal.shared.clearProgress()
        if let last { Terminal.shared.say("step \(last.step): \(Self.text(last))") }
        for path in written { try? Terminal.shared.write(path + "\n") }
    }
}
