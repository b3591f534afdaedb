// Resizing against Pillow, in checksums of its results.
import LyraMedia
import Testing

struct ResizeTests {
    static let picture: RGBImage? = {
        var pixels: [UInt8] = []
        for y in 0..<61 {
            for x in 0..<97 {
                for c in 0..<3 {
                    let value = x * 7 + y * 13 + c * 29 + x * y * 3 + x / 9 * 40
                    pixels.append(UInt8(truncatingIfNeeded: value ^ (y / 7 * 25)))
                }
            }
        }
        return try? RGBImage(width: 97, height: 61, pixels: pixels)
    }()

    /// FNV-1a of the pixels of `Image.resize((width, height), filter)`, Pillow 12.0.
    static let expected: [(width: Int, height: Int, bicubic: UInt64, nearest: UInt64)] = [
        (40, 30, 0x0de1cd9f67417ef8, 0x3090dde63f128645),
        (200, 100, 0x978964f364dd35ac, 0x818c179ffcfcd7d5),
        (97, 10, 0xcd0a06b29908c0a3, 0xdb6270891bb47b5e),
        (13, 61, 0xfcc947a2e88073b5, 0x0724196a3cbf7740),
        (1, 1, 0x2fbd371ae17f7f16, 0xbd8e8218ee35729e),
        (300, 7, 0x8c702e3ad6e23bfe, 0x1a6d0791111ef411),
        (96, 60, 0xe7dd04837106a8f0, 0x84fba7bc7f8f80b5),
    ]

    @Test(arguments: expected)
    func asPillow(size: (width: Int, height: Int, bicubic: UInt64, nearest: UInt64)) throws {
        let picture = try #require(Self.picture)
        let bicubic = picture.resized(width: size.width, height: size.height)
        #expect(bicubic.width == size.width && bicubic.height == size.height)
        #expect(checksum(bicubic.pixels) == size.bicubic)
        #expect(checksum(picture.resizedNearest(width: size.width, height: size.height).pixels) == size.nearest)
    }

    @Test func sameSizeIsTheSamePicture() throws {
        let picture = try #require(Self.picture)
        #expect(picture.resized(width: 97, height: 61) == picture)
        #expect(picture.resizedAntialiased(width: 97, height: 61) == picture)
        #expect(picture.resizedNearest(width: 97, height: 61) == picture)
    }

    @Test(arguments: [(40, 30), (200, 100), (1, 1), (5, 500)])
    func bothBicubicsAgree(width: Int, height: Int) throws {
        let picture = try #require(Self.picture)
        let fixed = picture.resized(width: width, height: height).pixels
        let floating = picture.resizedAntialiased(width: width, height: height).pixels
        // Rounding (and clipping at 0 and 255) between the passes: a few levels where the picture is wildest.
        let differences = zip(fixed, floating).map { abs(Int($0) - Int($1)) }
        #expect((differences.max() ?? 0) <= 40)
        #expect(Double(differences.reduce(0, +)) / Double(differences.count) < 2)
    }

    @Test func flatStaysFlat() throws {
        for level in [0, 1, 127, 254, 255] as [UInt8] {
            let flat = try RGBImage(width: 33, height: 21, pixels: .init(repeating: level, count: 33 * 21 * 3))
            #expect(flat.resized(width: 50, height: 8).pixels.allSatisfy { $0 == level })
            #expect(flat.resizedAntialiased(width: 50, height: 8).pixels.allSatisfy { $0 == level })
        }
    }
}
