// The progress line: what is done, how much of it, how fast, how long it will still take.
import Foundation
import Lyra

/// A line such as `encoding speech  ████████░░░░░░░░  12/40 windows  1.8/s  0:16 left`.
struct ProgressLine {
    var label: String
    /// 0...1; nil when the end is not known.
    var fraction: Double?
    /// "12/40 windows"
    var count: String?
    /// "1.8/s"
    var rate: String?
    /// Seconds since the beginning.
    var elapsed: Double

    /// The line, at most `columns` wide.
    func text(columns: Int) -> String {
        var parts = [label]
        if let fraction {
            let share = max(0, min(1, fraction))
            let width = max(8, min(24, columns - 60))
            let full = Int((share * Double(width)).rounded(.down))
            parts.append(String(repeating: "█", count: full) + String(repeating: "░", count: width - full))
            parts.append(count ?? "\(Int((share * 100).rounded(.down))) %")
            if let rate { parts.append(rate) }
            // An estimate from the first moments would jump about.
            if share > 0.01, elapsed > 1, share < 1 { parts.append("\(Self.clock(elapsed / share - elapsed)) left") }
        } else {
            if let count { parts.append(count) }
            if let rate { parts.append(rate) }
            if elapsed >= 1 { parts.append(Self.clock(elapsed)) }
        }
        return String(parts.joined(separator: "  ").prefix(max(1, columns - 1)))
    }

    /// "0:07", "12:30", "2:03:09"
    static func clock(_ seconds: Double) -> String {
        guard seconds.isFinite, seconds < 1e7 else { return "?" }
        let total = Int(seconds.rounded(.up)), (h, m, s) = (total / 3600, total / 60 % 60, total % 60)
        return h > 0 ? String(format: "%d:%02d:%02d", h, m, s) : String(format: "%d:%02d", m, s)
    }
}

/// Shows the share of work that is done, and stops the work when it is cancelled.
struct ShareProgress {
    private let began = ContinuousClock.now

    func show(_ label: String, _ share: Double) throws {
        try Task.checkCancellation()
        let elapsed = (ContinuousClock.now - began) / .seconds(1)
        Terminal.shared.draw(ProgressLine(label: label, fraction: share, elapsed: elapsed).text(columns: Terminal.columns))
    }
}

/// Shows the stages of replies as progress lines.
final class StageProgress {
    private var stage: Stage?
    private var began = ContinuousClock.now

    func update(_ stage: Stage, _ fraction: Double) {
        if stage != self.stage { (self.stage, began) = (stage, .now) }
        let elapsed = (ContinuousClock.now - began) / .seconds(1)
        Terminal.shared.draw(
            ProgressLine(label: Self.label(stage), fraction: fraction, elapsed: elapsed).text(columns: Terminal.columns))
    }

    static func label(_ stage: Stage) -> String {
        switch stage {
        case .media: "reading media"
        case .speechEncoder: "listening"
        case .visionEncoder: "looking"
        case .prefill: "reading the prompt"
        case .decode: "answering"
        case .speech: "speaking"
        }
    }
}

/// Shows that something is going on whose length is not known.
func withSpinner<T>(_ label: String, _ body: () async throws -> T) async rethrows -> T {
    let began = ContinuousClock.now
    let ticker = Task.detached {
        while !Task.isCancelled {
            let elapsed = (ContinuousClock.now - began) / .seconds(1)
            Terminal.shared.draw(ProgressLine(label: label, elapsed: elapsed).text(columns: Terminal.columns))
            try? await Task.sleep(for: .milliseconds(200))
        }
    }
    defer {
        ticker.cancel()
        Terminal.shared.clearProgress()
    }
    return try await body()
}
