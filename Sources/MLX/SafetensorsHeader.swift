// The header of a safetensors file: a JSON object that gives each tensor's type, shape and place. Parsed strictly, by
// hand: headers come from outside, JSON libraries let duplicate keys pass, and the grammar is small.

/// What a safetensors file says about one tensor.
public struct SafetensorsInfo: Sendable, Equatable {
    /// The element type as the file names it: "BF16", "F8_E4M3".
    public var typeName: String
    public var shape: [Int]
    /// Bytes in the data section, which begins after the header.
    public var byteRange: Range<Int>

    public init(typeName: String, shape: [Int], byteRange: Range<Int>) {
        self.typeName = typeName
        self.shape = shape
        self.byteRange = byteRange
    }

    /// The element type, or nil for one that the array library lacks.
    public var dtype: DType? { DType(safetensors: typeName) }
}

extension DType {
    /// In the order of the reference library, which places tensors by it, last type first.
    private static let safetensorsNames: [(String, DType)] = [
        ("BOOL", .bool), ("U8", .uint8), ("I8", .int8), ("I16", .int16), ("U16", .uint16), ("F16", .float16),
        ("BF16", .bfloat16), ("I32", .int32), ("U32", .uint32), ("F32", .float32), ("C64", .complex64),
        ("F64", .float64), ("I64", .int64), ("U64", .uint64),
    ]

    init?(safetensors name: String) {
        guard let found = Self.safetensorsNames.first(where: { $0.0 == name }) else { return nil }
        self = found.1
    }

    var safetensorsName: String { Self.safetensorsNames.first { $0.1 == self }?.0 ?? "" }

    /// Where the type stands in the order in which tensors are laid out; larger elements have higher ranks.
    var safetensorsRank: Int { Self.safetensorsNames.firstIndex { $0.1 == self } ?? 0 }
}

struct SafetensorsHeader {
    var tensors: [String: SafetensorsInfo] = [:]
    var metadata: [String: String] = [:]

    /// Longer headers are refused, as by the reference reader.
    static let lengthLimit = 100_000_000

    struct Invalid: Error { let reason: String }

    private let bytes: [UInt8]
    private var position = 0

    /// Parses the header's text and checks each entry for itself; ``checkLayout(dataLength:)`` checks them together.
    init(_ bytes: [UInt8]) throws(Invalid) {
        self.bytes = bytes
        guard String(validating: bytes, as: UTF8.self) != nil else { throw Invalid(reason: "its header is not UTF-8") }
        guard bytes.first == UInt8(ascii: "{") else { throw fail("a header must begin with {") }
        var names: Set<[UInt8]> = []
        try members { parser, key, name throws(Invalid) in
            guard names.insert(key).inserted else { throw parser.fail("duplicate entry \"\(name)\"") }
            if name == "__metadata__" { return try parser.readMetadata() }
            // Swift takes canonically equivalent names for equal; so does everything that looks tensors up.
            guard parser.tensors[name] == nil else { throw parser.fail("duplicate entry \"\(name)\"") }
            parser.tensors[name] = try parser.readTensor(name)
        }
        if next() != nil { throw fail("unexpected text after the header's object") }
    }

    // MARK: Grammar

    /// An object of strings, or null, which MLX's own writer puts where there are none.
    private mutating func readMetadata() throws(Invalid) {
        if next() == UInt8(ascii: "n") { return try skip(depth: 0) }
        try members { parser, _, key throws(Invalid) in
            guard parser.metadata[key] == nil else { throw parser.fail("duplicate metadata \"\(key)\"") }
            parser.metadata[key] = String(decoding: try parser.string(), as: UTF8.self)
        }
    }

    private mutating func readTensor(_ name: String) throws(Invalid) -> SafetensorsInfo {
        var type: String?
        var shape: [Int]?
        var offsets: [Int]?
        try members { parser, _, key throws(Invalid) in
            switch key {
            case "dtype" where type == nil: type = String(decoding: try parser.string(), as: UTF8.self)
            case "shape" where shape == nil: shape = try parser.integers()
            case "data_offsets" where offsets == nil: offsets = try parser.integers()
            case "dtype", "shape", "data_offsets": throw parser.fail("\"\(name)\" has two entries \(key)")
            default: try parser.skip(depth: 0)
            }
        }
        guard let type, let shape, let offsets else { throw fail("\"\(name)\" lacks dtype, shape or data_offsets") }
        guard offsets.count == 2, offsets[0] <= offsets[1] else {
            throw fail("\"\(name)\" has data_offsets \(offsets), not a begin and an end")
        }
        let info = SafetensorsInfo(typeName: type, shape: shape, byteRange: offsets[0]..<offsets[1])
        if let dtype = info.dtype {
            var size = dtype.size
            for dimension in shape {
                let (product, overflow) = size.multipliedReportingOverflow(by: dimension)
                guard !overflow else { throw fail("\"\(name)\" has shape \(shape), too large to count") }
                size = product
            }
            guard size == info.byteRange.count else {
                throw fail("\"\(name)\" of type \(type) and shape \(shape) needs \(size) bytes but has \(info.byteRange.count)")
            }
        }
        return info
    }

