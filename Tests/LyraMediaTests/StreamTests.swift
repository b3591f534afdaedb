// Media from pipes and standard input.
import Foundation
import LyraMedia
import Testing

@Suite(.serialized)
struct StreamTests {
    /// A named pipe that a thread fills.
    private func pipe(_ content: [UInt8], in folder: TemporaryFolder, pieces: Int = 1000) -> String {
        let path = folder.path("pipe-\(UUID().uuidString)")
        mkfifo(path, 0o600)
        Thread.detachNewThread {
            let descriptor = open(path, O_WRONLY)
            var rest = content[...]
            while !rest.isEmpty {
                let piece = Array(rest.prefix(pieces))
                guard write(descriptor, piece, piece.count) == piece.count else { break }
                rest = rest.dropFirst(piece.count)
            }
            close(descriptor)
        }
        return path
    }

    @Test(arguments: [AudioFormat.wav, .flac, .mp3, .opus])
    func soundFromPipe(format: AudioFormat) throws {
        signal(SIGPIPE, SIG_IGN)
        let folder = try TemporaryFolder()
        let path = folder.path("a.\(format.fileExtension)")
        try AudioFile.write(sine(500, rate: 16_000, seconds: 3), sampleRate: 16_000, to: path)
        let fromFile = try AudioReader.readAll(.file(path))
        let reader = try AudioReader(.file(pipe(try readBytes(path), in: folder)))
        var samples: [Float] = []
        while case let chunk = try reader.read(maximumCount: 5000), !chunk.isEmpty { samples += chunk }
        // Streams do not show where they end, so that padding may stay.
        #expect(abs(samples.count - fromFile.count) < 2000)
        #expect(samples.prefix(40_000) == fromFile.prefix(40_000))
        #expect(reader.warning == nil)
    }

    @Test func soundFromStandardInput() throws {
        let folder = try TemporaryFolder()
        let path = pipe(wav(sine(500, rate: 16_000, seconds: 2)), in: folder)
        let saved = dup(STDIN_FILENO), replacement = open(path, O_RDONLY)
        dup2(replacement, STDIN_FILENO)
        close(replacement)
        defer {
            dup2(saved, STDIN_FILENO)
            close(saved)
        }
        #expect(try AudioReader.readAll(.file("-")).count == 32_000)
    }

    @Test func emptyStream() throws {
        let folder = try TemporaryFolder()
        #expect { try AudioReader(.file(pipe([], in: folder))) } throws: { error in
            if case MediaError.empty = error { true } else { false }
        }
    }

    @Test(.enabled(if: Shared.hasData, Shared.missing), arguments: ["movement.mp4", "movement.mov", "av1_video.mkv"])
    func videoFromPipe(name: String) throws {
        let folder = try TemporaryFolder(), path = Shared.path("data/video/\(name)")
        let streamed = try VideoReader(.file(pipe(try readBytes(path), in: folder, pieces: 60_000)))
        let direct = try VideoReader(.file(path))
        #expect(streamed.info == direct.info)
        #expect(try streamed.frames(at: [3, 90]) == direct.frames(at: [3, 90]))
    }

    @Test(.enabled(if: Shared.hasData, Shared.missing))
    func soundOfVideoFromPipe() throws {
        // Its table of contents lies at the end.
        let folder = try TemporaryFolder(), path = Shared.path("data/video/movement.mov")
        let streamed = try AudioReader.readAll(.file(pipe(try readBytes(path), in: folder, pieces: 60_000)))
        #expect(try streamed == AudioReader.readAll(.file(path)))
    }

    @Test func spoolingIsBounded() throws {
        let folder = try TemporaryFolder()
        let file = bytes(big(32, 4), text("ftypisom"), [UInt8](repeating: 0, count: 3 << 20))
        var limits = MediaLimits()
        limits.spooledBytes = 1 << 20
        #expect { try VideoReader(.file(pipe(file, in: folder, pieces: 60_000)), limits: limits) } throws: { error in
            if case MediaError.tooLarge = error { true } else { false }
        }
    }

    @Test func pictureFromPipe() throws {
        let folder = try TemporaryFolder()
        let image = try RGBImage(width: 300, height: 200, pixels: (0..<180_000).map { UInt8(truncatingIfNeeded: $0 * 7) })
        #expect(try ImageReader.read(.file(pipe(try image.pngData(), in: folder))) == image)
    }
}
