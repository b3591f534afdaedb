// Evidence for people: one page that shows what the extractor kept of the sound and the pictures. Here: the page and its
// texts; EvidencePictureSound and EvidencePictureVision draw the panels.
import Foundation
import LyraMedia
import LyraModel

/// A drawing of ``Evidence`` over the media it is about, as SVG or PNG.
///
/// ```swift
/// let picture = EvidencePicture(evidence, of: try EvidencePicture.media(of: parts), question: "When does the bell ring?")
/// try picture.svg().write(toFile: "evidence.svg", atomically: true, encoding: .utf8)
/// ```
public struct EvidencePicture: Sendable {
    /// One medium, as it is shown.
    public enum Medium: Sendable {
        case sound(Waveform, name: String)
        /// The picture; or the first frame of each frame pair of a video, and when they are.
        case frames([RGBImage], times: [Double], name: String)
    }

    let evidence: Evidence
    /// One for each medium of the evidence.
    let media: [Medium?]
    let question: String

    /// - Parameters:
    ///   - media: the media of the request; ``media(of:maximumFrames:isCompatible:)`` reads them. Those that the evidence
    ///     does not speak of are not shown.
    ///   - question: the request's text, for the title.
    public init(_ evidence: Evidence, of media: [Medium], question: String) {
        let sounds = media.filter { if case .sound = $0 { true } else { false } }
        let pictures = media.filter { if case .frames = $0 { true } else { false } }
        self.media = evidence.media.map { medium in
            let all = medium.kind == .speech ? sounds : pictures
            return medium.index < all.count ? all[medium.index] : nil
        }
        (self.evidence, self.question) = (evidence, question)
    }

    /// As an SVG document; pictures are embedded.
    public func svg() throws -> String { try SVGWriter.write(try scene(resolution: 2)) }

    /// As a bitmap. `scale`: pixels per unit of the 1,200 units wide page.
    public func image(scale: Double = 2) throws -> RGBImage {
        try Raster.draw(try scene(resolution: scale), scale: max(0.25, min(4, scale)))
    }

    // MARK: The page

    static let pageWidth = 1_200.0
    static let margin = 44.0
    private static let titleSize = 25.0

    func scene(resolution: Double) throws -> Scene {
        let scale = ScoreScale(evidence.media.flatMap { $0.pieces.lazy.filter(\.kept).map(\.score) })
        var scene = Scene(width: Self.pageWidth, height: 0, background: Palette.page, title: accessibleTitle)
        var y = Self.margin + 20
        for line in titleLines {
            scene.shapes.append(.text(line, x: Self.margin, y: y, size: Self.titleSize, Palette.text, isBold: true))
            y += Self.titleSize * 1.35
        }
        scene.shapes.append(.text(summary, x: Self.margin, y: y - 2, size: 15, Palette.muted))
        y += 26
        for (medium, shown) in zip(evidence.media, media) {
            switch shown {
            case .sound(let waveform, let name):
                y = SoundPanel(medium: medium, waveform: waveform, name: name, scale: scale).draw(&scene, y: y)
            case .frames(let frames, let times, let name):
                let panel = VisionPanel(medium: medium, frames: frames, times: times, name: name, scale: scale)
                y = try panel.draw(&scene, y: y, resolution: resolution)
            case nil: continue
            }
            y += 34
        }
        y = drawLegend(&scene, y: y - 4, scale: scale)
        scene.height = y + Self.margin - 8
        return scene
    }

    /// The question on two lines at most, with room for the wider letters of a viewer's own font.
    private var titleLines: [String] {
        let trimmed = question.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        let title = trimmed.isEmpty ? "What the model listened to and looked at" : "“\(trimmed)”"
        return Self.wrap(title, size: Self.titleSize, width: 0.8 * (Self.pageWidth - 2 * Self.margin), lines: 2)
    }

    static func wrap(_ text: String, size: Double, width: Double, lines: Int) -> [String] {
        var result = [""]
        for word in text.split(separator: " ") {
            let joined = result[result.count - 1].isEmpty ? String(word) : result[result.count - 1] + " " + word
            if result[result.count - 1].isEmpty || StrokeFont.width(joined, size: size) <= width {
                result[result.count - 1] = joined
            } else if result.count < lines {
                result.append(String(word))
            } else {
                result[result.count - 1] += " …"
                break
            }
        }
        // A single word may be longer than the page.
        return result.map { line in
            var line = line
            guard StrokeFont.width(line, size: size) > width else { return line }
            while line.count > 1, StrokeFont.width(line + "…", size: size) > width { line.removeLast() }
            return line + "…"
        }
    }

    private var counts: (tokens: Int, kept: Int) {
        let shares = zip(evidence.media, media).map { medium, shown -> (Int, Int) in
            let real = Self.real(medium, shown)
            return (real.count, real.count(where: \.kept))
        }
        return (shares.reduce(0) { $0 + $1.0 }, shares.reduce(0) { $0 + $1.1 })
    }

    /// Pieces that stand for sound or picture, not for the padding of the last window.
    static func real(_ medium: Evidence.Medium, _ shown: Medium?) -> [Evidence.Piece] {
        guard case .sound(let waveform, _) = shown else { return medium.pieces }
        return medium.pieces.filter { ($0.start ?? 0) < waveform.duration }
    }

    private var summary: String {
        let (tokens, kept) = counts
        let layers = evidence.layers.map { String($0 + 1) }
        let list = layers.count > 1 ? layers.dropLast().joined(separator: ", ") + " and " + layers[layers.count - 1] : layers.joined()
        let after = layers.isEmpty ? "" : "  ·  dropped after layer\(layers.count > 1 ? "s" : "") \(list)"
        return "\(Label.percent(Double(kept) / Double(max(1, tokens)))) kept: \(Label.count(kept)) of \(Label.count(tokens)) tokens\(after)"
    }

    private var accessibleTitle: String { "\(titleLines.joined(separator: " ")): \(summary)" }

    private func drawLegend(_ scene: inout Scene, y: Double, scale: ScoreScale) -> Double {
        let bar = Frame(x: Self.margin, y: y, width: 300, height: 12)
        scene.shapes.append(.gradient(bar, ScoreScale.colours))
        for (position, anchor) in [(0.0, TextAnchor.start), (0.5, .middle), (1, .end)] {
            scene.shapes.append(
                .text(
                    Label.factor(scale.score(at: position)), x: bar.x + bar.width * position, y: bar.maxY + 18, size: 13,
                    Palette.muted, anchor: anchor))
        }
        scene.shapes.append(
            .text("attention the question pays, as a multiple of the average", x: bar.maxX + 18, y: y + 11, size: 14, Palette.text))
        let swatch = Frame(x: Self.pageWidth - Self.margin - 86, y: y, width: 18, height: 12)
        scene.shapes.append(.rectangle(swatch, Palette.dropped))
        scene.shapes.append(.text("dropped", x: Self.pageWidth - Self.margin, y: y + 11, size: 14, Palette.text, anchor: .end))
        if evidence.media.contains(where: { $0.kind == .speech && Double($0.pieces.count) > Self.pageWidth }) {
            scene.shapes.append(
                .text(
                    "coloured height: share kept", x: Self.pageWidth - Self.margin, y: bar.maxY + 18, size: 13, Palette.muted,
                    anchor: .end))
        }
        return bar.maxY + 20
    }
}
