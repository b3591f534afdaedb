// Makes the items of a shard: their lines, pictures, videos and sound.
import Foundation
import LyraMedia

struct ShardWriter {
    let plan: SynthesisPlan
    let shard: DataSet.Shard
    /// None where everything is written.
    let synthesiser: SpeechSynthesiser?
    private let folder: String

    init(_ plan: SynthesisPlan, _ shard: DataSet.Shard, _ synthesiser: SpeechSynthesiser?) {
        (self.plan, self.shard, self.synthesiser) = (plan, shard, synthesiser)
        folder = "\(plan.folder)/\(shard.split)"
    }

    /// Items whose speech is made in one go.
    private static let batch = 50
    /// Bits a second of Opus: speech is hard to tell from the original, and easy to understand, at the lower one.
    private static let bitRate = 24_000, longBitRate = 16_000

    /// - Parameter advance: told what has been done since the last call; may throw to stop.
    func write(advance: (DataSet.Summary) throws -> Void) throws {
        let media = "\(folder)/\(shard.file.name)/" + String(format: "%04d", shard.number)
        try FileManager.default.createDirectory(atPath: media, withIntermediateDirectories: true)
        var records: [Record] = [], utterances: [Utterance] = []
        var start = shard.range.lowerBound
        while start < shard.range.upperBound {
            let range = start..<min(start + Self.batch, shard.range.upperBound)
            start = range.upperBound
            var done = DataSet.Summary()
            var items = range.map { index in
                var item = Item(shard.split, shard.file, index, seed: plan.seed, format: plan.audio)
                shard.file.make(&item)
                return item
            }
            for index in items.indices { try draw(&items[index], &done) }
            if let synthesiser {
                try speak(&items, synthesiser, &done) { try advance(.init()) }
            } else {
                for index in items.indices { try items[index].writeOut() }
            }
            done.items = items.count
            records += items.flatMap(\.records)
            if !plan.isWritten { utterances += items.flatMap(\.utterances) }
            try advance(done)
        }
        try ShardFiles(plan.folder, shard.split, shard.file, shard.number).write(records, utterances)
    }

    private func speak(
        _ items: inout [Item], _ synthesiser: SpeechSynthesiser, _ done: inout DataSet.Summary, check: () throws -> Void
    ) throws {
        let spoken = items.flatMap(\.spoken)
        for ((path, _), samples) in zip(spoken, try synthesiser.speak(spoken.map(\.text))) { try write(samples, path, &done) }
        for index in items.indices {
            if let (path, recording, _) = items[index].recording {
                items[index].complete(try write(recording, path, synthesiser, &done, check: check))
            }
            if let (path, files, gap) = items[index].clips {
                let silence = [Float](repeating: 0, count: Int(gap * 16_000))
                var sound = silence, times: [ClosedRange<Double>] = []
                for file in files {
                    let start = sound.count
                    sound += try AudioReader.readAll(.file(file))
                    times.append(Double(start) / 16_000...Double(sound.count) / 16_000)
                    sound += silence
                }
                try write(sound, path, &done)
                items[index].complete(clips: times)
            }
        }
    }

    private func draw(_ item: inout Item, _ done: inout DataSet.Summary) throws {
        for (path, scene, random) in item.pictures {
            var random = random
            let canvas = try Canvas()
            scene.draw(canvas, &random)
            if item.learnsRegions { item.record.regions = canvas.regions }
            try write(try canvas.image().pngData(), path, &done)
            done.pictures += 1
        }
        for (path, scene, random) in item.videos {
            var random = random
            let frames = try scene.frames(&random).map { try $0.image() }
            try write(try AnimationWriter.apngData(frames, framesPerSecond: VideoScene.framesPerSecond), path, &done)
            done.videos += 1
        }
    }

    // Written without a temporary name: the shard counts only when it is complete.
    private func write(_ bytes: [UInt8], _ path: String, _ done: inout DataSet.Summary) throws {
        try Data(bytes).write(to: URL(fileURLWithPath: "\(folder)/\(path)"))
        done.bytes += bytes.count
    }

    private func write(_ samples: [Float], _ path: String, _ done: inout DataSet.Summary) throws {
        let file = "\(folder)/\(path)"
        try AudioFile.write(
            samples, sampleRate: 16_000, to: file, bitRate: plan.audio == .opus ? Self.bitRate : nil, flushes: false)
        done.bytes += Self.size(file)
        done.utterances += 1
        done.soundSeconds += Double(samples.count) / 16_000
    }

    private func write(
        _ recording: Recording, _ path: String, _ synthesiser: SpeechSynthesiser, _ done: inout DataSet.Summary,
        check: () throws -> Void
    ) throws -> Recording.Result {
        let file = "\(folder)/\(path)"
        let writer = try AudioFileWriter(
            path: file, sampleRate: 16_000, bitRate: path.hasSuffix(".opus") ? Self.longBitRate : nil, flushes: false)
        let result = try recording.speak(synthesiser.speak) {
            try check()
            try writer.append($0)
        }
        try writer.finish()
        done.bytes += Self.size(file)
        done.recordings += 1
        done.utterances += result.utterances
        done.soundSeconds += result.seconds
        return result
    }

    private static func size(_ path: String) -> Int {
        var info = stat()
        return stat(path, &info) == 0 ? Int(info.st_size) : 0
    }
}
