// A scene as SVG: text stays text, bitmaps are embedded as PNG.
import Foundation
import LyraMedia

struct SVGWriter {
    private var output = ""
    private var gradients = 0

    static func write(_ scene: Scene) throws -> String {
        var writer = SVGWriter()
        try writer.write(scene)
        return writer.output
    }

    private mutating func write(_ scene: Scene) throws {
        let size = "width=\"\(number(scene.width))\" height=\"\(number(scene.height))\""
        output += "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        output += "<svg xmlns=\"http://www.w3.org/2000/svg\" \(size) "
        output += "viewBox=\"0 0 \(number(scene.width)) \(number(scene.height))\" role=\"img\" "
        output += "font-family=\"Inter, 'Segoe UI', 'Helvetica Neue', Arial, 'Noto Sans', sans-serif\">\n"
        output += "<title>\(Self.escape(scene.title))</title>\n"
        output += "<rect \(size) fill=\"\(colour(scene.background))\"/>\n"
        for shape in scene.shapes { try write(shape) }
        output += "</svg>\n"
    }

    private mutating func write(_ shape: Shape) throws {
        switch shape {
        case .rectangle(let frame, let fill, let opacity):
            output += "<rect \(box(frame)) fill=\"\(colour(fill))\"\(share("fill-opacity", opacity))/>\n"
        case .outline(let frame, let stroke, let width, let opacity):
            let centre = frame.inset(width / 2)
            output += "<rect \(box(centre)) fill=\"none\" stroke=\"\(colour(stroke))\" stroke-width=\"\(number(width))\""
            output += "\(share("stroke-opacity", opacity))/>\n"
        case .bars(let frames, let fill):
            output += "<path fill=\"\(colour(fill))\" d=\""
            for frame in frames {
                output += "M\(number(frame.x)) \(number(frame.y))h\(number(frame.width))v\(number(frame.height))h-\(number(frame.width))z"
            }
            output += "\"/>\n"
        case .line(let x1, let y1, let x2, let y2, let stroke, let width):
            output += "<path d=\"M\(number(x1)) \(number(y1))L\(number(x2)) \(number(y2))\" stroke=\"\(colour(stroke))\" "
            output += "stroke-width=\"\(number(width))\"/>\n"
        case .text(let text, let x, let y, let size, let fill, let anchor, let isBold):
            output += "<text x=\"\(number(x))\" y=\"\(number(y))\" font-size=\"\(number(size))\" fill=\"\(colour(fill))\""
            if anchor != .start { output += " text-anchor=\"\(anchor.rawValue)\"" }
            if isBold { output += " font-weight=\"600\"" }
            output += " xml:space=\"preserve\">\(Self.escape(text))</text>\n"
        case .image(let image, let frame):
            let data = Data(try image.pngData()).base64EncodedString()
            output += "<image \(box(frame)) preserveAspectRatio=\"none\" href=\"data:image/png;base64,\(data)\"/>\n"
        case .gradient(let frame, let colours):
            gradients += 1
            output += "<defs><linearGradient id=\"g\(gradients)\">"
            for (i, stop) in colours.enumerated() {
                let offset = Double(i) / Double(max(1, colours.count - 1))
                output += "<stop offset=\"\(number(offset))\" stop-color=\"\(colour(stop))\"/>"
            }
            output += "</linearGradient></defs><rect \(box(frame)) fill=\"url(#g\(gradients))\"/>\n"
        case .hint(let frame, let text):
            output += "<rect \(box(frame)) fill-opacity=\"0\"><title>\(Self.escape(text))</title></rect>\n"
        }
    }

    private func box(_ frame: Frame) -> String {
        "x=\"\(number(frame.x))\" y=\"\(number(frame.y))\" width=\"\(number(frame.width))\" height=\"\(number(frame.height))\""
    }

    private func share(_ name: String, _ value: Double) -> String { value < 1 ? " \(name)=\"\(number(value))\"" : "" }

    private func colour(_ colour: Colour) -> String {
        func hex(_ value: UInt8) -> String { (value < 16 ? "0" : "") + String(value, radix: 16) }
        return "#\(hex(colour.red))\(hex(colour.green))\(hex(colour.blue))"
    }

    /// Two decimals at most, without superfluous zeros, the same in every locale.
    private func number(_ value: Double) -> String {
        let hundredths = Int((value * 100).rounded())
        let whole = abs(hundredths) / 100, rest = abs(hundredths) % 100
        let fraction = rest == 0 ? "" : rest % 10 == 0 ? ".\(rest / 10)" : rest < 10 ? ".0\(rest)" : ".\(rest)"
        return (hundredths < 0 ? "-" : "") + "\(whole)\(fraction)"
    }

    /// Text as XML content; characters XML forbids are left out.
    static func escape(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "\n", "\t", "\r": result += " "
            case "\u{FFFE}", "\u{FFFF}": continue
            default: if scalar.value >= 0x20 { result.unicodeScalars.append(scalar) }
            }
        }
        return result
    }
}
