// Recordings of one voice with the unit of every frame: what a vocoder learns from.
import Foundation
import LyraModel

/// Units by frame of 20 ms, by recording, from a file with a line `id|12 12 7 3` each.
public enum UnitFrames {
    /// - Throws: ``DataFileError`` if a line is none of these.
    public static func load(_ path: String) throws -> [String: [Int32]] {
        let text: String
        do { text = try String(contentsOf: URL(fileURLWithPath: path), encoding: .utf8) } catch {
            throw DataFileError.unreadable(path: path, reason: "no such file, or it is not UTF-8")
        }
        var result: [String: [Int32]] = [:]
        for (number, line) in text.split(separator: "\n").enumerated() {
            let parts = line.split(separator: "|", maxSplits: 1, omittingEmptySubsequences: false)
            let units = parts.count == 2 ? parts[1].split(separator: " ").map { Int32($0) } : []
            guard parts.count == 2, !units.isEmpty, units.allSatisfy({ $0.map { $0 >= 0 } ?? false }) else {
                throw DataFileError.unreadable(path: path, reason: "line \(number + 1) is not of the form id|12 12 7 3")
            }
            result[String(parts[0])] = units.compactMap { $0 }
        }
        return result
    }

    /// Runs of equal units: which, and how many frames each.
    public static func runs(_ frames: [Int32]) -> (units: [Int32], lengths: [Int]) {
        var units: [Int32] = [], lengths: [Int] = []
        for unit in frames {
            if unit == units.last { lengths[lengths.count - 1] += 1 } else {
                units.append(unit)
                lengths.append(1)
            }
        }
        return (units, lengths)
    }

    /// A line of such a file.
    public static func line(_ id: String, _ units: [Int32]) -> String { "\(id)|\(units.map(String.init).joined(separator: " "))\n" }
}

/// Recordings and their units, in memory: 16 bits a sample, two minutes are 4 MB.
struct SpokenUnits: Sendable {
    struct Recording: Sendable {
        var id: String
        var transcript: String?
        var frames: [Int32]
        /// As many samples as the frames say.
        var samples: [Int16]
    }
    let recordings: [Recording]
    /// Numbers of the recordings that are long enough to cut a piece from, once for every frame a piece can begin at.
    let starts: [(recording: Int32, frame: Int32)]
    let samplesPerFrame: Int

    /// - Parameter shortest: frames that a piece takes.
    init(_ sources: [DataSource], samplesPerFrame: Int, shortest: Int, limit: Int? = nil) throws {
        self.samplesPerFrame = samplesPerFrame
        var recordings: [Recording] = [], starts: [(Int32, Int32)] = []
        for source in sources {
            let units = try source.unitsFile.map(UnitFrames.load) ?? [:], items = try Recordings([source])
            for index in 0..<items.count where limit.map({ recordings.count < $0 }) ?? true {
                let item = try items.item(index)
                // Recordings of other voices have no units.
                guard let frames = units[item.id] else { continue }
                var samples = try Recordings.samples(item)
                samples += [Float](repeating: 0, count: max(0, frames.count * samplesPerFrame - samples.count))
                if frames.count >= shortest {
                    starts += (0...(frames.count - shortest)).map { (Int32(recordings.count), Int32($0)) }
                }
                recordings.append(
                    Recording(
                        id: item.id, transcript: item.transcript, frames: frames,
                        samples: samples.prefix(frames.count * samplesPerFrame).map { Int16(max(-1, min(1, $0)) * 32_767) }))
            }
        }
        guard !starts.isEmpty || limit != nil, !recordings.isEmpty else {
            throw TrainingError.noUsableSamples("\(sources.map(\.path).joined(separator: ", ")) with their units")
        }
        (self.recordings, self.starts) = (recordings, starts)
    }

    /// Samples of a recording as numbers in -1...1.
    func samples(_ recording: Int, frames: Range<Int>) -> [Float] {
        recordings[recording].samples[(frames.lowerBound * samplesPerFrame)..<(frames.upperBound * samplesPerFrame)]
            .map { Float($0) / 32_767 }
    }
}
