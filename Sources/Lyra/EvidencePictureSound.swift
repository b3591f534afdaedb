// The panel of a recording: its waveform with what was kept in the colour of its score, scores below, a time axis.
import Foundation

struct SoundPanel {
    let medium: Evidence.Medium
    let waveform: Waveform
    let name: String
    let scale: ScoreScale

    private static let waveHeight = 190.0
    private static let scoreHeight = 56.0

    /// What one pixel column stands for.
    private struct Column {
        var peak = 0.0
        /// Share of its tokens that were kept; nil where there is no token.
        var kept: Double?
        var bestScore = 0.0
        var isKeptBest = false
    }

    /// Draws from `y` on; returns where the panel ends.
    func draw(_ scene: inout Scene, y: Double) -> Double {
        let width = EvidencePicture.pageWidth - 2 * EvidencePicture.margin, left = EvidencePicture.margin
        let duration = max(waveform.duration, 0.001)
        let pieces = medium.pieces.filter { ($0.start ?? 0) < duration }
        let columns = columns(count: Int(width), duration: duration, pieces: pieces)
        scene.shapes.append(.text(name, x: left, y: y + 14, size: 16, Palette.text, isBold: true))
        let kept = Double(pieces.count(where: \.kept)) / Double(max(1, pieces.count))
        scene.shapes.append(
            .text(
                "\(Label.duration(waveform.duration))  ·  \(Label.percent(kept)) kept", x: left + width, y: y + 14, size: 15,
                Palette.muted, anchor: .end))
        let wave = Frame(x: left, y: y + 26, width: width, height: Self.waveHeight)
        let scores = Frame(x: left, y: wave.maxY + 6, width: width, height: Self.scoreHeight)
        scene.shapes.append(.rectangle(wave, Palette.panel))
        scene.shapes.append(.rectangle(scores, Palette.panel))
        let bottom = drawAxis(&scene, scores, wave, duration: duration)
        drawWave(&scene, wave, columns)
        drawScores(&scene, scores, columns)
        drawHints(&scene, wave, scores, pieces, duration: duration)
        drawAnswer(&scene, wave, scores, duration: duration)
        return bottom
    }

    private func columns(count: Int, duration: Double, pieces: [Evidence.Piece]) -> [Column] {
        let loudest = Double(max(waveform.peaks.max() ?? 0, 1e-6))
        let step = (pieces.first?.end ?? 1) - (pieces.first?.start ?? 0)
        return (0..<count).map { i in
            let (from, to) = (Double(i) / Double(count) * duration, Double(i + 1) / Double(count) * duration)
            var column = Column(peak: Double(waveform.peak(from: from, to: to)) / loudest)
            let first = min(pieces.count, max(0, Int(from / step)))
            let last = min(pieces.count, max(first + 1, Int((to / step).rounded(.up))))
            guard first < last else { return column }
            let covered = pieces[first..<last]
            let survivors = covered.filter(\.kept)
            column.kept = Double(survivors.count) / Double(covered.count)
            column.isKeptBest = !survivors.isEmpty
            column.bestScore = Double((survivors.isEmpty ? Array(covered) : survivors).map(\.score).max() ?? 0)
            return column
        }
    }

    /// Bars mirrored about the middle. The coloured part of a bar's height is the share kept, so that a column that stands
    /// for minutes still tells how much of them went on.
    private func drawWave(_ scene: inout Scene, _ frame: Frame, _ columns: [Column]) {
        var bars = Bars()
        let middle = frame.y + frame.height / 2, reach = frame.height / 2 - 6
        for (i, column) in columns.enumerated() {
            let half = max(0.6, column.peak * reach), x = frame.x + Double(i)
            let kept = column.kept ?? 0
            if kept < 1 { bars.add(Frame(x: x, y: middle - half, width: 1, height: 2 * half), Palette.dropped) }
            if kept > 0 {
                let inner = max(0.6, half * kept)
                bars.add(Frame(x: x, y: middle - inner, width: 1, height: 2 * inner), scale.colour(column.bestScore))
            }
        }
        bars.draw(&scene)
    }

