// A scene as pixels: rectangles, lines and text by coverage, so that edges are smooth. Small and exact, not fast.
import Foundation
import LyraMedia

struct Raster {
    let width, height: Int
    private let scale: Double
    private var pixels: [UInt8]

    /// - Parameter scale: pixels per unit of the scene.
    static func draw(_ scene: Scene, scale: Double) throws -> RGBImage {
        var raster = Raster(scene, scale)
        for shape in scene.shapes { raster.draw(shape) }
        return try RGBImage(width: raster.width, height: raster.height, pixels: raster.pixels)
    }

    private init(_ scene: Scene, _ scale: Double) {
        let width = max(1, Int((scene.width * scale).rounded())), height = max(1, Int((scene.height * scale).rounded()))
        (self.width, self.height, self.scale) = (width, height, scale)
        let colour = [scene.background.red, scene.background.green, scene.background.blue]
        pixels = [UInt8](unsafeUninitializedCapacity: width * height * 3) { buffer, count in
            for i in 0..<(width * height * 3) { buffer[i] = colour[i % 3] }
            count = width * height * 3
        }
    }

    private mutating func draw(_ shape: Shape) {
        switch shape {
        case .rectangle(let frame, let colour, let opacity): fill(frame, colour, opacity)
        case .outline(let frame, let colour, let width, let opacity):
            fill(Frame(x: frame.x, y: frame.y, width: frame.width, height: width), colour, opacity)
            fill(Frame(x: frame.x, y: frame.maxY - width, width: frame.width, height: width), colour, opacity)
            let inner = frame.height - 2 * width
            fill(Frame(x: frame.x, y: frame.y + width, width: width, height: inner), colour, opacity)
            fill(Frame(x: frame.maxX - width, y: frame.y + width, width: width, height: inner), colour, opacity)
        case .bars(let frames, let colour): for frame in frames { fill(frame, colour, 1) }
        case .line(let x1, let y1, let x2, let y2, let colour, let width):
            stroke([[Point(x1, y1), Point(x2, y2)]], width: width, colour)
        case .text(let text, let x, let y, let size, let colour, let anchor, let isBold):
            let length = StrokeFont.width(text, size: size)
            let start = anchor == .start ? x : anchor == .middle ? x - length / 2 : x - length
            let lines = StrokeFont.lines(text, x: start, y: y, size: size)
            stroke(lines, width: size * (isBold ? 0.115 : 0.08), colour)
        case .image(let image, let frame): draw(image, frame)
        case .gradient(let frame, let colours): draw(colours, frame)
        case .hint: break
        }
    }

    // MARK: Pixels

    private mutating func blend(_ x: Int, _ y: Int, _ colour: Colour, _ share: Double) {
        let i = (y * width + x) * 3
        func mix(_ old: UInt8, _ new: UInt8) -> UInt8 { UInt8((Double(old) + (Double(new) - Double(old)) * share).rounded()) }
        pixels[i] = mix(pixels[i], colour.red)
        pixels[i + 1] = mix(pixels[i + 1], colour.green)
        pixels[i + 2] = mix(pixels[i + 2], colour.blue)
    }

    /// How much of the pixel `i` the interval covers, 0...1.
    private func coverage(_ i: Int, _ from: Double, _ to: Double) -> Double {
        max(0, min(to, Double(i + 1)) - max(from, Double(i)))
    }

    private func columns(_ from: Double, _ to: Double) -> Range<Int> { clip(from, to, width) }
    private func rows(_ from: Double, _ to: Double) -> Range<Int> { clip(from, to, height) }
    private func clip(_ from: Double, _ to: Double, _ limit: Int) -> Range<Int> {
        let low = Int(max(0, min(from, Double(limit))).rounded(.down)), high = Int(max(0, min(to, Double(limit))).rounded(.up))
        return low..<max(low, high)
    }

    private mutating func fill(_ frame: Frame, _ colour: Colour, _ opacity: Double) {
        let (x0, x1, y0, y1) = (frame.x * scale, frame.maxX * scale, frame.y * scale, frame.maxY * scale)
        for y in rows(y0, y1) {
            let vertical = coverage(y, y0, y1) * opacity
            for x in columns(x0, x1) {
                let share = coverage(x, x0, x1) * vertical
                if share > 0 { blend(x, y, colour, min(1, share)) }
            }
        }
    }

