// How far a transcription is, on the terminal.
import Foundation
import Lyra

struct TranscriptProgress {
    private let began = ContinuousClock.now
    private let stages = StageProgress()

    func show(_ event: TranscriptEvent) {
        switch event {
        case .stage(let stage, let fraction): stages.update(stage, fraction)
        case .progress(let done, let total): show(done: done, of: total)
        case .text, .segment, .warning: return
        }
    }

    private func show(done: Double, of total: Double?) {
        let elapsed = (ContinuousClock.now - began) / .seconds(1)
        let rate = elapsed > 1 && done > 0 ? String(format: "%.1fx real time", done / elapsed) : nil
        let count = ProgressLine.clock(done) + (total.map { "/\(ProgressLine.clock($0))" } ?? "")
        Terminal.shared.draw(
            ProgressLine(label: "transcribing", fraction: total.map { $0 > 0 ? done / $0 : 0 }, count: count, rate: rate, elapsed: elapsed)
                .text(columns: Terminal.columns))
    }
}
