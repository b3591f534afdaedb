// What can be wrong with one sample, and with a whole data file.
import Foundation

/// What is wrong with a sample; ``BadSample`` adds where it is.
struct SampleFault: Error {
    var reason: BadSample.Reason
    var key: String?
    var detail: String

    init(_ reason: BadSample.Reason, key: String? = nil, _ detail: String) {
        (self.reason, self.key, self.detail) = (reason, key, detail)
    }
}

/// A sample that cannot be trained on. It is left out and named, never replaced by another.
public struct BadSample: Error, LocalizedError, Sendable, Codable, Equatable {
    public enum Reason: String, Sendable, Codable, CaseIterable {
        /// The item is no JSON object.
        case notJSON = "not_json"
        /// A key is missing, given twice, or holds something else than it should.
        case wrongKey = "wrong_key"
        /// Turns do not alternate, or there is no answer.
        case conversation
        /// Placeholders in the text and media do not match in number.
        case placeholders
        case missingFile = "missing_file"
        /// A file that cannot be decoded.
        case unreadable
        /// A file that is cut short or damaged in parts.
        case damaged
        /// A recording without a single sample of sound.
        case emptySound = "empty_sound"
        /// A recording with samples that are not numbers.
        case invalidSound = "invalid_sound"
        case units
        /// More tokens than the run allows.
        case tooLong = "too_long"
    }

    public var file: String
    /// Counted from 0, in the file.
    public var index: Int
    /// Counted from 1, in JSON lines.
    public var line: Int?
    public var id: String?
    /// The key at fault.
    public var key: String?
    public var reason: Reason
    public var detail: String

    public var errorDescription: String? {
        let place = line.map { "\(file):\($0)" } ?? "\(file)[\(index)]"
        return "\(place)\(id.map { " (id \($0))" } ?? ""): \(key.map { "\($0): " } ?? "")\(detail)"
    }
}

/// A data file that cannot be used as a whole.
public enum DataFileError: Error, LocalizedError, Equatable {
    case unreadable(path: String, reason: String)
    case malformed(path: String, byte: Int, reason: String)
    case changed(path: String)
    case noSamples(paths: [String])
    case invalidRepeats(path: String, value: Double)
    case duplicateUnits(path: String, id: String)

    public var errorDescription: String? {
        switch self {
        case .unreadable(let path, let reason): "cannot read \(path): \(reason)"
        case .malformed(let path, let byte, let reason): "\(path) is no data file, at byte \(byte): \(reason)"
        case .changed(let path): "\(path) has changed since it was opened; start again"
        case .noSamples(let paths): "there are no samples in \(paths.joined(separator: ", "))"
        case .invalidRepeats(let path, let value): "repeats of \(path) is \(value), expected a number above 0, at most 1000"
        case .duplicateUnits(let path, let id): "\(path) has units for '\(id)' twice"
        }
    }
}
