// All data files of a run as one numbered collection of samples.
import Foundation
import LyraText

/// The samples of several data files, numbered through.
public struct TrainingData: Sendable {
    struct Part: Sendable {
        let source: DataSource
        let file: DataFile
        let units: UnitsFile?
        let folders: MediaFolders
        /// Number of its first sample.
        let first: Int

        var count: Int { file.count }
        /// The item of a sample, by the sample's number among all.
        func item(_ index: Int) -> Int { index - first }
    }

    let parts: [Part]
    public let count: Int

    /// Opens the files and finds out where their items are; nothing is decoded.
    ///
    /// - Throws: ``DataFileError``.
    public init(_ sources: [DataSource]) throws {
        var parts: [Part] = [], count = 0
        for source in sources {
            guard source.repeats > 0, source.repeats <= 1000 else {
                throw DataFileError.invalidRepeats(path: source.path, value: source.repeats)
            }
            let file = try DataFile(source.path)
            let units = try source.unitsFile.map { try UnitsFile($0) }
            let part = Part(source: source, file: file, units: units, folders: MediaFolders(source), first: count)
            parts.append(part)
            count += part.count
        }
        guard count > 0, count <= Int32.max else { throw DataFileError.noSamples(paths: sources.map(\.path)) }
        (self.parts, self.count) = (parts, count)
    }

    /// The files, with how many samples each has and how often an epoch goes through it.
    public var files: [(path: String, count: Int, repeats: Double)] {
        parts.map { ($0.file.path, $0.count, $0.source.repeats) }
    }

    private func part(_ index: Int) -> Part {
        var low = 0, high = parts.count
        while low + 1 < high {
            let middle = (low + high) / 2
            if parts[middle].first <= index { low = middle } else { high = middle }
        }
        return parts[low]
    }

    /// An example as the file has it, with its units where they are in a file of their own.
    /// - Throws: ``BadSample``; ``DataFileError`` if the data file itself is gone.
    public func example(_ index: Int) throws -> Example {
        let part = part(index), item = part.item(index)
        var example = try part.file.parse(item) { try Example(&$0, $1) }
        example.hasIndependentTurns = part.source.independentTurns
        guard let units = part.units, let id = example.id else { return example }
        do {
            if let found = try units.units(id) {
                guard example.units == nil else {
                    throw SampleFault(.units, key: "units", "they are in the item and in \(units.path)")
                }
                example.units = found
            }
        } catch let fault as SampleFault {
            throw part.file.bad(item, id: id, fault)
        }
        return example
    }

    /// A sample, decoded.
    /// - Parameter version: decides how recordings are changed and spread where the source has that done; nil: as they are.
    /// - Throws: ``BadSample`` if it cannot be used; ``DataFileError`` if the data file itself is gone.
    public func sample(_ index: Int, _ encoder: SampleEncoder, version: UInt64? = nil) throws -> TrainingSample {
        try measuredSample(index, encoder, version: version).sample
    }

    func measuredSample(_ index: Int, _ encoder: SampleEncoder, version: UInt64? = nil) throws -> (sample: TrainingSample, tokens: Int) {
        try located(index) { example, part in
            let name = (part.file.path as NSString).lastPathComponent
            let change = version.map { SpeechVersion(part.source, seed: $0) }
            var result = try encoder.sample(example, id: example.id ?? "\(name)[\(part.item(index))]", in: part.folders, change)
            result.sample.usesExtractor = part.source.usesExtractor
            return result
        }
    }

    /// Token ids and labels of a sample, without its media.
    public func text(_ index: Int, _ encoder: SampleEncoder) throws -> EncodedText {
        try located(index) { example, _ in try encoder.text(example) }
    }

    /// Length in tokens by the headers of the sample's files.
    public func length(_ index: Int, _ encoder: SampleEncoder) throws -> Int {
        try located(index) { example, part in try encoder.length(encoder.text(example), in: part.folders) }
    }

    /// How much work a sample is, by the headers of its files.
    func work(_ index: Int, _ encoder: SampleEncoder, _ deal: StepDeal) throws -> Double {
        try located(index) { example, part in
            let text = try encoder.text(example)
            return deal.work(tokens: try encoder.length(text, in: part.folders), turns: text.turns.count, extracted: part.source.usesExtractor)
        }
    }

    /// What can be known of a sample without decoding its media.
    func outline(_ index: Int, _ encoder: SampleEncoder) throws -> (text: EncodedText, tokens: Int, hasUnits: Bool) {
        try located(index) { example, part in
            let text = try encoder.text(example)
            let tokens = try encoder.length(text, in: part.folders)
            try encoder.check(units: example.units, tokens: tokens)
            return (text, tokens, example.units != nil)
        }
    }

    private func located<Result>(_ index: Int, _ body: (Example, Part) throws -> Result) throws -> Result {
        let example = try example(index), part = part(index)
        do {
            return try body(example, part)
        } catch let fault as SampleFault {
            throw part.file.bad(part.item(index), id: example.id, fault)
        } catch let error as TokenizerError {
            throw part.file.bad(part.item(index), id: example.id, SampleFault(.conversation, error.localizedDescription))
        }
    }
}
