// Picture files -> RGB pixels.
import CFFmpeg

/// What becomes of transparency.
public enum AlphaPolicy: Sendable {
    /// Transparent parts show white, as on a page.
    case white
    /// Colours as stored, whatever shows through: what Pillow's `convert("RGB")`, and so the original release, does.
    case drop
}

/// Reads PNG, JPEG, WebP, GIF, AVIF, BMP, TIFF, PNM, QOI and JPEG 2000 (as far as this FFmpeg has decoders for them).
/// Of an animation the first frame. Of 16 bits the upper 8. Colour profiles are not applied.
public enum ImageReader {
    /// Decodes a picture.
    /// - Parameters:
    ///   - alpha: what transparent parts become.
    ///   - applyOrientation: turn the picture as its EXIF tag says. (Pillow, and so the original release, does not.)
    /// - Throws: `MediaError`.
    public static func read(
        _ source: MediaSource, alpha: AlphaPolicy = .white, applyOrientation: Bool = true, limits: MediaLimits = .init()
    ) throws(MediaError) -> RGBImage {
        try readReporting(source, alpha: alpha, applyOrientation: applyOrientation, limits: limits).image
    }

    /// Decodes a picture and tells of damage: a file cut short gives what is there, and a warning in words.
    /// - Throws: `MediaError` when nothing can be decoded.
    public static func readReporting(
        _ source: MediaSource, alpha: AlphaPolicy = .white, applyOrientation: Bool = true, limits: MediaLimits = .init()
    ) throws(MediaError) -> (image: RGBImage, warning: String?) {
        let open = try OpenSource(source, limits: limits, seeking: false)
        let bytes = try open.readAll(limit: limits.pictureBytes, source: source.description)
        let decoder = PictureDecoder(source: source.description, alpha: alpha, limits: limits)
        return try decoder.decode(bytes, applyOrientation: applyOrientation)
    }

    /// The size that ``read(_:alpha:applyOrientation:limits:)`` would give, from the file's header where that tells it.
    /// - Throws: `MediaError`.
    public static func size(of source: MediaSource, limits: MediaLimits = .init()) throws(MediaError) -> (width: Int, height: Int) {
        if let bytes = source.beginning(1 << 16), let size = try headerSize(bytes, source, limits) { return size }
        let image = try read(source, limits: limits)
        return (image.width, image.height)
    }

    private static func headerSize(
        _ bytes: [UInt8], _ source: MediaSource, _ limits: MediaLimits
    ) throws(MediaError) -> (width: Int, height: Int)? {
        guard let format = PictureFormat(bytes), format != .tiff else { return nil }
        let header = PictureHeader(bytes, format: format)
        guard let width = header.width, let height = header.height, width > 0, height > 0 else { return nil }
        try limits.check(width: width, height: height, source: source.description)
        return header.orientation >= 5 ? (height, width) : (width, height)
    }
}

/// Decodes the bytes of a picture file.
struct PictureDecoder {
    let source: String
    let alpha: AlphaPolicy
    let limits: MediaLimits

    func decode(_ bytes: [UInt8], applyOrientation: Bool = true) throws(MediaError) -> (image: RGBImage, warning: String?) {
        guard !bytes.isEmpty else { throw .empty(source: source) }
        if isAVIF(bytes) {  // in the container of MP4
            let reader = try VideoReader(.bytes(bytes), alpha: alpha, limits: limits)
            if let frame = try reader.frames(at: [0]).first { return (frame, reader.warning) }
        }
        guard let format = PictureFormat(bytes) else {
            throw .unsupported(
                source: source, reason: "its content is no picture format known here; give a PNG, JPEG, WebP or GIF file")
        }
        let header = PictureHeader(bytes, format: format)
        if let width = header.width, let height = header.height {
            guard width > 0, height > 0 else { throw .corrupt(source: source, reason: "its size is \(width) x \(height)") }
            try limits.check(width: width, height: height, source: source)
        }
        let (stored, warning) =
            if format == .webp, let frame = WebPFrame(firstOf: bytes) {
                try onCanvas(frame, header)
            } else {
                try decode(format == .png ? PNGChunks.withoutText(bytes) : bytes, as: format)
            }
        return (applyOrientation ? stored.oriented(header.orientation) : stored, warning)
    }

    private func isAVIF(_ bytes: [UInt8]) -> Bool {
        let view = ByteView(bytes[...])
        return view.tag(4) == "ftyp" && ["avif", "avis"].contains(view.tag(8))
    }

    private func decode(_ bytes: [UInt8], as format: PictureFormat) throws(MediaError) -> (RGBImage, String?) {
        let still = try checked(source, "picture") { status in
            cff_still_decode(bytes, bytes.count, format.rawValue, Int64(limits.pixels), &status)
        }
        guard let still else { throw .corrupt(source: source, reason: "it does not decode") }
        defer { cff_still_close(still) }
        let width = Int(cff_still_width(still)), height = Int(cff_still_height(still))
        try limits.check(width: width, height: height, source: source)
        let image = try RGBImage(width: width, height: height) { (pixels) throws(MediaError) in
            _ = try checked(source, "picture") { cff_still_rgb(still, alpha == .white, pixels.baseAddress, &$0) }
        }
        return (image, cff_still_damaged(still) ? "the picture is damaged or cut short; a part of it may be missing" : nil)
    }

    /// A frame that covers only a part of its animation, on white.
    private func onCanvas(_ frame: WebPFrame, _ header: PictureHeader) throws(MediaError) -> (RGBImage, String?) {
        let (image, warning) = try decode(frame.file, as: .webp)
        let width = header.width ?? image.width, height = header.height ?? image.height
        guard width != image.width || height != image.height else { return (image, warning) }
        var pixels = [UInt8](repeating: 255, count: width * height * 3)
        let columns = max(0, min(image.width, width - frame.x))
        for row in 0..<max(0, min(image.height, height - frame.y)) {
            let from = row * image.width * 3, to = ((row + frame.y) * width + frame.x) * 3
            pixels.replaceSubrange(to..<(to + columns * 3), with: image.pixels[from..<(from + columns * 3)])
        }
        return (RGBImage(uncheckedWidth: width, height: height, pixels: pixels), warning)
    }
}
