// The shapes of the small world, as outlines.
import CCairo
import Foundation

enum ShapeKind: String, CaseIterable, Sendable {
    case circle, square, triangle, star, ring, cross, hexagon, heart, diamond, moon

    var plural: String { self == .cross ? "crosses" : rawValue + "s" }

    /// Lays the outline around a point; `radius` is half the shape's size.
    func path(_ canvas: Canvas, _ x: Double, _ y: Double, radius r: Double) {
        let c = canvas.context
        cairo_new_path(c)
        switch self {
        case .circle: cairo_arc(c, x, y, r, 0, 2 * .pi)
        case .square: cairo_rectangle(c, x - r * 0.88, y - r * 0.88, r * 1.76, r * 1.76)
        case .triangle: polygon(c, x, y + r * 0.15, [(0, -r), (r * 0.95, r * 0.7), (-r * 0.95, r * 0.7)])
        case .diamond: polygon(c, x, y, [(0, -r), (r * 0.72, 0), (0, r), (-r * 0.72, 0)])
        case .hexagon: polygon(c, x, y, (0..<6).map { (r * cos(Double($0) * .pi / 3), r * sin(Double($0) * .pi / 3)) })
        case .star:
            polygon(
                c, x, y + r * 0.05,
                (0..<10).map { i in
                    let angle = Double(i) * .pi / 5 - .pi / 2, length = i % 2 == 0 ? r : r * 0.42
                    return (length * cos(angle), length * sin(angle))
                })
        case .cross:
            let t = r * 0.3
            polygon(
                c, x, y,
                [(-t, -r), (t, -r), (t, -t), (r, -t), (r, t), (t, t), (t, r), (-t, r), (-t, t), (-r, t), (-r, -t), (-t, -t)])
        case .ring:
            cairo_arc(c, x, y, r, 0, 2 * .pi)
            cairo_new_sub_path(c)
            cairo_arc_negative(c, x, y, r * 0.55, 2 * .pi, 0)
        case .heart:
            cairo_move_to(c, x, y + r * 0.9)
            cairo_curve_to(c, x - r * 1.7, y - r * 0.25, x - r * 0.75, y - r * 1.3, x, y - r * 0.45)
            cairo_curve_to(c, x + r * 0.75, y - r * 1.3, x + r * 1.7, y - r * 0.25, x, y + r * 0.9)
        case .moon:
            // A disc less another that is moved to the right.
            let a = acos(0.35)
            cairo_arc(c, x, y, r, a, 2 * .pi - a)
            cairo_arc_negative(c, x + r * 0.7, y, r, .pi + a, .pi - a)
        }
        cairo_close_path(c)
    }

    private func polygon(_ c: OpaquePointer, _ x: Double, _ y: Double, _ points: [(Double, Double)]) {
        for (dx, dy) in points { cairo_line_to(c, x + dx, y + dy) }
    }

    /// Draws it filled, with an outline that sets it off from others.
    func draw(_ canvas: Canvas, _ x: Double, _ y: Double, radius: Double, _ rgb: (Double, Double, Double)) {
        path(canvas, x, y, radius: radius)
        canvas.set(rgb)
        cairo_fill_preserve(canvas.context)
        canvas.set((rgb.0 * 0.6, rgb.1 * 0.6, rgb.2 * 0.6))
        cairo_set_line_width(canvas.context, 1.2)
        cairo_stroke(canvas.context)
    }
}
