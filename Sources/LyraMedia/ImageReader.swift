// Picture files -> RGB pixels.
import CFFmpeg

/// What becomes of transparency.
public enum AlphaPolicy: Sendable {
    /// Transparent parts show white, as on a page.
    case white
    /// Colours as stored, whatever shows through: what Pillow's `convert("RGB")`, and so the original release, does.
    case drop
}

/// Reads PNG, JPEG, WebP, GIF, BMP, TIFF, PNM, QOI, JPEG 2000 and JPEG XL (as far as this FFmpeg has decoders for
/// them). Of an animation the first frame. Colour profiles are not applied.
public enum ImageReader {
    /// Decodes a picture.
    /// - Parameters:
    ///   - alpha: what transparent parts become.
    ///   - applyOrientation: turn the picture as its EXIF tag says. (Pillow, and so the original release, does not.)
    /// - Throws: `MediaError`.
    public static func read(
        _ source: MediaSource, alpha: AlphaPolicy = .white, applyOrientation: Bool = true, limits: MediaLimits = .init()
    ) throws(MediaError) -> RGBImage {
        let description = source.description
        let open = try OpenSource(source, limits: limits, seeking: false)
        let bytes = try open.readAll(limit: limits.pictureBytes, source: description)
        return try decode(bytes, source: description, alpha: alpha, applyOrientation: applyOrientation, limits: limits)
    }

    static func decode(
        _ bytes: [UInt8], source description: String, alpha: AlphaPolicy, applyOrientation: Bool = true, limits: MediaLimits
    ) throws(MediaError) -> RGBImage {
        guard !bytes.isEmpty else { throw .empty(source: description) }
        guard let format = PictureFormat(bytes) else {
            throw .unsupported(
                source: description, reason: "its content is no picture format known here; give a PNG, JPEG, WebP or GIF file")
        }
        let header = PictureHeader(bytes, format: format)
        if let width = header.width, let height = header.height {
            guard width > 0, height > 0 else { throw .corrupt(source: description, reason: "its size is \(width) x \(height)") }
            try limits.check(width: width, height: height, source: description)
        }
        let image =
            if format == .webp, let frame = WebPFrame(firstOf: bytes) {
                try onCanvas(decode(frame.file, format, alpha, limits, description), frame, header)
            } else {
                try decode(format == .png ? PNGChunks.withoutText(bytes) : bytes, format, alpha, limits, description)
            }
        return applyOrientation ? image.oriented(header.orientation) : image
    }

    private static func decode(
        _ bytes: [UInt8], _ format: PictureFormat, _ alpha: AlphaPolicy, _ limits: MediaLimits, _ source: String
    ) throws(MediaError) -> RGBImage {
        let still = try checked(source, "picture") { status in
            cff_still_decode(bytes, bytes.count, format.rawValue, Int64(limits.pixels), &status)
        }
        guard let still else { throw .corrupt(source: source, reason: "it does not decode") }
        defer { cff_still_close(still) }
        let width = Int(cff_still_width(still)), height = Int(cff_still_height(still))
        try limits.check(width: width, height: height, source: source)
        return try RGBImage(width: width, height: height) { (pixels) throws(MediaError) in
            _ = try checked(source, "picture") { cff_still_rgb(still, alpha == .white, pixels.baseAddress, &$0) }
        }
    }

    /// A frame that covers only a part of its animation, on white.
    private static func onCanvas(_ image: RGBImage, _ frame: WebPFrame, _ header: PictureHeader) -> RGBImage {
        let width = header.width ?? image.width, height = header.height ?? image.height
        guard width != image.width || height != image.height else { return image }
        var pixels = [UInt8](repeating: 255, count: width * height * 3)
        let columns = max(0, min(image.width, width - frame.x))
        for row in 0..<max(0, min(image.height, height - frame.y)) {
            let from = row * image.width * 3, to = ((row + frame.y) * width + frame.x) * 3
            pixels.replaceSubrange(to..<(to + columns * 3), with: image.pixels[from..<(from + columns * 3)])
        }
        return RGBImage(uncheckedWidth: width, height: height, pixels: pixels)
    }
}
