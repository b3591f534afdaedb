// Video: frame numbers, counts, rotation, animations.
import Foundation
import LyraMedia
import Testing

struct VideoReaderTests {
    /// A raw video whose frame i is grey of luma 16 + 2 i.
    private func rawVideo(frames: Int, width: Int = 16, height: Int = 8) -> [UInt8] {
        var file = text("YUV4MPEG2 W\(width) H\(height) F25:1 Ip A1:1 C444\n")
        for i in 0..<frames {
            let luma = UInt8(16 + 2 * (i % 100))
            file += text("FRAME\n")
            file += [UInt8](repeating: luma, count: width * height)
            file += [UInt8](repeating: 128, count: 2 * width * height)
        }
        return file
    }

    private func number(_ frame: RGBImage) -> Int {
        Int((Double(frame.pixels[0]) * 219 / 255 / 2).rounded())
    }

    @Test func frameNumbers() throws {
        let video = try VideoReader(.bytes(rawVideo(frames: 100)))
        #expect(video.info.frameCount == 100 && video.info.width == 16 && video.info.height == 8)
        #expect(video.info.frameRate == 25 && abs(video.info.duration - 4) < 1e-9 && !video.info.hasAudio)
        #expect(try video.frames(at: [0, 1, 50, 99]).map(number) == [0, 1, 50, 99])
        #expect(try video.frames(at: [7, 7, 98]).map(number) == [7, 7, 98])  // back again
        #expect(try video.frames(at: []).isEmpty)
        #expect(try video.frames(at: [3, 60]) { $0.resized(width: 2, height: 2).width } == [2, 2])
        for bad in [[-1], [100], [5, 4]] { #expect(throws: MediaError.self) { try video.frames(at: bad) } }
    }

    @Test func cutShort() throws {
        let whole = rawVideo(frames: 50)
        let video = try VideoReader(.bytes(Array(whole.prefix(whole.count * 3 / 4 + 100))))
        let frames = try video.frames(at: [0, video.info.frameCount - 1])
        #expect((37...38).contains(video.info.frameCount) && (36...37).contains(number(frames[1])))
    }

    /// The table of contents promises more than there is.
    @Test(.enabled(if: Shared.hasData, Shared.missing))
    func tableWithoutFrames() throws {
        let file = try readBytes(Shared.path("data/video/Trump.mp4"))
        let short = try VideoReader(.bytes(Array(file.prefix(file.count / 10))))
        #expect(short.info.frameCount == 583)
        let frames = try short.frames(at: [0, 500, 582])
        #expect(frames[1] == frames[2] && frames[1] != frames[0])
        #expect(short.warning?.contains("of 583 frames") == true)
        #expect(try short.frames(at: [0, 582]) == [frames[0], frames[1]])
    }

    static let files: [(name: String, width: Int, height: Int, frames: Int, rate: Double, codec: String, audio: Bool)] = [
        ("movement.mp4", 360, 480, 103, 24, "h264", true),
        ("movement.mov", 360, 480, 103, 24, "h264", true),  // stored as 480 x 360, to be turned
        ("Trump.mp4", 720, 1280, 583, 60, "av1", true),
        ("av1_video.mkv", 640, 360, 125, 25, "av1", false),
        ("h265_video.mp4", 128, 128, 10, 10, "hevc", false),
    ]

    @Test(.enabled(if: Shared.hasData, Shared.missing), arguments: files)
    func realVideo(file: (name: String, width: Int, height: Int, frames: Int, rate: Double, codec: String, audio: Bool)) throws {
        let video = try VideoReader(.file(Shared.path("data/video/" + file.name)))
        let info = video.info
        #expect(info.width == file.width && info.height == file.height)
        #expect(info.frameCount == file.frames && info.codec == file.codec && info.hasAudio == file.audio)
        #expect(abs(info.frameRate - file.rate) < 0.1)
        #expect(abs(info.duration - Double(file.frames) / file.rate) < 0.1)
        let last = file.frames - 1
        // Few frames jump from key frame to key frame; many are decoded in turn. Both must find the same ones.
        let jumped = try video.frames(at: [0, last / 2, last])
        let inTurn = try VideoReader(.file(Shared.path("data/video/" + file.name)))
            .frames(at: Array(stride(from: last / 2 % 40, through: last / 2, by: 40)))
        #expect(jumped.count == 3 && jumped[1] == inTurn.last)
        #expect(jumped.allSatisfy { $0.width == file.width && $0.height == file.height })
        #expect(try video.frames(at: [0]) == [jumped[0]])
        #expect(video.warning == nil)
    }

    /// The nine numbers a, b, u, c, d, v, x, y, w of the track's matrix that show a picture as each orientation does.
    @Test(.enabled(if: Shared.hasData, Shared.missing), arguments: [
        (1, [1, 0, 0, 1]), (2, [-1, 0, 0, 1]), (3, [-1, 0, 0, -1]), (4, [1, 0, 0, -1]),
        (5, [0, 1, 1, 0]), (6, [0, 1, -1, 0]), (7, [0, -1, -1, 0]), (8, [0, -1, 1, 0]),
    ])
    func rotation(orientation: Int, matrix: [Int]) throws {
        var file = try readBytes(Shared.path("data/video/h265_video.mp4"))
        let upright = try VideoReader(.bytes(file)).frames(at: [4])[0]
        let tag = Array("tkhd".utf8)
        let place = try #require((4..<file.count - 100).first { Array(file[$0..<$0 + 4]) == tag })
        #expect(file[place + 4] == 0)  // version: 32-bit times
        for (number, value) in zip([0, 1, 3, 4], matrix) {
            file.replaceSubrange(place + 44 + 4 * number..<place + 48 + 4 * number, with: big(value << 16, 4))
        }
        #expect(try VideoReader(.bytes(file)).frames(at: [4])[0] == upright.oriented(orientation))
    }

    @Test func stillPicture() throws {
        let image = try RGBImage(width: 5, height: 3, pixels: (0..<45).map { UInt8($0) })
        let folder = try TemporaryFolder()
        let path = try folder.write("a.png", try image.pngData())
        let video = try VideoReader(.file(path))
        #expect(video.info.frameCount == 1 && video.info.frameRate == 0)
        #expect(try video.frames(at: [0, 0]) == [image, image])
    }

    /// Two frames of two pixels: red green, then (over the second pixel only) blue. LZW by hand: clear, codes, end.
    @Test func animatedGIF() throws {
        let palette: [UInt8] = [255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 9, 9]
        func frame(left: Int, width: Int, data: [UInt8]) -> [UInt8] {
            bytes(
                [0x21, 0xF9, 4, 4, 10, 0, 0, 0, 0x2C], little(left, 2), little(0, 2), little(width, 2), little(1, 2), [0, 2],
                [UInt8(data.count)], data, [0])
        }
        // Three bits a code, lowest first: 4 0 1 5 and 4 2 5.
        let gif = bytes(
            text("GIF89a"), little(2, 2), little(1, 2), [0x91, 0, 0], palette,
            frame(left: 0, width: 2, data: [0b01_000_100, 0b0000_1010]), frame(left: 1, width: 1, data: [0b01_010_100, 0b1]),
            [0x3B])
        #expect(try ImageReader.read(.bytes(gif)).pixels == [255, 0, 0, 0, 255, 0])
        let video = try VideoReader(.bytes(gif))
        #expect(video.info.frameCount == 2)
        #expect(try video.frames(at: [0, 1]).map(\.pixels) == [[255, 0, 0, 0, 255, 0], [255, 0, 0, 0, 0, 255]])
    }
}
