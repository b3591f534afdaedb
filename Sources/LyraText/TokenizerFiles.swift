// Reads a tokenizer's files: vocab.json, merges.txt, tokenizer_config.json, tokenizer.json.
import Foundation

/// What the files of a tokenizer say, before it is checked as a whole.
struct TokenizerFiles {
    var spellings: [(spelling: [UInt8], id: Int)] = []
    var merges: [(left: ArraySlice<UInt8>, right: ArraySlice<UInt8>)] = []
    var mergesFile = "merges.txt"
    var added: [AddedToken] = []
    var endToken: String?
    var padToken: String?

    /// Larger files are refused unread; Qwen2's largest is 7 MB.
    private static let sizeLimit = 256 << 20

    /// - Throws: ``TokenizerError``.
    init(directory: URL) throws {
        func present(_ name: String) -> URL? {
            let url = directory.appendingPathComponent(name)
            return FileManager.default.fileExists(atPath: url.path) ? url : nil
        }
        let fast = present("tokenizer.json")
        if let vocabulary = present("vocab.json"), let merges = present("merges.txt") {
            try Self.parse(vocabulary) { reader in try self.readVocabulary(&reader) }
            try readMerges(merges)
        } else if let fast {
            mergesFile = "tokenizer.json"
            try Self.parse(fast) { reader in try self.readFast(&reader) }
        } else {
            throw TokenizerError.noTokenizer(directory: directory.path)
        }
        if let config = present("tokenizer_config.json") {
            try Self.parse(config) { reader in try self.readConfig(&reader) }
        }
        if added.isEmpty, let fast {
            try Self.parse(fast) { reader in try self.readAddedOnly(&reader) }
        }
        if added.isEmpty, let file = present("added_tokens.json") {
            try Self.parse(file) { reader in
                try reader.object { reader, content in
                    try self.added.append(AddedToken(id: reader.id(), content: String(decoding: content, as: UTF8.self)))
                }
            }
        }
    }

    private static func read(_ url: URL) throws -> [UInt8] {
        let data: Data
        do {
            let size = try url.resourceValues(forKeys: [.fileSizeKey]).fileSize ?? 0
            guard size <= sizeLimit else {
                throw TokenizerError.unreadable(file: url.path, reason: "\(size) bytes is more than any tokenizer has")
            }
            data = try Data(contentsOf: url)
        } catch let error as TokenizerError {
            throw error
        } catch {
            throw TokenizerError.unreadable(file: url.path, reason: error.localizedDescription)
        }
        let bytes = [UInt8](data)
        guard String(validating: bytes, as: UTF8.self) != nil else { throw TokenizerError.invalidUTF8(file: url.path) }
        return bytes
    }

    private static func parse(_ url: URL, _ body: (inout JSONReader) throws -> Void) throws {
        var reader = JSONReader(try read(url))
        do {
            try body(&reader)
            try reader.end()
        } catch let failure as JSONReader.Failure {
            throw TokenizerError.malformed(file: url.path, byte: failure.byte, reason: failure.reason)
        } catch let wrong as Unsupported {
            throw TokenizerError.unsupported(file: url.path, what: wrong.what)
        }
    }

    private struct Unsupported: Error { let what: String }

    private mutating func readVocabulary(_ reader: inout JSONReader) throws {
        try reader.object { reader, spelling in try spellings.append((spelling, reader.integer())) }
    }

    /// One rule a line, two spellings separated by a space; a first line "#version" is skipped, as are empty lines.
    private mutating func readMerges(_ url: URL) throws {
        let bytes = try Self.read(url)
        mergesFile = url.path
        var start = 0
        while start < bytes.count {
            let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
            var line = bytes[start..<end]
            if line.last == UInt8(ascii: "\r") { line.removeLast() }
            let isHeader = start == 0 && line.starts(with: "#version".utf8)
            if !line.isEmpty, !isHeader {
                guard let rule = Self.rule(line) else {
                    throw TokenizerError.malformed(file: url.path, byte: start, reason: "expected two tokens on a line")
                }
                merges.append(rule)
            }
            start = end + 1
        }
    }

    private static func rule(_ line: ArraySlice<UInt8>) -> (left: ArraySlice<UInt8>, right: ArraySlice<UInt8>)? {
        guard let space = line.firstIndex(of: UInt8(ascii: " ")) else { return nil }
        let (left, right) = (line[..<space], line[(space + 1)...])
        return left.isEmpty || right.isEmpty || right.contains(UInt8(ascii: " ")) ? nil : (left, right)
    }

    // MARK: tokenizer_config.json

