// Goes through all samples before training and says which are bad, and how long the good ones are.
import Foundation

/// What was found in a collection of samples.
public struct DataReport: Sendable, Codable, Equatable {
    /// How many samples have a length from `from` up to, but not including, `to`.
    public struct Bucket: Sendable, Codable, Equatable {
        public var from: Int
        public var to: Int
        public var count: Int
    }
    public struct Lengths: Sendable, Codable, Equatable {
        public var total: Int
        public var median: Int
        /// 99 of 100 samples have no more.
        public var percentile99: Int
        public var longest: Int
        public var buckets: [Bucket]

        enum CodingKeys: String, CodingKey {
            case total, median, longest, buckets
            case percentile99 = "percentile_99"
        }
    }

    public var samples = 0
    public var good = 0
    public var pictures = 0
    public var videos = 0
    public var recordings = 0
    /// Seconds of sound; of good samples, as all that follows.
    public var soundSeconds = 0.0
    public var transcripts = 0
    public var withUnits = 0
    public var supervisedTokens = 0
    /// In tokens, media included; nil if no sample is good.
    public var lengths: Lengths?
    /// How many samples are bad, by reason.
    public var bad: [String: Int] = [:]
    /// The bad ones themselves, in order; the first ``limit`` of them.
    public var problems: [BadSample] = []

    public static let limit = 100_000
    public var badCount: Int { samples - good }

    enum CodingKeys: String, CodingKey {
        case samples, good, pictures, videos, recordings, transcripts, lengths, bad, problems
        case soundSeconds = "sound_seconds"
        case withUnits = "with_units"
        case supervisedTokens = "supervised_tokens"
    }
}

/// Checks data as training would meet it: every sample is encoded and all its media are decoded.
public enum DataCheck {
    private struct Finding: Sendable {
        /// None or one. An array, because most are good and there may be millions.
        var bad: [BadSample] = []
        var length: Int32 = 0
        var supervised: Int32 = 0
        var pictures: UInt16 = 0, videos: UInt16 = 0, recordings: UInt16 = 0, transcripts: UInt16 = 0
        var hasUnits = false
        var soundSamples = 0
    }

    /// - Parameters:
    ///   - decoding: whether media are decoded, or only looked for and their headers read, which is much faster.
    ///   - progress: samples done, from any thread.
    /// - Throws: ``DataFileError``, `CancellationError`.
    public static func run(
        _ data: TrainingData, _ encoder: SampleEncoder, decoding: Bool = true,
        workers: Int = ProcessInfo.processInfo.activeProcessorCount, progress: @Sendable (Int) -> Void = { _ in }
    ) async throws -> DataReport {
        let findings = try await SampleWork.map(data.count, workers: workers, progress: progress) { index -> Finding in
            do {
                return decoding ? try decode(index, data, encoder) : try look(index, data, encoder)
            } catch let bad as BadSample {
                return Finding(bad: [bad])
            }
        }
        return report(findings)
    }

    private static func decode(_ index: Int, _ data: TrainingData, _ encoder: SampleEncoder) throws -> Finding {
        let (sample, tokens) = try data.measuredSample(index, encoder)
        var finding = Finding(length: Int32(clamping: tokens), hasUnits: sample.units != nil)
        finding.supervised = Int32(sample.labels.count { $0 != TrainingSample.ignored })
        for medium in sample.media {
            switch medium {
            case .image: finding.pictures &+= 1
            case .video: finding.videos &+= 1
            case .speech(let speech):
                finding.recordings &+= 1
                finding.soundSamples += speech.samples.count
                if speech.transcript != nil { finding.transcripts &+= 1 }
            }
        }
        return finding
    }

    private static func look(_ index: Int, _ data: TrainingData, _ encoder: SampleEncoder) throws -> Finding {
        let (text, tokens, hasUnits) = try data.outline(index, encoder)
        var finding = Finding(length: Int32(clamping: tokens), hasUnits: hasUnits)
        finding.supervised = Int32(text.labels.count { $0 != TrainingSample.ignored })
        for medium in text.media {
            switch medium {
            case .image: finding.pictures &+= 1
            case .video: finding.videos &+= 1
            case .speech(_, let transcript):
                finding.recordings &+= 1
                if transcript != nil { finding.transcripts &+= 1 }
            }
        }
        return finding
    }

    private static func report(_ findings: [Finding]) -> DataReport {
        var report = DataReport()
        report.samples = findings.count
        var lengths: [Int32] = []
        for finding in findings {
            if let bad = finding.bad.first {
                report.bad[bad.reason.rawValue, default: 0] += 1
                if report.problems.count < DataReport.limit { report.problems.append(bad) }
                continue
            }
            report.good += 1
            report.pictures += Int(finding.pictures)
            report.videos += Int(finding.videos)
            report.recordings += Int(finding.recordings)
            report.transcripts += Int(finding.transcripts)
            report.soundSeconds += Double(finding.soundSamples) / 16_000
            report.withUnits += finding.hasUnits ? 1 : 0
            report.supervisedTokens += Int(finding.supervised)
            lengths.append(finding.length)
        }
        report.lengths = summary(lengths.sorted())
        return report
    }

    private static func summary(_ sorted: [Int32]) -> DataReport.Lengths? {
        guard let longest = sorted.last else { return nil }
        func percentile(_ share: Double) -> Int { Int(sorted[min(sorted.count - 1, Int(share * Double(sorted.count)))]) }
        // Powers of two.
        var counts: [Int: Int] = [:]
        for length in sorted { counts[max(0, Int32.bitWidth - 1 - length.leadingZeroBitCount), default: 0] += 1 }
        let exponents = counts.keys.min().map { $0...(counts.keys.max() ?? $0) } ?? 0...0
        return DataReport.Lengths(
            total: sorted.reduce(0) { $0 + Int($1) }, median: percentile(0.5), percentile99: percentile(0.99),
            longest: Int(longest),
            buckets: exponents.map { .init(from: 1 << $0, to: 1 << ($0 + 1), count: counts[$0] ?? 0) })
    }
}
