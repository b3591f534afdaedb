// Evidence for programs.
import Foundation

extension Evidence {
    /// As a JSON object, keys in snake case and sorted: `media` (kind, index, kept_share, pieces with score, depth, kept and
    /// start/end in seconds or x, y, width, height as shares and frame) and `layers`.
    public func json() throws -> Data {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(self)
    }
}
