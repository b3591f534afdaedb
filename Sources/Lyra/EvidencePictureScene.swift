// A drawing as a list of shapes; EvidencePictureSVG and EvidencePictureRaster turn it into files. Knows nothing of evidence.
import LyraMedia

/// 8-bit red, green, blue.
struct Colour: Hashable, Sendable {
    var red, green, blue: UInt8

    /// 0xRRGGBB
    init(_ hex: UInt32) {
        (red, green, blue) = (UInt8(hex >> 16 & 255), UInt8(hex >> 8 & 255), UInt8(hex & 255))
    }

    init(red: UInt8, green: UInt8, blue: UInt8) { (self.red, self.green, self.blue) = (red, green, blue) }

    /// This colour with `share` (0...1) of `other` in it.
    func mixed(with other: Colour, _ share: Double) -> Colour {
        func mix(_ a: UInt8, _ b: UInt8) -> UInt8 { UInt8((Double(a) + (Double(b) - Double(a)) * share).rounded()) }
        return Colour(red: mix(red, other.red), green: mix(green, other.green), blue: mix(blue, other.blue))
    }
}

/// A rectangle, y downwards.
struct Frame: Equatable, Sendable {
    var x, y, width, height: Double
    var maxX: Double { x + width }
    var maxY: Double { y + height }

    func inset(_ by: Double) -> Frame { Frame(x: x + by, y: y + by, width: width - 2 * by, height: height - 2 * by) }
}

/// Where a text's x coordinate is in it.
enum TextAnchor: String, Sendable { case start, middle, end }

enum Shape: Sendable {
    case rectangle(Frame, Colour, opacity: Double = 1)
    /// A frame drawn inside the rectangle.
    case outline(Frame, Colour, width: Double, opacity: Double = 1)
    /// Many rectangles of one colour.
    case bars([Frame], Colour)
    case line(x1: Double, y1: Double, x2: Double, y2: Double, Colour, width: Double)
    /// y is the base line; size is that of the font in pixels.
    case text(String, x: Double, y: Double, size: Double, Colour, anchor: TextAnchor = .start, isBold: Bool = false)
    case image(RGBImage, Frame)
    /// Colours from left to right.
    case gradient(Frame, [Colour])
    /// What is shown when the pointer rests there; nothing in a bitmap.
    case hint(Frame, String)
}

struct Scene: Sendable {
    var width: Double
    var height: Double
    var background: Colour
    /// For readers that cannot see it.
    var title: String
    var shapes: [Shape] = []
}
