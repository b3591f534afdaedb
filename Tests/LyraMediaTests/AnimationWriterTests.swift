// Animated PNG files: read back as videos, frame by frame.
import Foundation
import LyraMedia
import Testing

struct AnimationWriterTests {
    private func frame(_ index: Int, width: Int = 40, height: Int = 30) throws -> RGBImage {
        var pixels: [UInt8] = []
        for i in 0..<(width * height) { pixels += [UInt8(i % 251), UInt8(index * 20), UInt8((i * 7 + index) % 256)] }
        return try RGBImage(width: width, height: height, pixels: pixels)
    }

    @Test func readsBackExactly() throws {
        let frames = try (0..<9).map { try frame($0) }
        let bytes = try AnimationWriter.apngData(frames, framesPerSecond: 4)
        let reader = try VideoReader(.bytes(bytes))
        #expect(reader.info.frameCount == 9)
        #expect(abs(reader.info.frameRate - 4) < 1e-6)
        #expect(try reader.frames(at: Array(0..<9)) == frames)
        #expect(reader.warning == nil)
        // To whom animation means nothing, it is the first picture.
        #expect(try ImageReader.read(.bytes(bytes)) == frames[0])
    }

    @Test func refusesWhatIsNoAnimation() throws {
        #expect(throws: MediaError.self) { try AnimationWriter.apngData([], framesPerSecond: 4) }
        let mixed = try [frame(0), frame(1, width: 41)]
        #expect(throws: MediaError.self) { try AnimationWriter.apngData(mixed, framesPerSecond: 4) }
        let one = try [frame(0)]
        #expect(throws: MediaError.self) { try AnimationWriter.apngData(one, framesPerSecond: 0) }
    }
}