    private mutating func draw(_ colours: [Colour], _ frame: Frame) {
        guard colours.count > 1 else { return }
        let steps = max(1, Int((frame.width * scale).rounded()))
        for i in 0..<steps {
            let position = (Double(i) + 0.5) / Double(steps) * Double(colours.count - 1)
            let index = min(colours.count - 2, Int(position))
            let colour = colours[index].mixed(with: colours[index + 1], position - Double(index))
            let x = frame.x + Double(i) / scale
            fill(Frame(x: x, y: frame.y, width: 1 / scale, height: frame.height), colour, 1)
        }
    }

    /// Bilinear; scenes are made with pictures of about the size they are shown at.
    private mutating func draw(_ image: RGBImage, _ frame: Frame) {
        let (x0, y0) = (frame.x * scale, frame.y * scale)
        let (w, h) = (frame.width * scale, frame.height * scale)
        guard w > 0, h > 0 else { return }
        for y in rows(y0.rounded(), (y0 + h).rounded()) {
            let v = max(0, min(Double(image.height - 1), (Double(y) + 0.5 - y0) / h * Double(image.height) - 0.5))
            let top = Int(v), bottom = min(top + 1, image.height - 1), fy = v - Double(top)
            for x in columns(x0.rounded(), (x0 + w).rounded()) {
                let u = max(0, min(Double(image.width - 1), (Double(x) + 0.5 - x0) / w * Double(image.width) - 0.5))
                let left = Int(u), right = min(left + 1, image.width - 1), fx = u - Double(left)
                let target = (y * width + x) * 3
                for c in 0..<3 {
                    func at(_ row: Int, _ column: Int) -> Double { Double(image.pixels[(row * image.width + column) * 3 + c]) }
                    let upper = at(top, left) * (1 - fx) + at(top, right) * fx
                    let lower = at(bottom, left) * (1 - fx) + at(bottom, right) * fx
                    pixels[target + c] = UInt8((upper * (1 - fy) + lower * fy).rounded())
                }
            }
        }
    }

    // MARK: Strokes

    struct Point: Equatable, Sendable {
        var x, y: Double
        init(_ x: Double, _ y: Double) { (self.x, self.y) = (x, y) }
    }

    /// Lines with round ends. Coverage is taken from the distance to the nearest segment, so joints do not darken.
    private mutating func stroke(_ lines: [[Point]], width: Double, _ colour: Colour) {
        let half = width * scale / 2
        for line in lines {
            let points = line.map { Point($0.x * scale, $0.y * scale) }
            guard let first = points.first else { continue }
            let box = points.reduce((first.x, first.x, first.y, first.y)) {
                (min($0.0, $1.x), max($0.1, $1.x), min($0.2, $1.y), max($0.3, $1.y))
            }
            for y in rows(box.2 - half - 1, box.3 + half + 1) {
                for x in columns(box.0 - half - 1, box.1 + half + 1) {
                    let distance = Self.distance(Point(Double(x) + 0.5, Double(y) + 0.5), points)
                    let share = min(1, max(0, half + 0.5 - distance))
                    if share > 0 { blend(x, y, colour, share) }
                }
            }
        }
    }

    private static func distance(_ p: Point, _ line: [Point]) -> Double {
        var best = Double.infinity
        for i in line.indices.dropLast(line.count > 1 ? 1 : 0) {
            let a = line[i], b = line[min(i + 1, line.count - 1)]
            let (dx, dy) = (b.x - a.x, b.y - a.y)
            let length = dx * dx + dy * dy
            let t = length == 0 ? 0 : max(0, min(1, ((p.x - a.x) * dx + (p.y - a.y) * dy) / length))
            let (ex, ey) = (a.x + t * dx - p.x, a.y + t * dy - p.y)
            best = min(best, ex * ex + ey * ey)
        }
        return best.squareRoot()
    }
}
