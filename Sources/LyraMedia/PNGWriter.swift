// Pictures -> PNG.
import CFFmpeg

extension RGBImage {
    /// The bytes of a PNG file of this picture.
    /// - Throws: `MediaError`.
    public func pngData() throws(MediaError) -> [UInt8] {
        var bytes: UnsafeMutablePointer<UInt8>?
        var count = 0
        _ = try checked("the picture", "picture") { status in
            pixels.withUnsafeBufferPointer {
                cff_png_encode($0.baseAddress, Int32(width), Int32(height), &bytes, &count, &status)
            }
        }
        defer { cff_free(bytes) }
        return Array(UnsafeBufferPointer(start: bytes, count: count))
    }

    /// Writes the picture as a PNG file, complete or not at all.
    /// - Throws: `MediaError`.
    public func write(png path: String) throws(MediaError) {
        let bytes = try pngData()
        let file = try AtomicFile(path)
        try file.write(bytes)
        try file.commit()
    }
}
