// multipart/form-data (RFC 7578), as browsers and clients upload files with.
import Foundation
import HTTPTypes

struct Multipart {
    struct Field {
        var name: String
        var fileName: String?
        var content: [UInt8]
        var text: String { String(decoding: content, as: UTF8.self) }
    }
    let fields: [Field]

    static let maximumFields = 64
    static let maximumHeaderBytes = 8_192

    /// - Throws: `APIError` that says what is wrong.
    init(_ body: [UInt8], contentType: String?) throws {
        func wrong(_ what: String) -> APIError { .invalid("The form is damaged: \(what).", code: "invalid_form") }
        guard let contentType, contentType.lowercased().hasPrefix("multipart/form-data"),
            let boundary = Self.parameter("boundary", of: contentType), (1...70).contains(boundary.utf8.count)
        else {
            throw APIError(
                status: .unsupportedMediaType, type: "invalid_request_error",
                message: "The body has to be a form (multipart/form-data with a boundary).", code: "invalid_content_type")
        }
        let delimiter = Array("--\(boundary)".utf8), lineBreak = Array("\r\n".utf8)
        guard var place = Self.find(delimiter, in: body, from: 0) else { throw wrong("its boundary does not occur") }
        var fields: [Field] = []
        while true {
            place += delimiter.count
            if body[place...].starts(with: Array("--".utf8)) { break }
            guard body[place...].starts(with: lineBreak) else { throw wrong("a boundary is not followed by a line break") }
            guard let headersEnd = Self.find(Array("\r\n\r\n".utf8), in: body, from: place), headersEnd - place <= Self.maximumHeaderBytes
            else { throw wrong("a part has no end of its headers") }
            let headers = String(decoding: body[place..<headersEnd], as: UTF8.self)
            let start = headersEnd + 4
            guard let end = Self.find(lineBreak + delimiter, in: body, from: start) else { throw wrong("it ends within a part") }
            let disposition = headers.split(separator: "\r\n").first { $0.lowercased().hasPrefix("content-disposition:") }
            guard let disposition, let name = Self.parameter("name", of: String(disposition)) else { throw wrong("a part has no name") }
            fields.append(Field(name: name, fileName: Self.parameter("filename", of: String(disposition)), content: Array(body[start..<end])))
            guard fields.count <= Self.maximumFields else { throw wrong("it has more than \(Self.maximumFields) parts") }
            place = end + 2
        }
        self.fields = fields
    }

    func text(_ name: String) -> String? { fields.first { $0.name == name && $0.fileName == nil }?.text }
    func texts(_ name: String) -> [String] { fields.filter { $0.name == name }.map(\.text) }

    /// - Throws: `APIError` if there is no such file, or an empty one.
    func file(_ name: String) throws -> Field {
        guard let file = fields.first(where: { $0.name == name }) else {
            throw APIError.invalid("Missing required parameter: '\(name)'.", param: name, code: "missing_required_parameter")
        }
        guard !file.content.isEmpty else { throw APIError.invalid("The file is empty.", param: name, code: "invalid_media") }
        return file
    }

    /// `name="value"` or `name=value` after a semicolon.
    private static func parameter(_ name: String, of header: String) -> String? {
        var rest = header[...]
        while let semicolon = rest.firstIndex(of: ";") {
            rest = rest[rest.index(after: semicolon)...].drop { $0 == " " }
            guard let equals = rest.firstIndex(of: "=") else { return nil }
            let key = rest[..<equals].lowercased()
            var value = rest[rest.index(after: equals)...]
            if value.first == "\"" {
                value = value.dropFirst()
                guard let end = value.firstIndex(of: "\"") else { return nil }
                rest = value[value.index(after: end)...]
                value = value[..<end]
            } else {
                value = value.prefix { $0 != ";" && $0 != " " && $0 != "\r" }
            }
            if key == name { return String(value) }
        }
        return nil
    }

    /// Where `pattern` next occurs.
    private static func find(_ pattern: [UInt8], in bytes: [UInt8], from start: Int) -> Int? {
        guard start <= bytes.count else { return nil }
        return bytes.withUnsafeBytes { buffer in
            guard let base = buffer.baseAddress else { return nil }
            var place = start
            // The beginning is looked for by the library's fast search.
            while place + pattern.count <= buffer.count, let next = memchr(base + place, Int32(pattern[0]), buffer.count - place) {
                place = UnsafeRawPointer(next) - base
                guard place + pattern.count <= buffer.count else { return nil }
                if memcmp(base + place, pattern, pattern.count) == 0 { return place }
                place += 1
            }
            return nil
        }
    }
}