    private func drawScores(_ scene: inout Scene, _ frame: Frame, _ columns: [Column]) {
        var bars = Bars()
        for (i, column) in columns.enumerated() where column.kept != nil {
            let height = 2 + scale.position(column.bestScore) * (frame.height - 8)
            let colour = column.isKeptBest ? scale.colour(column.bestScore) : Palette.dropped
            bars.add(Frame(x: frame.x + Double(i), y: frame.maxY - height, width: 1, height: height), colour)
        }
        bars.draw(&scene)
    }

    /// Time marks under the panel and faint lines through it; returns the axis' lower end.
    private func drawAxis(_ scene: inout Scene, _ frame: Frame, _ wave: Frame, duration: Double) -> Double {
        let step = Label.step(duration, most: 12)
        var mark = 0.0, number = 0
        while mark <= duration * 1.0001 {
            let x = frame.x + mark / duration * frame.width
            scene.shapes.append(.line(x1: x, y1: wave.y, x2: x, y2: frame.maxY + 5, Palette.axis, width: 1))
            let isEdge = x > frame.maxX - 24
            let text = step < 1 ? String(format: "%.1f s", mark) : duration < 60 ? String(format: "%.0f s", mark) : Label.time(mark)
            scene.shapes.append(
                .text(text, x: x, y: frame.maxY + 21, size: 13, Palette.muted, anchor: number == 0 ? .start : isEdge ? .end : .middle))
            number += 1
            mark = Double(number) * step
        }
        return frame.maxY + 24
    }

    /// A frame about where the answer was heard.
    private func drawAnswer(_ scene: inout Scene, _ wave: Frame, _ scores: Frame, duration: Double) {
        guard medium.pieces.contains(where: { $0.answer != nil }), let heard = medium.strongestStretch(), heard.lowerBound < duration else { return }
        let x = wave.x + heard.lowerBound / duration * wave.width
        let width = max(6, min(wave.maxX, wave.x + heard.upperBound / duration * wave.width) - x), isLeft = x < wave.x + wave.width / 2
        scene.shapes.append(.outline(Frame(x: x, y: wave.y, width: width, height: scores.maxY - wave.y), Palette.text, width: 1.5))
        scene.shapes.append(
            .text(
                "answer: \(Label.time(heard.lowerBound.rounded(.down)))", x: isLeft ? x + width + 6 : x - 6, y: wave.y + 16, size: 14, Palette.text,
                anchor: isLeft ? .start : .end, isBold: true))
    }

    /// Stretches with their scores, when there are few enough to point at.
    private func drawHints(_ scene: inout Scene, _ wave: Frame, _ scores: Frame, _ pieces: [Evidence.Piece], duration: Double) {
        guard pieces.count <= 600 else { return }
        for piece in pieces {
            guard let start = piece.start, let end = piece.end else { continue }
            let x = wave.x + start / duration * wave.width
            let width = min(wave.maxX, wave.x + end / duration * wave.width) - x
            let state = piece.kept ? "kept" : "dropped after \(piece.depth) extraction\(piece.depth == 1 ? "" : "s")"
            scene.shapes.append(
                .hint(
                    Frame(x: x, y: wave.y, width: width, height: scores.maxY - wave.y),
                    "\(String(format: "%.1f–%.1f s", start, end)): \(Label.factor(Double(piece.score))), \(state)"))
        }
    }
}

/// Bars gathered by colour, in the order colours first appear.
struct Bars {
    private var frames: [Colour: [Frame]] = [:]
    private var order: [Colour] = []

    mutating func add(_ frame: Frame, _ colour: Colour) {
        if frames[colour] == nil { order.append(colour) }
        frames[colour, default: []].append(frame)
    }

    func draw(_ scene: inout Scene) {
        // Grey first: what was kept lies on top.
        for colour in order.filter({ $0 == Palette.dropped }) + order.filter({ $0 != Palette.dropped }) {
            scene.shapes.append(.bars(frames[colour] ?? [], colour))
        }
    }
}
