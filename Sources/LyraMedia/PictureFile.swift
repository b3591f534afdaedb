// What a picture file says in its first bytes, read without decoding: its format, size and orientation.

/// A format of still pictures, and FFmpeg's decoder for it.
enum PictureFormat: String {
    case png, jpeg = "mjpeg", gif, webp, bmp, tiff, qoi, jpeg2000 = "libopenjpeg"
    case pbm, pgm, ppm, pam

    init?(_ bytes: [UInt8]) {
        func begins(_ signature: [UInt8], at offset: Int = 0) -> Bool { bytes.dropFirst(offset).starts(with: signature) }
        func begins(_ signature: String, at offset: Int = 0) -> Bool { begins(Array(signature.utf8), at: offset) }
        if begins([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) { self = .png }
        else if begins([0xFF, 0xD8, 0xFF]) { self = .jpeg }
        else if begins("GIF87a") || begins("GIF89a") { self = .gif }
        else if begins("RIFF") && begins("WEBP", at: 8) { self = .webp }
        else if begins("BM") && bytes.count > 26 { self = .bmp }
        else if begins("II*\0") || begins("MM\0*") { self = .tiff }
        else if begins("qoif") { self = .qoi }
        else if begins([0, 0, 0, 12, 0x6A, 0x50, 0x20, 0x20]) { self = .jpeg2000 }
        else if begins("P1") || begins("P4") { self = .pbm }
        else if begins("P2") || begins("P5") { self = .pgm }
        else if begins("P3") || begins("P6") { self = .ppm }
        else if begins("P7\n") { self = .pam }
        else { return nil }
    }
}

/// Bounds-checked numbers in bytes.
struct ByteView {
    let bytes: ArraySlice<UInt8>
    init(_ bytes: ArraySlice<UInt8>) { self.bytes = bytes }
    var count: Int { bytes.count }
    func byte(_ offset: Int) -> Int? {
        offset >= 0 && offset < bytes.count ? Int(bytes[bytes.startIndex + offset]) : nil
    }
    func number(_ offset: Int, bytes count: Int, bigEndian: Bool) -> Int? {
        guard offset >= 0, offset + count <= bytes.count else { return nil }
        let part = bytes[(bytes.startIndex + offset)..<(bytes.startIndex + offset + count)]
        return bigEndian ? part.reduce(0) { $0 << 8 | Int($1) } : part.reversed().reduce(0) { $0 << 8 | Int($1) }
    }
    func slice(_ offset: Int, _ length: Int) -> ArraySlice<UInt8> {
        let start = min(max(0, offset), bytes.count), end = min(start + max(0, length), bytes.count)
        return bytes[(bytes.startIndex + start)..<(bytes.startIndex + end)]
    }
    func tag(_ offset: Int) -> String? {
        offset + 4 <= count ? String(decoding: slice(offset, 4), as: UTF8.self) : nil
    }
}

/// Size and EXIF block of a picture file, as far as its header tells.
struct PictureHeader {
    var width: Int?
    var height: Int?
    /// EXIF's own content: a small TIFF structure.
    var exif: ArraySlice<UInt8>?

    init(_ bytes: [UInt8], format: PictureFormat) {
        let view = ByteView(bytes[...])
        switch format {
        case .png: readPNG(view)
        case .jpeg: readJPEG(view)
        case .webp: readWebP(view)
        case .gif:
            width = view.number(6, bytes: 2, bigEndian: false)
            height = view.number(8, bytes: 2, bigEndian: false)
        case .bmp:
            width = view.number(18, bytes: 4, bigEndian: false)
            height = view.number(22, bytes: 4, bigEndian: false).map { $0 > 1 << 31 ? (1 << 32) - $0 : $0 }
        case .qoi:
            width = view.number(4, bytes: 4, bigEndian: true)
            height = view.number(8, bytes: 4, bigEndian: true)
        case .tiff: exif = bytes[...]
        default: break
        }
    }

    private mutating func readPNG(_ view: ByteView) {
        width = view.number(16, bytes: 4, bigEndian: true)
        height = view.number(20, bytes: 4, bigEndian: true)
        for chunk in PNGChunks(view) where chunk.type == "eXIf" { exif = chunk.content }
    }

    private mutating func readJPEG(_ view: ByteView) {
        var offset = 2
        while let mark = view.byte(offset), let kind = view.byte(offset + 1) {
            guard mark == 0xFF else { return }
            if kind == 0xFF { offset += 1; continue }  // padding
            if kind == 0xD8 || (0xD0...0xD7).contains(kind) || kind == 1 { offset += 2; continue }
            if kind == 0xDA || kind == 0xD9 { return }  // pixels, end
            guard let length = view.number(offset + 2, bytes: 2, bigEndian: true), length >= 2 else { return }
            if (0xC0...0xCF).contains(kind) && ![0xC4, 0xC8, 0xCC].contains(kind) {
                height = view.number(offset + 5, bytes: 2, bigEndian: true)
                width = view.number(offset + 7, bytes: 2, bigEndian: true)
            } else if kind == 0xE1, exif == nil, view.slice(offset + 4, 6).elementsEqual("Exif\0\0".utf8) {
                exif = view.slice(offset + 10, length - 8)
            }
            offset += 2 + length
        }
    }

    private mutating func readWebP(_ view: ByteView) {
        for chunk in RIFFChunks(view) {
            let content = ByteView(chunk.content)
            switch chunk.type {
            case "VP8X":
                width = content.number(4, bytes: 3, bigEndian: false).map { $0 + 1 }
                height = content.number(7, bytes: 3, bigEndian: false).map { $0 + 1 }
            case "EXIF":
                let prefixed = content.slice(0, 6).elementsEqual("Exif\0\0".utf8)
                exif = prefixed ? content.slice(6, content.count) : chunk.content
            default: break
            }
        }
    }

    /// EXIF orientation, 1 where none is given.
    var orientation: Int {
        guard let exif else { return 1 }
        let view = ByteView(exif)
        guard let order = view.byte(0), order == view.byte(1), order == 0x4D || order == 0x49 else { return 1 }
        let big = order == 0x4D
        guard view.number(2, bytes: 2, bigEndian: big) == 42, let first = view.number(4, bytes: 4, bigEndian: big),
            let count = view.number(first, bytes: 2, bigEndian: big)
        else { return 1 }
        for entry in 0..<min(count, 1024) {
            let offset = first + 2 + 12 * entry
            guard let tag = view.number(offset, bytes: 2, bigEndian: big) else { return 1 }
            guard tag == 0x0112 else { continue }
            // A SHORT normally; some programs write a LONG.
            let size = view.number(offset + 2, bytes: 2, bigEndian: big) == 4 ? 4 : 2
            let value = view.number(offset + 8, bytes: size, bigEndian: big) ?? 1
            return (1...8).contains(value) ? value : 1
        }
        return 1
    }
}
