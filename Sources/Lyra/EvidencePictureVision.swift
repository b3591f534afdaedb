// The panel of a picture or video: the picture with dropped cells dark and grey, kept ones in their colours and framed by
// their score. A picture stands beside its original, a video is a contact sheet of its frame pairs.
import Foundation
import LyraMedia

struct VisionPanel {
    let medium: Evidence.Medium
    /// The picture, or one frame of each frame pair.
    let frames: [RGBImage]
    let times: [Double]
    let name: String
    let scale: ScoreScale

    private static let gap = 20.0

    /// Draws from `y` on; returns where the panel ends. `resolution`: pixels per unit of the pictures drawn.
    func draw(_ scene: inout Scene, y: Double, resolution: Double) throws -> Double {
        let left = EvidencePicture.margin, width = EvidencePicture.pageWidth - 2 * left
        scene.shapes.append(.text(name, x: left, y: y + 14, size: 16, Palette.text, isBold: true))
        let size = frames.first.map { "\($0.width) × \($0.height)" } ?? ""
        let count = frames.count > 1 ? "\(frames.count) frame pairs  ·  " : ""
        scene.shapes.append(
            .text(
                "\(count)\(size)  ·  \(Label.percent(medium.keptShare)) kept", x: left + width, y: y + 14, size: 15, Palette.muted,
                anchor: .end))
        guard let first = frames.first else { return y + 20 }
        let top = y + 28, isVideo = frames.count > 1
        let columns = isVideo ? Self.columns(frames.count, first, width: width) : 2
        let cell = (width - Self.gap * Double(columns - 1)) / Double(columns)
        // Small pictures are not blown up beyond five times their size.
        let factor = min(cell / Double(first.width), 640 / Double(first.height), 5)
        let (w, h) = (Double(first.width) * factor, Double(first.height) * factor)
        let shown = isVideo ? frames.count : 2
        let used = w * Double(min(columns, shown)) + Self.gap * Double(min(columns, shown) - 1)
        let indent = isVideo ? 0 : (width - used) / 2
        let rowHeight = h + (isVideo ? 30 : 4)
        for i in 0..<shown {
            let frame = Frame(
                x: left + indent + Double(i % columns) * (w + Self.gap), y: top + Double(i / columns) * rowHeight, width: w, height: h)
            if !isVideo, i == 0 {
                scene.shapes.append(.image(resize(first, to: frame, resolution), frame))
                scene.shapes.append(.outline(frame, Palette.axis, width: 1))
            } else {
                let number = isVideo ? i : 0
                try draw(&scene, frames[number], number, frame, resolution)
                if isVideo {
                    let pieces = medium.pieces.filter { $0.frame == number }
                    let share = Double(pieces.count(where: \.kept)) / Double(max(1, pieces.count))
                    scene.shapes.append(
                        .text(
                            number < times.count ? Label.time(times[number], tenths: true) : "\(number + 1)", x: frame.x,
                            y: frame.maxY + 17, size: 13, Palette.muted))
                    scene.shapes.append(
                        .text("\(Label.percent(share)) kept", x: frame.maxX, y: frame.maxY + 17, size: 13, Palette.muted, anchor: .end))
                }
            }
        }
        return top + Double((shown + columns - 1) / columns) * rowHeight
    }

    /// Columns of a contact sheet: as few as keep it from growing beyond a screen.
    private static func columns(_ count: Int, _ frame: RGBImage, width: Double) -> Int {
        let most = min(count, 16)
        return (min(2, most)...most).first { columns in
            let cell = (width - gap * Double(columns - 1)) / Double(columns)
            let rows = (count + columns - 1) / columns
            return Double(rows) * (cell * Double(frame.height) / Double(frame.width) + 30) <= 860
        } ?? most
    }

    private func resize(_ image: RGBImage, to frame: Frame, _ resolution: Double) -> RGBImage {
        image.resized(
            width: max(1, Int((frame.width * resolution).rounded())), height: max(1, Int((frame.height * resolution).rounded())))
    }

    private func draw(_ scene: inout Scene, _ image: RGBImage, _ number: Int, _ frame: Frame, _ resolution: Double) throws {
        let pieces = medium.pieces.filter { ($0.frame ?? 0) == number }
        let picture = try Self.shade(resize(image, to: frame, resolution), pieces)
        scene.shapes.append(.image(picture, frame))
        let places = pieces.compactMap { piece -> (Evidence.Piece, Frame)? in
            guard let x = piece.x, let y = piece.y, let w = piece.width, let h = piece.height else { return nil }
            return (
                piece,
                Frame(
                    x: frame.x + x * frame.width, y: frame.y + y * frame.height, width: w * frame.width, height: h * frame.height)
            )
        }
        let side = places.map { min($0.1.width, $0.1.height) }.min() ?? 0
        for (piece, place) in places {
            if piece.kept {
                let colour = scale.colour(Double(piece.score))
                scene.shapes.append(.rectangle(place, colour, opacity: 0.12))
                if side >= 5 { scene.shapes.append(.outline(place.inset(side > 12 ? 1 : 0.5), colour, width: side > 20 ? 1.6 : 1)) }
            }
            if places.count <= 2_000 {
                let state = piece.kept ? "kept" : "dropped after \(piece.depth) extraction\(piece.depth == 1 ? "" : "s")"
                scene.shapes.append(.hint(place, "\(Label.factor(Double(piece.score))), \(state)"))
            }
        }
    }

    /// Takes colour and light from the cells that were dropped.
    static func shade(_ image: RGBImage, _ pieces: [Evidence.Piece]) throws -> RGBImage {
        var pixels = image.pixels
        for piece in pieces where !piece.kept {
            guard let x = piece.x, let y = piece.y, let w = piece.width, let h = piece.height else { continue }
            func range(_ start: Double, _ length: Double, _ size: Int) -> Range<Int> {
                // The end of one cell is the beginning of the next, whatever their sums round to.
                let low = Int((start * Double(size) + 1e-6).rounded()), high = Int(((start + length) * Double(size) + 1e-6).rounded())
                return max(0, min(low, size))..<max(0, min(max(low, high), size))
            }
            for row in range(y, h, image.height) {
                for column in range(x, w, image.width) {
                    let i = (row * image.width + column) * 3
                    let light = 0.299 * Double(pixels[i]) + 0.587 * Double(pixels[i + 1]) + 0.114 * Double(pixels[i + 2])
                    let dim = light * 0.36 + 12
                    (pixels[i], pixels[i + 1], pixels[i + 2]) = (UInt8(dim), UInt8(dim * 1.05), UInt8(min(255, dim * 1.15)))
                }
            }
        }
        return try RGBImage(width: image.width, height: image.height, pixels: pixels)
    }
}
