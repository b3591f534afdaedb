// A picture in memory.

/// Pixels of 8-bit red, green, blue.
public struct RGBImage: Sendable, Equatable {
    public let width: Int
    public let height: Int
    /// Rows from the top, each `width` times R, G, B.  // [height, width, 3]
    public let pixels: [UInt8]

    /// - Throws: `MediaError.invalidArgument` if the sizes do not fit together.
    public init(width: Int, height: Int, pixels: [UInt8]) throws(MediaError) {
        guard width > 0, height > 0, pixels.count == width * height * 3 else {
            throw .invalidArgument("\(pixels.count) bytes are not the R, G, B of \(width) x \(height) pixels.")
        }
        self.init(uncheckedWidth: width, height: height, pixels: pixels)
    }

    init(uncheckedWidth width: Int, height: Int, pixels: [UInt8]) {
        self.width = width
        self.height = height
        self.pixels = pixels
    }

    /// A picture whose pixels `fill` writes.
    init<Failure: Error>(
        width: Int, height: Int, fill: (UnsafeMutableBufferPointer<UInt8>) throws(Failure) -> Void
    ) throws(Failure) {
        var failure: Failure?
        let pixels = [UInt8](unsafeUninitializedCapacity: width * height * 3) { buffer, count in
            do throws(Failure) {
                try fill(UnsafeMutableBufferPointer(rebasing: buffer[..<(width * height * 3)]))
                count = width * height * 3
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        self.init(uncheckedWidth: width, height: height, pixels: pixels)
    }

    /// The picture as it is to be seen if it was stored with an EXIF orientation (1 to 8; others change nothing).
    public func oriented(_ orientation: Int) -> RGBImage {
        guard (2...8).contains(orientation) else { return self }
        let swaps = orientation >= 5
        let flipsX = [2, 3, 7, 8].contains(orientation), flipsY = [3, 4, 6, 7].contains(orientation)
        // The stored pixel (x, y) of a shown pixel (u, v): swap if needed, then count from the other end.
        return RGBImage(width: swaps ? height : width, height: swaps ? width : height) { out in
            pixels.withUnsafeBufferPointer { stored in
                var target = 0
                for v in 0..<(swaps ? width : height) {
                    for u in 0..<(swaps ? height : width) {
                        let (a, b) = swaps ? (v, u) : (u, v)
                        let x = flipsX ? width - 1 - a : a, y = flipsY ? height - 1 - b : b
                        let from = (y * width + x) * 3
                        out[target] = stored[from]
                        out[target + 1] = stored[from + 1]
                        out[target + 2] = stored[from + 2]
                        target += 3
                    }
                }
            }
        }
    }
}
