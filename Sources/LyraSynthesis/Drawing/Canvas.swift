// A picture to draw on: a thin layer over Cairo.
import CCairo
import LyraMedia
import Synchronization

enum DrawingError: Error, Equatable {
    case cairo(String)
}

/// An opaque picture of RGB pixels. Coordinates are in pixels from the top left.
final class Canvas {
    let width, height: Int
    private let surface: OpaquePointer
    let context: OpaquePointer
    /// What is to be read where, as far as it was labelled; letters always are.
    private(set) var regions: [Region] = []
    /// Cairo 1.16 opens and closes fonts in one FreeType library from any thread without a lock of its own, which crashes.
    private static let fonts = Mutex(())

    init(width: Int = 224, height: Int = 224) throws(DrawingError) {
        guard let surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, Int32(width), Int32(height)),
            let context = cairo_create(surface)
        else { throw .cairo("no memory") }
        (self.width, self.height, self.surface, self.context) = (width, height, surface, context)
    }

    deinit {
        Canvas.fonts.withLock { _ in cairo_destroy(context) }
        cairo_surface_destroy(surface)
    }

    func fill(_ rgb: (Double, Double, Double)) {
        set(rgb)
        cairo_paint(context)
    }

    func set(_ rgb: (Double, Double, Double)) { cairo_set_source_rgb(context, rgb.0, rgb.1, rgb.2) }

    func line(_ x0: Double, _ y0: Double, _ x1: Double, _ y1: Double, width: Double) {
        cairo_set_line_width(context, width)
        cairo_set_line_cap(context, CAIRO_LINE_CAP_ROUND)
        cairo_move_to(context, x0, y0)
        cairo_line_to(context, x1, y1)
        cairo_stroke(context)
    }

    func rectangle(_ x: Double, _ y: Double, _ width: Double, _ height: Double, outline: Double? = nil) {
        cairo_rectangle(context, x, y, width, height)
        if let outline {
            cairo_set_line_width(context, outline)
            cairo_stroke(context)
        } else {
            cairo_fill(context)
        }
    }

    func circle(_ x: Double, _ y: Double, radius: Double, outline: Double? = nil) {
        cairo_new_sub_path(context)
        cairo_arc(context, x, y, radius, 0, 2 * .pi)
        if let outline {
            cairo_set_line_width(context, outline)
            cairo_stroke(context)
        } else {
            cairo_fill(context)
        }
    }

    // MARK: Text

    func font(_ font: Font, size: Double) {
        Canvas.fonts.withLock { _ in
            cairo_select_font_face(
                context, font.family, font.italic ? CAIRO_FONT_SLANT_ITALIC : CAIRO_FONT_SLANT_NORMAL,
                font.bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL)
            cairo_set_font_size(context, size)
        }
    }

    func size(of text: String) -> (width: Double, height: Double) {
        let extents = extents(of: text)
        return (extents.width, extents.height)
    }

    /// Text with its ink's middle at the point.
    func text(_ text: String, centredAt x: Double, _ y: Double) {
        let extents = extents(of: text)
        self.text(text, at: x - extents.x_bearing - extents.width / 2, y - extents.y_bearing - extents.height / 2)
    }

    /// Text from a point on its base line. Each of its letters and digits gets a region.
    func text(_ text: String, at x: Double, _ y: Double) {
        cairo_move_to(context, x, y)
        Canvas.fonts.withLock { _ in cairo_show_text(context, text) }
        let extents = extents(of: text), top = y + extents.y_bearing, bottom = top + extents.height
        func advance(_ count: Int) -> Double { x + self.extents(of: String(text.prefix(count))).x_advance }
        for (place, letter) in text.enumerated() where letter != " " {
            label(advance(place), top, advance(place + 1), bottom, [Region.letter + letter.lowercased()])
        }
    }

    // MARK: Labels

    /// Notes what is to be read in a part of the picture: see ``Region``.
    func label(_ x0: Double, _ y0: Double, _ x1: Double, _ y1: Double, _ labels: [String]) {
        guard !labels.isEmpty else { return }
        regions.append(Region(box: [x0, y0, x1, y1].map { ($0 * 10).rounded() / 10 }, labels: labels))
    }

    func label(around x: Double, _ y: Double, radius: Double, _ labels: [String]) {
        label(x - radius, y - radius, x + radius, y + radius, labels)
    }

    private func extents(of text: String) -> cairo_text_extents_t {
        var extents = cairo_text_extents_t()
        Canvas.fonts.withLock { _ in cairo_text_extents(context, text, &extents) }
        return extents
    }

    /// The largest size up to `size` at which the text is at most `width` wide.
    func fit(_ text: String, _ font: Font, size: Double, width: Double) {
        self.font(font, size: size)
        let wide = self.size(of: text).width
        if wide > width { self.font(font, size: max(9, size * width / wide)) }
    }

    // MARK: The result

    /// - Throws: `DrawingError` if drawing failed anywhere on the way.
    func image() throws -> RGBImage {
        let status = cairo_status(context)
        guard status == CAIRO_STATUS_SUCCESS else { throw DrawingError.cairo(String(cString: cairo_status_to_string(status))) }
        cairo_surface_flush(surface)
        let stride = Int(cairo_image_surface_get_stride(surface))
        guard let data = cairo_image_surface_get_data(surface) else { throw DrawingError.cairo("no pixels") }
        var pixels = [UInt8](repeating: 0, count: width * height * 3)
        for y in 0..<height {
            UnsafeRawPointer(data + y * stride).withMemoryRebound(to: UInt32.self, capacity: width) { row in
                for x in 0..<width {
                    let value = row[x], at = (y * width + x) * 3
                    pixels[at] = UInt8(value >> 16 & 255)
                    pixels[at + 1] = UInt8(value >> 8 & 255)
                    pixels[at + 2] = UInt8(value & 255)
                }
            }
        }
        return try RGBImage(width: width, height: height, pixels: pixels)
    }
}

/// A part of a picture and what is to be read there, in order: "big", "red", "circle". Words stand in it as on a page, from left to right and
/// line by line, so that all regions of a picture together are a short text about it. Parts are larger than what they tell of where there is
/// room, so that there is room for the words as well.
struct Region: Encodable, Sendable, Equatable {
    /// Left, top, right and bottom, in pixels.
    var box: [Double]
    var labels: [String]

    /// What the label of a single printed letter or digit begins with.
    static let letter = "letter "
}

/// A typeface that a Debian package brings.
struct Font: Sendable, Equatable {
    var family: String
    var bold = false
    var italic = false

    static let families = [
        "DejaVu Sans", "DejaVu Serif", "DejaVu Sans Mono", "Liberation Sans", "Liberation Serif", "Liberation Mono",
        "Liberation Sans Narrow", "FreeSans", "FreeSerif", "FreeMono",
    ]

    static let plain = Font(family: "DejaVu Sans")

    static func random(_ random: inout SeededRandom) -> Font {
        Font(family: random.pick(families), bold: random.chance(0.4), italic: random.chance(0.15))
    }
}
