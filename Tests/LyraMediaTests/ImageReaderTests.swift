// Pictures: exact pixels of every kind of PNG, transparency, EXIF orientation, JPEG colours, damage.
import LyraMedia
import Testing

struct ImageReaderTests {
    private func read(_ bytes: [UInt8], alpha: AlphaPolicy = .white) throws -> RGBImage {
        try ImageReader.read(.bytes(bytes), alpha: alpha)
    }

    @Test func rgbIsExact() throws {
        let rows = (0..<5).map { y in (0..<21).map { UInt8(truncatingIfNeeded: y * 50 + $0 * 12) } }
        let image = try read(TestPNG.file(width: 7, height: 5, colour: 2, depth: 8, rows: rows))
        #expect(image.width == 7 && image.height == 5)
        #expect(image.pixels == rows.flatMap { $0 })
    }

    @Test func sixteenBits() throws {
        let rows: [[UInt8]] = [[255, 255, 128, 127, 0, 255], [1, 0, 2, 1, 3, 2]]
        let colour = try read(TestPNG.file(width: 1, height: 2, colour: 2, depth: 16, rows: rows))
        #expect(colour.pixels == [255, 128, 0, 1, 2, 3])
        let grey = try read(TestPNG.file(width: 3, height: 1, colour: 0, depth: 16, rows: [[0, 200, 77, 3, 255, 255]]))
        #expect(grey.pixels == [0, 0, 0, 77, 77, 77, 255, 255, 255])
        let alpha = try read(TestPNG.file(width: 1, height: 1, colour: 6, depth: 16, rows: [[10, 0, 20, 0, 30, 0, 0, 0]]))
        #expect(alpha.pixels == [255, 255, 255])
    }

