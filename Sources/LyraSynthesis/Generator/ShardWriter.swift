// Makes the items of a shard: their lines, pictures and speech.
import Foundation
import LyraMedia

struct ShardWriter {
    let plan: SynthesisPlan
    let shard: DataSet.Shard
    let synthesiser: SpeechSynthesiser

    /// Items whose speech is made in one go.
    private static let batch = 50

    /// - Parameter advance: told what has been done since the last call; may throw to stop.
    func write(advance: (DataSet.Summary) throws -> Void) throws {
        let folder = "\(plan.folder)/\(shard.split)"
        try FileManager.default.createDirectory(
            atPath: "\(folder)/\(shard.file.name)/\(String(format: "%04d", shard.number))", withIntermediateDirectories: true)
        var records: [Record] = [], utterances: [Utterance] = []
        var start = shard.range.lowerBound
        while start < shard.range.upperBound {
            let range = start..<min(start + Self.batch, shard.range.upperBound)
            start = range.upperBound
            var done = DataSet.Summary()
            let items = range.map { index in
                var item = Item(shard.split, shard.file.name, index, seed: plan.seed, format: plan.audio)
                shard.file.make(&item)
                return item
            }
            for item in items {
                for (path, scene, random) in item.pictures {
                    var random = random
                    let canvas = try Canvas()
                    scene.draw(canvas, &random)
                    let bytes = try canvas.image().pngData()
                    try Data(bytes).write(to: URL(fileURLWithPath: "\(folder)/\(path)"))
                    done.pictures += 1
                    done.bytes += bytes.count
                }
            }
            let spoken = items.flatMap(\.spoken)
            for ((path, _), samples) in zip(spoken, try synthesiser.speak(spoken.map(\.text))) {
                done.bytes += try write(samples, to: "\(folder)/\(path)")
                done.utterances += 1
                done.soundSeconds += Double(samples.count) / 16_000
            }
            done.items = items.count
            records += items.map(\.record)
            utterances += items.flatMap(\.utterances)
            try advance(done)
        }
        try ShardFiles(plan.folder, shard).write(records, utterances)
    }

    /// Returns the file's size.
    private func write(_ samples: [Float], to path: String) throws -> Int {
        try AudioFile.write(samples, sampleRate: 16_000, to: path, bitRate: plan.audio == .opus ? 24_000 : nil, flushes: false)
        var info = stat()
        return stat(path, &info) == 0 ? Int(info.st_size) : 0
    }
}