    private mutating func readConfig(_ reader: inout JSONReader) throws {
        try reader.object { reader, key in
            switch String(decoding: key, as: UTF8.self) {
            case "added_tokens_decoder":
                try reader.object { reader, key in
                    let start = reader.position
                    guard let id = Int32(String(decoding: key, as: UTF8.self)) else {
                        throw reader.failure("the keys of added_tokens_decoder must be ids", at: start)
                    }
                    try added.append(Self.addedToken(&reader, id: id))
                }
            case "eos_token": endToken = try Self.tokenName(&reader)
            case "pad_token": padToken = try Self.tokenName(&reader)
            default: try reader.skip()
            }
        }
    }

    /// A token given as a string, as an object with "content", or as null.
    private static func tokenName(_ reader: inout JSONReader) throws -> String? {
        if try reader.literal("null") { return nil }
        if reader.peek() == UInt8(ascii: "\"") { return try reader.text() }
        return try addedToken(&reader, id: -1).content
    }

    private static func addedToken(_ reader: inout JSONReader, id: Int32?) throws -> AddedToken {
        var token = AddedToken(id: id ?? -1, content: "", isSpecial: false)
        let start = reader.position
        try reader.object { reader, key in
            switch String(decoding: key, as: UTF8.self) {
            case "id": token.id = try reader.id()
            case "content": token.content = try reader.text()
            case "special": token.isSpecial = try reader.boolean()
            case "lstrip": token.stripsLeft = try reader.boolean()
            case "rstrip": token.stripsRight = try reader.boolean()
            default: try reader.skip()
            }
        }
        guard !token.content.isEmpty else { throw reader.failure("an added token without content", at: start) }
        return token
    }

    // MARK: tokenizer.json

    private mutating func readAddedOnly(_ reader: inout JSONReader) throws {
        try reader.object { reader, key in
            if key == Array("added_tokens".utf8) { try readAdded(&reader) } else { try reader.skip() }
        }
    }

    private mutating func readAdded(_ reader: inout JSONReader) throws {
        try reader.array { try added.append(Self.addedToken(&$0, id: nil)) }
    }

    private mutating func readFast(_ reader: inout JSONReader) throws {
        try reader.object { reader, key in
            switch String(decoding: key, as: UTF8.self) {
            case "added_tokens": try readAdded(&reader)
            case "model": try readModel(&reader)
            case "normalizer": try Self.requireType(&reader, "NFC", for: "normalizer")
            case "pre_tokenizer": try Self.requirePattern(&reader)
            default: try reader.skip()
            }
        }
    }

    private mutating func readModel(_ reader: inout JSONReader) throws {
        try reader.object { reader, key in
            switch String(decoding: key, as: UTF8.self) {
            case "type":
                let type = try reader.text()
                if type != "BPE" { throw Unsupported(what: "the model type \(type)") }
            case "ignore_merges":
                if try reader.boolean() { throw Unsupported(what: "ignore_merges") }
            case "vocab": try readVocabulary(&reader)
            case "merges":
                try reader.array { reader in
                    let start = reader.position
                    var parts: [ArraySlice<UInt8>] = []
                    if reader.peek() == UInt8(ascii: "[") {
                        try reader.array { try parts.append($0.string()[...]) }
                    } else if let rule = Self.rule(try reader.string()[...]) {
                        parts = [rule.left, rule.right]
                    }
                    guard parts.count == 2 else { throw reader.failure("a merge must be two tokens", at: start) }
                    merges.append((parts[0], parts[1]))
                }
            default: try reader.skip()
            }
        }
    }

    private static func requireType(_ reader: inout JSONReader, _ type: String, for part: String) throws {
        if try reader.literal("null") { throw Unsupported(what: "no \(part)") }
        try reader.object { reader, key in
            guard key == Array("type".utf8) else { return try reader.skip() }
            let found = try reader.text()
            if found != type { throw Unsupported(what: "the \(part) \(found)") }
        }
    }

    /// Any pattern in the file must be the one that ``PreTokenizer`` implements.
    private static func requirePattern(_ reader: inout JSONReader) throws {
        let pattern = #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|"#
            + #" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
        if try reader.literal("null") { throw Unsupported(what: "no pre-tokenisation") }
        var found = false
        func search(_ reader: inout JSONReader) throws {
            switch reader.peek() {
            case UInt8(ascii: "["): try reader.array(search)
            case UInt8(ascii: "{"):
                try reader.object { reader, key in
                    guard key == Array("Regex".utf8) else { return try search(&reader) }
                    let text = try reader.text()
                    if text != pattern { throw Unsupported(what: "the pre-tokenisation pattern \(text)") }
                    found = true
                }
            default: try reader.skip()
            }
        }
        try search(&reader)
        if !found { throw Unsupported(what: "another pre-tokenisation than Qwen2's") }
    }
}

extension JSONReader {
    /// A token id. Those outside 32 bits become -1, which the vocabulary refuses by name.
    fileprivate mutating func id() throws -> Int32 { Int32(exactly: try integer()) ?? -1 }
}