    /// Tensors must fill the data without overlaps or holes; what they end with is the length of the data.
    func checkLayout() throws(Invalid) -> Int {
        let ordered = tensors.sorted {
            let (a, b) = ($0.value.byteRange, $1.value.byteRange)
            return (a.lowerBound, a.upperBound) < (b.lowerBound, b.upperBound)
        }
        var end = 0
        for (name, info) in ordered {
            let begin = info.byteRange.lowerBound
            if begin < end { throw Invalid(reason: "\"\(name)\" overlaps the tensor before it") }
            if begin > end { throw Invalid(reason: "\(begin - end) bytes before \"\(name)\" belong to no tensor") }
            end = info.byteRange.upperBound
        }
        return end
    }

    // MARK: JSON

    private func fail(_ reason: String) -> Invalid { Invalid(reason: "\(reason), at byte \(position) of the header") }

    /// The next byte that is not white space.
    private mutating func next() -> UInt8? {
        while position < bytes.count, [0x20, 0x0A, 0x0D, 0x09].contains(bytes[position]) { position += 1 }
        return position < bytes.count ? bytes[position] : nil
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard next() == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }

    private mutating func expect(_ character: Unicode.Scalar) throws(Invalid) {
        guard take(character) else { throw fail("expected '\(character)'") }
    }

    private mutating func members(
        _ member: (inout SafetensorsHeader, [UInt8], String) throws(Invalid) -> Void
    ) throws(Invalid) {
        try expect("{")
        if take("}") { return }
        repeat {
            let key = try string()
            try expect(":")
            try member(&self, key, String(decoding: key, as: UTF8.self))
        } while take(",")
        try expect("}")
    }

    private mutating func integers() throws(Invalid) -> [Int] {
        var values: [Int] = []
        try expect("[")
        if take("]") { return values }
        repeat {
            _ = next()
            let start = position
            while position < bytes.count, (48...57).contains(bytes[position]) { position += 1 }
            let digits = String(decoding: bytes[start..<position], as: UTF8.self)
            guard let value = Int(digits), digits.count == 1 || !digits.hasPrefix("0") else {
                throw fail("expected a whole number that is not negative")
            }
            values.append(value)
        } while take(",")
        try expect("]")
        return values
    }

    private mutating func string() throws(Invalid) -> [UInt8] {
        try expect("\"")
        var result: [UInt8] = []
        while position < bytes.count {
            let byte = bytes[position]
            position += 1
            switch byte {
            case UInt8(ascii: "\""): return result
            case UInt8(ascii: "\\"): try escape(into: &result)
            case 0..<0x20: throw fail("control character in a string")
            default: result.append(byte)
            }
        }
        throw fail("unterminated string")
    }

    private mutating func escape(into result: inout [UInt8]) throws(Invalid) {
        let byte = position < bytes.count ? bytes[position] : 0
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): result.append(byte)
        case UInt8(ascii: "b"): result.append(0x08)
        case UInt8(ascii: "f"): result.append(0x0C)
        case UInt8(ascii: "n"): result.append(0x0A)
        case UInt8(ascii: "r"): result.append(0x0D)
        case UInt8(ascii: "t"): result.append(0x09)
        case UInt8(ascii: "u"):
            var units = [try hexadecimal()]
            if (0xD800..<0xDC00).contains(units[0]), position + 1 < bytes.count,
               bytes[position] == UInt8(ascii: "\\"), bytes[position + 1] == UInt8(ascii: "u") {
                position += 2
                units.append(try hexadecimal())
            }
            guard let text = String(validating: units, as: UTF16.self) else { throw fail("unpaired surrogate") }
            result += text.utf8
        default: throw fail("unknown escape")
        }
    }

    private mutating func hexadecimal() throws(Invalid) -> UInt16 {
        guard position + 4 <= bytes.count,
              bytes[position..<position + 4].allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit && $0 < 0x80 }),
              let value = UInt16(String(decoding: bytes[position..<position + 4], as: UTF8.self), radix: 16)
        else { throw fail("bad \\u escape") }
        position += 4
        return value
    }

    /// Passes over a value under a key that this reader does not know.
    private mutating func skip(depth: Int) throws(Invalid) {
        guard depth < 16 else { throw fail("nested too deeply") }
        switch next() {
        case UInt8(ascii: "{"): try members { parser, _, _ throws(Invalid) in try parser.skip(depth: depth + 1) }
        case UInt8(ascii: "["):
            position += 1
            if take("]") { return }
            repeat { try skip(depth: depth + 1) } while take(",")
            try expect("]")
        case UInt8(ascii: "\""): _ = try string()
        default:
            let start = position
            let others = "+-.0123456789".utf8
            while position < bytes.count,
                  Character(Unicode.Scalar(bytes[position])).isLetter || others.contains(bytes[position]) { position += 1 }
            let word = String(decoding: bytes[start..<position], as: UTF8.self)
            guard ["true", "false", "null"].contains(word) || Double(word) != nil else { throw fail("expected a value") }
        }
    }
}
