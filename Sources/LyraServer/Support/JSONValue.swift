// JSON whose shape is not fixed: events of realtime conversations, and sessions that clients change in part.
import Foundation

enum JSONValue: Codable, Sendable, Equatable {
    case null
    case bool(Bool)
    case number(Double)
    case text(String)
    case list([JSONValue])
    case object([String: JSONValue])

    init(from decoder: any Decoder) throws {
        let value = try decoder.singleValueContainer()
        if value.decodeNil() {
            self = .null
        } else if let bool = try? value.decode(Bool.self) {
            self = .bool(bool)
        } else if let number = try? value.decode(Double.self) {
            self = .number(number)
        } else if let text = try? value.decode(String.self) {
            self = .text(text)
        } else if let list = try? value.decode([JSONValue].self) {
            self = .list(list)
        } else {
            self = .object(try value.decode([String: JSONValue].self))
        }
    }

    func encode(to encoder: any Encoder) throws {
        var value = encoder.singleValueContainer()
        switch self {
        case .null: try value.encodeNil()
        case .bool(let bool): try value.encode(bool)
        case .number(let number):
            if let whole = Int(exactly: number) { try value.encode(whole) } else { try value.encode(number) }
        case .text(let text): try value.encode(text)
        case .list(let list): try value.encode(list)
        case .object(let object): try value.encode(object)
        }
    }

    subscript(_ key: String) -> JSONValue? {
        guard case .object(let object) = self, let value = object[key], value != .null else { return nil }
        return value
    }

    var text: String? { if case .text(let text) = self { text } else { nil } }
    var number: Double? { if case .number(let number) = self { number } else { nil } }
    var bool: Bool? { if case .bool(let bool) = self { bool } else { nil } }
    var list: [JSONValue]? { if case .list(let list) = self { list } else { nil } }
    var isObject: Bool { if case .object = self { true } else { false } }
    /// Whether the key is there, even as null.
    func has(_ key: String) -> Bool { if case .object(let object) = self { object[key] != nil } else { false } }

    /// With the fields of another object; objects within are merged likewise.
    func merged(_ other: JSONValue) -> JSONValue {
        guard case .object(let own) = self, case .object(let new) = other else { return other }
        return .object(own.merging(new) { $0.merged($1) })
    }

    /// - Throws: `APIError` for what is no JSON, or nested too deep.
    init(parsing bytes: [UInt8]) throws {
        guard JSON.depth(bytes) <= JSON.maximumDepth else {
            throw APIError.invalid("The event is nested deeper than \(JSON.maximumDepth) levels.", code: "invalid_json")
        }
        do { self = try JSONDecoder().decode(JSONValue.self, from: Data(bytes)) } catch {
            throw APIError.invalid("The event is no JSON.", code: "invalid_json")
        }
    }

    /// As it is: keys stay as they are written.
    var encoded: String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return (try? encoder.encode(self)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
    }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral,
    ExpressibleByDictionaryLiteral, ExpressibleByNilLiteral
{
    init(stringLiteral value: String) { self = .text(value) }
    init(integerLiteral value: Int) { self = .number(Double(value)) }
    init(booleanLiteral value: Bool) { self = .bool(value) }
    init(arrayLiteral elements: JSONValue...) { self = .list(elements) }
    init(dictionaryLiteral elements: (String, JSONValue)...) { self = .object(Dictionary(elements) { $1 }) }
    init(nilLiteral: ()) { self = .null }
    init(_ value: Int) { self = .number(Double(value)) }
    init(_ text: String?) { self = text.map { .text($0) } ?? .null }
}