    @Test func grey() throws {
        #expect(try read(TestPNG.file(width: 3, height: 1, colour: 0, depth: 8, rows: [[9, 99, 199]])).pixels
            == [9, 9, 9, 99, 99, 99, 199, 199, 199])
        // 1 bit: 1 0 1; 2 bits: 0 1 2 3; 4 bits: 5, 15
        #expect(try read(TestPNG.file(width: 3, height: 1, colour: 0, depth: 1, rows: [[0b1010_0000]])).pixels
            == [255, 255, 255, 0, 0, 0, 255, 255, 255])
        #expect(try read(TestPNG.file(width: 4, height: 1, colour: 0, depth: 2, rows: [[0b00_01_10_11]])).pixels.enumerated()
            .filter { $0.offset % 3 == 0 }.map(\.element) == [0, 85, 170, 255])
        #expect(try read(TestPNG.file(width: 2, height: 1, colour: 0, depth: 4, rows: [[0x5F]])).pixels
            == [85, 85, 85, 255, 255, 255])
    }

    @Test func palette() throws {
        let palette: [UInt8] = [10, 20, 30, 200, 100, 50, 0, 0, 255, 7, 8, 9]
        let chunks = [("PLTE", palette), ("tRNS", [255, 128, 0])]
        let file = TestPNG.file(width: 4, height: 1, colour: 3, depth: 2, rows: [[0b00_01_10_11]], chunks: chunks)
        #expect(try read(file, alpha: .drop).pixels == palette)
        #expect(try read(file).pixels == [10, 20, 30, 227, 177, 152, 255, 255, 255, 7, 8, 9])
    }

    @Test func alpha() throws {
        let file = TestPNG.file(width: 3, height: 1, colour: 6, depth: 8, rows: [[10, 20, 30, 255, 100, 0, 200, 51, 1, 2, 3, 0]])
        #expect(try read(file, alpha: .drop).pixels == [10, 20, 30, 100, 0, 200, 1, 2, 3])
        #expect(try read(file, alpha: .white).pixels == [10, 20, 30, 224, 204, 244, 255, 255, 255])
        let grey = TestPNG.file(width: 2, height: 1, colour: 4, depth: 8, rows: [[40, 255, 40, 0]])
        #expect(try read(grey).pixels == [40, 40, 40, 255, 255, 255])
        #expect(try read(grey, alpha: .drop).pixels == [40, 40, 40, 40, 40, 40])
    }

    @Test func pngRoundTrip() throws {
        var pixels: [UInt8] = []
        for i in 0..<(123 * 45 * 3) { pixels.append(UInt8(truncatingIfNeeded: i * i / 7 + i)) }
        let image = try RGBImage(width: 123, height: 45, pixels: pixels)
        #expect(try read(image.pngData()) == image)
        let folder = try TemporaryFolder()
        try image.write(png: folder.path("a.png"))
        try image.write(png: folder.path("a.png"))
        #expect(try ImageReader.read(.file(folder.path("a.png"))) == image)
        #expect(folder.names == ["a.png"])
        #expect(throws: MediaError.self) { try image.write(png: folder.path("none/a.png")) }
    }

    /// Stored blocks 1 2 3 / 4 5 6, and how they are to be seen for each orientation.
    static let orientations: [(Int, [[Int]])] = [
        (1, [[1, 2, 3], [4, 5, 6]]), (2, [[3, 2, 1], [6, 5, 4]]), (3, [[6, 5, 4], [3, 2, 1]]), (4, [[4, 5, 6], [1, 2, 3]]),
        (5, [[1, 4], [2, 5], [3, 6]]), (6, [[4, 1], [5, 2], [6, 3]]), (7, [[6, 3], [5, 2], [4, 1]]), (8, [[3, 6], [2, 5], [1, 4]]),
        (0, [[1, 2, 3], [4, 5, 6]]), (9, [[1, 2, 3], [4, 5, 6]]),
    ]

    @Test(arguments: orientations, [false, true])
    func orientation(of test: (Int, [[Int]]), bigEndian: Bool) throws {
        let stored = [[1, 2, 3], [4, 5, 6]].map { $0.map { $0 * 40 } }
        let file = TestJPEG.grey(stored, app1: TestJPEG.exif(test.0, bigEndian: bigEndian))
        let image = try read(file)
        #expect(image.width == test.1[0].count * 8 && image.height == test.1.count * 8)
        let seen = (0..<image.height / 8).map { y in
            (0..<image.width / 8).map { x in Int(image.pixels[((y * 8 + 3) * image.width + x * 8 + 5) * 3]) / 40 }
        }
        #expect(seen == test.1)
        #expect(try ImageReader.read(.bytes(file), applyOrientation: false).width == 24)
        let png = TestPNG.file(
            width: 3, height: 2, colour: 0, depth: 8, rows: [[1, 2, 3], [4, 5, 6]],
            chunks: [("eXIf", Array(TestJPEG.exif(test.0, bigEndian: bigEndian).dropFirst(6)))])
        #expect(try read(png).pixels.enumerated().filter { $0.offset % 3 == 0 }.map { Int($0.element) } == test.1.flatMap { $0 })
    }

    @Test func damagedExifIsIgnored() throws {
        let exif = TestJPEG.exif(6, bigEndian: false)
        for length in [0, 5, 8, 13, 17, 30] {
            #expect(try read(TestJPEG.grey([[10, 20]], app1: Array(exif.prefix(length)))).height == 8)
        }
    }

    /// 4:2:0 with steps in chroma: the checksum of what Pillow (the IJG decoder) makes of the same file.
    @Test func jpegColoursAreTheReferenceDecoders() throws {
        var state = 12345
        func random() -> Int {
            state = (state * 1_103_515_245 + 12345) & 0x7FFF_FFFF
            return state >> 16 & 255
        }
        let units = (0..<3).map { _ in (0..<4).map { _ in (luma: (0..<4).map { _ in random() }, cb: random(), cr: random()) } }
        let file = TestJPEG.colour(units, width: 61, height: 43)
        let image = try read(file)
        #expect(image.width == 61 && image.height == 43)
        #expect(checksum(image.pixels) == 0xe2af_5eae_d0fa_71e8)
    }

    @Test func truncated() throws {
        var pixels: [UInt8] = []
        for i in 0..<(64 * 64 * 3) { pixels.append(UInt8(truncatingIfNeeded: i * 31)) }
        let png = try RGBImage(width: 64, height: 64, pixels: pixels).pngData()
        #expect { try ImageReader.read(.bytes(Array(png.prefix(png.count / 2)))) } throws: { error in
            if case MediaError.corrupt = error { true } else { false }
        }
        let jpeg = TestJPEG.grey((0..<8).map { y in (0..<8).map { x in (x * 31 + y * 17) % 256 } })
        let (part, warning) = try ImageReader.readReporting(.bytes(Array(jpeg.prefix(jpeg.count - 60))))
        #expect(part.width == 64 && warning != nil)
        #expect(try ImageReader.readReporting(.bytes(jpeg)).warning == nil)
    }

    @Test(.enabled(if: Shared.hasData, Shared.missing), arguments: [
        ("lyra-examples/Chinese_painting.jpg", 431, 512), ("lyra-examples/extreme_ironing.jpg", 570, 380),
        ("photos/Hospital_Small.jpg", 480, 270), ("photos/Menu.jpeg", 400, 518),
        ("photos/Shanghai_Small.jpeg", 530, 354), ("photos/demo.jpeg", 2048, 1365),
    ])
    func realPicture(path: String, width: Int, height: Int) throws {
        let (image, warning) = try ImageReader.readReporting(.file(Shared.path("data/images/" + path)))
        #expect(image.width == width && image.height == height && warning == nil)
        let mean = image.pixels.reduce(0) { $0 + Int($1) } / image.pixels.count
        #expect((40...230).contains(mean))
    }
}
