// Files that lie, are damaged, or want to reach further: clear errors, no crash, no hang, no huge allocation.
import Foundation
import LyraMedia
import Testing

struct HostileTests {
    /// Whatever opening and reading in all three ways gives, it must end.
    private func tryEverything(_ file: [UInt8]) -> (audio: MediaError?, image: MediaError?, video: MediaError?) {
        func failure(_ body: () throws -> Void) -> MediaError? {
            do { try body() } catch let error as MediaError { return error } catch { Issue.record("\(error)") }
            return nil
        }
        return (
            failure { _ = try AudioReader.readAll(.bytes(file)) },
            failure { _ = try ImageReader.read(.bytes(file)) },
            failure {
                let video = try VideoReader(.bytes(file))
                _ = try video.frames(at: [0, video.info.frameCount - 1])
            }
        )
    }

    @Test func nothingThere() throws {
        let folder = try TemporaryFolder(), empty = try folder.write("empty.wav", [])
        for source in [MediaSource.file(empty), .bytes([])] {
            #expect { try AudioReader(source) } throws: { if case MediaError.empty = $0 { true } else { false } }
            #expect { try ImageReader.read(source) } throws: { if case MediaError.empty = $0 { true } else { false } }
            #expect { try VideoReader(source) } throws: { if case MediaError.empty = $0 { true } else { false } }
        }
        let absent = MediaSource.file(folder.path("absent.wav"))
        #expect(throws: MediaError.notFound(path: folder.path("absent.wav"))) { try AudioReader(absent) }
        #expect { try AudioReader(.file(folder.url.path)) } throws: {
            if case MediaError.notReadable = $0 { true } else { false }
        }
        let message = MediaError.notFound(path: "a.wav").localizedDescription
        #expect(message.contains("a.wav") && message.contains("Check"))
    }

    @Test func lyingWAV() throws {
        let tone = sine(440, rate: 16_000, seconds: 1)
        let huge = try AudioReader(.bytes(wav(tone, claimedBytes: 0x7FFF_FFFF)))
        #expect(try huge.read(maximumCount: 100_000).count == 16_000)
        #expect(try #require(huge.estimatedDuration) < 1.1)
        #expect(try AudioReader.readAll(.bytes(wav(tone, claimedBytes: 320_000))).count == 16_000)
        for file in [
            wav(tone, claimedChannels: 0), wav(tone, claimedRate: 0), wav(tone, claimedRate: 1_000_000_000),
            wav(tone, claimedChannels: 65_535), wav(tone, claimedRate: 1),
        ] {
            #expect(throws: MediaError.self) { try AudioReader.readAll(.bytes(file)) }
        }
        #expect(try AudioReader.readAll(.bytes(wav([]))).isEmpty)
        #expect(try AudioReader.readAll(.bytes(wav(tone) + [1])).count == 16_000)
    }

    @Test func aWAVFileThatWasCutShort() throws {
        let folder = try TemporaryFolder()
        let tone = sine(300, rate: 16_000, seconds: 2)
        for whole in [wav(tone), wav(tone, claimedBytes: 0), wav(tone, claimedBytes: 0xFFFF_FFFF)] {
            let reader = try AudioReader(.file(folder.write("whole.wav", whole)))
            #expect(try reader.read(maximumCount: 100_000).count == 32_000)
            #expect(reader.warning == nil)
        }
        let cut = try AudioReader(.file(folder.write("cut.wav", Array(wav(tone).prefix(32_044)))))
        #expect(try cut.read(maximumCount: 100_000).count == 16_000)
        #expect(cut.warning == "the file ends after 1.0 s of 2.0 s")
    }

    @Test func earlyEndIsTold() throws {
        // Sun's AU: offset, size, 16-bit, rate, channels.
        func au(claimed: Int) -> [UInt8] {
            let samples = [UInt8](repeating: 1, count: 32_000)
            return bytes(text(".snd"), big(24, 4), big(claimed, 4), big(3, 4), big(16_000, 4), big(1, 4), samples)
        }
        let short = try AudioReader(.bytes(au(claimed: 320_000)))
        #expect(try #require(short.estimatedDuration) < 1.1)
        #expect(try short.read(maximumCount: 100_000).count == 16_000)
        #expect(short.warning?.contains("ends after 1.0 s of 10.0 s") == true)
        let unknown = try AudioReader(.bytes(au(claimed: 0xFFFF_FFFF)))
        #expect(try unknown.read(maximumCount: 100_000).count == 16_000)
        #expect(unknown.warning == nil)
    }

    @Test func randomBytes() {
        var random = SystemRandomNumberGenerator()
        for size in [1, 2, 3, 4, 7, 8, 12, 16, 63, 64, 1000, 70_000] {
            let noise = (0..<size).map { _ in UInt8.random(in: 0...255, using: &random) }
            let errors = tryEverything(noise)
            #expect(errors.image != nil && errors.video != nil)
        }
    }

    @Test func plainText() {
        let line = "Call me Ishmael. Some years ago, never mind how long precisely.\n"
        let errors = tryEverything(text(String(repeating: line, count: 500)))
        for error in [errors.audio, errors.image, errors.video] {
            guard case .unsupported = error else { Issue.record("\(String(describing: error))"); continue }
        }
    }

    @Test func truncatedAndMutilated() throws {
        let picture = try RGBImage(width: 40, height: 30, pixels: (0..<3600).map { UInt8(truncatingIfNeeded: $0 * 77) })
        let folder = try TemporaryFolder()
        var files = [try picture.pngData(), TestJPEG.grey([[1, 200, 90], [20, 30, 255]]), wav(sine(100, rate: 8000, seconds: 1))]
        for format in [AudioFormat.flac, .mp3, .opus] {
            let path = folder.path("a.\(format.fileExtension)")
            try AudioFile.write(sine(300, rate: 16_000, seconds: 2), sampleRate: 16_000, to: path)
            files.append(try readBytes(path))
        }
        if Shared.hasData {
            files.append(try readBytes(Shared.path("data/video/h265_video.mp4")))
            files.append(try readBytes(Shared.path("data/video/av1_video.mkv")))
        }
        var random = SystemRandomNumberGenerator()
        for file in files {
            for cut in [0.02, 0.1, 0.5, 0.9, 0.99] { _ = tryEverything(Array(file.prefix(Int(Double(file.count) * cut)))) }
            for _ in 0..<12 {
                var damaged = file
                for _ in 0..<10 {
                    damaged[Int.random(in: 0..<min(file.count, 3000), using: &random)] = .random(in: 0...255, using: &random)
                }
                _ = tryEverything(damaged)
            }
        }
    }

    @Test(.enabled(if: Shared.hasData, Shared.missing))
    func truncatedVideo() throws {
        // Table of contents at the end: nothing to go by.
        let late = try readBytes(Shared.path("data/video/movement.mov"))
        #expect(throws: MediaError.self) { try VideoReader(.bytes(Array(late.prefix(late.count / 2)))) }
        // Matroska can be read as far as it goes.
        let early = try readBytes(Shared.path("data/video/av1_video.mkv"))
        let part = try VideoReader(.bytes(Array(early.prefix(early.count / 2))))
        #expect((5...124).contains(part.info.frameCount))
        #expect(try part.frames(at: [part.info.frameCount - 1]).count == 1)
    }

    @Test(.enabled(if: Shared.hasData, Shared.missing))
    func damageInTheMiddleIsSkipped() throws {
        var mp3 = try readBytes(Shared.path("data/speech/harvard/harvard-sentences-list30.mp3"))
        mp3.replaceSubrange(60_000..<62_000, with: [UInt8](repeating: 0x55, count: 2000))
        let samples = try AudioReader.readAll(.bytes(mp3))
        #expect(Double(samples.count) / 16_000 > 50)
        var flac = try readBytes(Shared.path("data/speech/jfk/jfk.flac"))
        flac.replaceSubrange(600_000..<604_000, with: [UInt8](repeating: 0x55, count: 4000))
        let reader = try AudioReader(.bytes(flac))
        #expect(try reader.read(maximumCount: 1_000_000).count > 160_000)
        #expect(reader.warning != nil)
    }

    @Test func hugePictures() throws {
        func isTooLarge(_ error: any Error) -> Bool { if case MediaError.tooLarge = error { true } else { false } }
        let png = TestPNG.file(width: 100_000, height: 100_000, colour: 2, depth: 8, rows: [[0]])
        let gif = bytes(text("GIF89a"), little(65_535, 2), little(65_535, 2), [0, 0, 0, 0x3B])
        var jpeg = TestJPEG.grey([[1]])
        let size = try #require((0..<jpeg.count).first { jpeg[$0] == 0xFF && jpeg[$0 + 1] == 0xC0 })
        jpeg.replaceSubrange(size + 5..<size + 9, with: [0xFF, 0xFF, 0xFF, 0xFF])
        let bmp = bytes(
            text("BM"), little(1000, 4), little(0, 4), little(54, 4), little(40, 4), little(1 << 30, 4), little(1 << 30, 4),
            little(1, 2), little(24, 2), [UInt8](repeating: 0, count: 24))
        for file in [png, gif, jpeg, bmp] { #expect(performing: { try ImageReader.read(.bytes(file)) }, throws: isTooLarge) }
        #expect(performing: { try VideoReader(.bytes(gif)) }, throws: { $0 is MediaError })
        let y4m = text("YUV4MPEG2 W60000 H60000 F25:1 C444\nFRAME\n") + [UInt8](repeating: 0, count: 1000)
        #expect(performing: { try VideoReader(.bytes(y4m)) }, throws: { $0 is MediaError })
        var limits = MediaLimits()
        limits.pixels = 100
        let small = try RGBImage(width: 11, height: 10, pixels: [UInt8](repeating: 0, count: 330)).pngData()
        #expect(performing: { try ImageReader.read(.bytes(small), limits: limits) }, throws: isTooLarge)
    }

    /// Compressed comments of a PNG must not be inflated.
    @Test func commentsAreLeftOut() throws {
        let bomb = text("profile\0\0") + TestPNG.stored([UInt8](repeating: 0, count: 1000))
        let chunks = [("iCCP", bomb), ("zTXt", bomb)]
        let file = TestPNG.file(width: 1, height: 1, colour: 2, depth: 8, rows: [[1, 2, 3]], chunks: chunks)
        #expect(try ImageReader.read(.bytes(file)).pixels == [1, 2, 3])
    }
}
