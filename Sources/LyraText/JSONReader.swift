// A pull parser for JSON over bytes. Knows no tokenizer: vocabularies have 150,000 keys, which must stay exact byte
// strings (Swift's `String` treats canonically equivalent keys as equal) and be read without building a tree.

package struct JSONReader {
    /// What was wrong and at which byte.
    package struct Failure: Error {
        package let byte: Int
        package let reason: String
    }

    /// Values nested deeper than this are refused; `skip()` and callers recurse once a level.
    static let depthLimit = 64

    private let bytes: [UInt8]
    package private(set) var position = 0
    private var depth = 0

    /// `bytes` must be valid UTF-8.
    package init(_ bytes: [UInt8]) { self.bytes = bytes }

    package func failure(_ reason: String, at byte: Int? = nil) -> Failure { Failure(byte: byte ?? position, reason: reason) }

    /// The first byte of the next value, or nil at the end.
    package mutating func peek() -> UInt8? {
        while position < bytes.count, [0x20, 0x0A, 0x0D, 0x09].contains(bytes[position]) { position += 1 }
        return position < bytes.count ? bytes[position] : nil
    }

    private mutating func expect(_ byte: UInt8) throws(Failure) {
        guard peek() == byte else { throw failure("expected '\(Character(Unicode.Scalar(byte)))'") }
        position += 1
    }

    private mutating func enter() throws(Failure) {
        depth += 1
        if depth > Self.depthLimit { throw failure("nested deeper than \(Self.depthLimit) levels") }
    }

    /// Fails unless only white space is left.
    package mutating func end() throws(Failure) {
        if peek() != nil { throw failure("unexpected text after the value") }
    }

    /// Reads an object; `member` is called with each key and must consume its value.
    package mutating func object(_ member: (inout JSONReader, [UInt8]) throws -> Void) throws {
        try enter()
        try expect(UInt8(ascii: "{"))
        if peek() == UInt8(ascii: "}") {
            position += 1
        } else {
            while true {
                let key = try string()
                try expect(UInt8(ascii: ":"))
                try member(&self, key)
                if peek() == UInt8(ascii: ",") { position += 1; continue }
                try expect(UInt8(ascii: "}"))
                break
            }
        }
        depth -= 1
    }

    /// Reads an array; `element` must consume each value.
    package mutating func array(_ element: (inout JSONReader) throws -> Void) throws {
        try enter()
        try expect(UInt8(ascii: "["))
        if peek() == UInt8(ascii: "]") {
            position += 1
        } else {
            while true {
                try element(&self)
                if peek() == UInt8(ascii: ",") { position += 1; continue }
                try expect(UInt8(ascii: "]"))
                break
            }
        }
        depth -= 1
    }

    package mutating func integer() throws(Failure) -> Int {
        _ = peek()
        let start = position
        if position < bytes.count, bytes[position] == UInt8(ascii: "-") { position += 1 }
        while position < bytes.count, (48...57).contains(bytes[position]) { position += 1 }
        if position < bytes.count, [UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E")].contains(bytes[position]) {
            throw failure("expected a whole number", at: start)
        }
        guard let value = Int(String(decoding: bytes[start..<position], as: UTF8.self)) else {
            throw failure("expected a whole number", at: start)
        }
        return value
    }

    /// A finite number.
    package mutating func number() throws(Failure) -> Double {
        _ = peek()
        let start = position
        while position < bytes.count, "+-.eE0123456789".utf8.contains(bytes[position]) { position += 1 }
        guard let value = Double(String(decoding: bytes[start..<position], as: UTF8.self)), value.isFinite else {
            throw failure("expected a number", at: start)
        }
        return value
    }

    package mutating func boolean() throws(Failure) -> Bool {
        if try literal("true") { return true }
        if try literal("false") { return false }
        throw failure("expected true or false")
    }

    /// Consumes `word` if it is next.
    package mutating func literal(_ word: StaticString) throws(Failure) -> Bool {
        _ = peek()
        let length = word.utf8CodeUnitCount
        guard position + length <= bytes.count else { return false }
        for i in 0..<length where bytes[position + i] != word.utf8Start[i] { return false }
        position += length
        return true
    }

    /// Consumes a value of any kind.
    package mutating func skip() throws {
        switch peek() {
        case UInt8(ascii: "{"): try object { reader, _ in try reader.skip() }
        case UInt8(ascii: "["): try array { try $0.skip() }
        case UInt8(ascii: "\""): _ = try string()
        case UInt8(ascii: "t"), UInt8(ascii: "f"): _ = try boolean()
        case UInt8(ascii: "n"):
            guard try literal("null") else { throw failure("expected a value") }
        default:
            let start = position
            while position < bytes.count, "+-.eE0123456789".utf8.contains(bytes[position]) { position += 1 }
            guard Double(String(decoding: bytes[start..<position], as: UTF8.self)) != nil else {
                throw failure("expected a value", at: start)
            }
        }
    }

    package mutating func text() throws(Failure) -> String { String(decoding: try string(), as: UTF8.self) }

    /// A string's contents as UTF-8, escapes resolved.
    package mutating func string() throws(Failure) -> [UInt8] {
        try expect(UInt8(ascii: "\""))
        let start = position
        while position < bytes.count, bytes[position] != UInt8(ascii: "\""), bytes[position] != UInt8(ascii: "\\"),
              bytes[position] >= 0x20 { position += 1 }
        var result = Array(bytes[start..<position])
        while true {
            guard position < bytes.count else { throw failure("unterminated string", at: start) }
            let byte = bytes[position]
            position += 1
            switch byte {
            case UInt8(ascii: "\""): return result
            case UInt8(ascii: "\\"): try escape(into: &result)
            case 0..<0x20: throw failure("control character in a string", at: position - 1)
            default: result.append(byte)
            }
        }
    }

    private mutating func escape(into result: inout [UInt8]) throws(Failure) {
        guard position < bytes.count else { throw failure("unterminated string") }
        let byte = bytes[position]
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): result.append(byte)
        case UInt8(ascii: "b"): result.append(0x08)
        case UInt8(ascii: "f"): result.append(0x0C)
        case UInt8(ascii: "n"): result.append(0x0A)
        case UInt8(ascii: "r"): result.append(0x0D)
        case UInt8(ascii: "t"): result.append(0x09)
        case UInt8(ascii: "u"):
            var value = try hexadecimal()
            if (0xD800..<0xDC00).contains(value), position + 1 < bytes.count,
               bytes[position] == UInt8(ascii: "\\"), bytes[position + 1] == UInt8(ascii: "u") {
                position += 2
                let low = try hexadecimal()
                guard (0xDC00..<0xE000).contains(low) else { throw failure("unpaired surrogate") }
                value = 0x10000 + ((value - 0xD800) << 10) + (low - 0xDC00)
            }
            guard let scalar = Unicode.Scalar(value) else { throw failure("unpaired surrogate") }
            result.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
        default: throw failure("unknown escape", at: position - 1)
        }
    }

    private mutating func hexadecimal() throws(Failure) -> UInt32 {
        guard position + 4 <= bytes.count else { throw failure("unfinished \\u escape") }
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let digit = Character(Unicode.Scalar(bytes[position])).hexDigitValue, bytes[position] < 0x80 else {
                throw failure("bad \\u escape")
            }
            value = value << 4 | UInt32(digit)
            position += 1
        }
        return value
    }
}
