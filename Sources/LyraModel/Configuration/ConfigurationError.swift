// What can be wrong with a configuration file, and the checks every configuration shares.
import Foundation

/// A configuration file that cannot be used.
public enum ConfigurationError: Error, LocalizedError, Equatable {
    /// The file is missing or is not a JSON object of the expected form.
    case unreadable(path: String, reason: String)
    /// A value is outside what the model can work with.
    case invalid(key: String, value: String, expected: String)

    public var errorDescription: String? {
        switch self {
        case .unreadable(let path, let reason): "cannot read configuration \(path): \(reason)"
        case .invalid(let key, let value, let expected): "configuration: \(key) is \(value), expected \(expected)"
        }
    }
}

enum Check {
    static func range(_ key: String, _ value: Int, _ range: ClosedRange<Int>) throws {
        guard range.contains(value) else {
            throw ConfigurationError.invalid(
                key: key, value: "\(value)", expected: "a number from \(range.lowerBound) to \(range.upperBound)")
        }
    }

    static func positive(_ key: String, _ value: Float) throws {
        guard value > 0, value.isFinite else {
            throw ConfigurationError.invalid(key: key, value: "\(value)", expected: "a positive number")
        }
    }

    static func divides(_ key: String, _ part: Int, _ otherKey: String, _ whole: Int) throws {
        guard part > 0, whole % part == 0 else {
            throw ConfigurationError.invalid(key: key, value: "\(part)", expected: "a divisor of \(otherKey) (\(whole))")
        }
    }
}

/// A `Codable` configuration that lives in a JSON file and checks itself.
public protocol CheckedConfiguration: Codable, Sendable {
    /// Throws ``ConfigurationError/invalid(key:value:expected:)`` for the first value the model cannot work with.
    func check() throws
}

extension CheckedConfiguration {
    /// Reads and checks the file. Unknown keys are ignored, wrong ones refused.
    public static func load(_ path: String) throws -> Self {
        let data: Data
        do {
            data = try Data(contentsOf: URL(fileURLWithPath: path))
        } catch {
            throw ConfigurationError.unreadable(path: path, reason: "no such file, or no permission to read it")
        }
        guard data.count < 1 << 26 else {
            throw ConfigurationError.unreadable(path: path, reason: "\(data.count) bytes is too large for a configuration")
        }
        let configuration: Self
        do {
            configuration = try JSONDecoder().decode(Self.self, from: data)
        } catch let error as DecodingError {
            throw ConfigurationError.unreadable(path: path, reason: error.summary)
        }
        try configuration.check()
        return configuration
    }
}

extension DecodingError {
    /// One line: where and what.
    package var summary: String {
        func place(_ context: Context) -> String {
            let path = context.codingPath.map(\.stringValue).joined(separator: ".")
            return path.isEmpty ? context.debugDescription : "\(path): \(context.debugDescription)"
        }
        return switch self {
        case .keyNotFound(let key, let context):
            "key \((context.codingPath.map(\.stringValue) + [key.stringValue]).joined(separator: ".")) is missing"
        case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context): place(context)
        @unknown default: "\(self)"
        }
    }
}
