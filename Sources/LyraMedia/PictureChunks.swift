// The chunks that PNG and WebP files consist of; and what has to be changed before FFmpeg decodes them.

/// Chunks of a PNG file in order. Stops where the file does.
struct PNGChunks: Sequence, IteratorProtocol {
    private let view: ByteView
    private var offset = 8

    init(_ view: ByteView) { self.view = view }

    /// `whole` is the chunk with length, type and checksum.
    mutating func next() -> (type: String, content: ArraySlice<UInt8>, whole: ArraySlice<UInt8>)? {
        guard let length = view.number(offset, bytes: 4, bigEndian: true), let type = view.tag(offset + 4) else { return nil }
        defer { offset += 12 + length }
        return (type, view.slice(offset + 8, length), view.slice(offset, 12 + length))
    }

    /// The file without profiles and comments. Decoders inflate those too, and a few hostile kilobytes become gigabytes.
    static func withoutText(_ bytes: [UInt8]) -> [UInt8] {
        let compressed: Set = ["iCCP", "zTXt", "iTXt"]
        guard PNGChunks(ByteView(bytes[...])).contains(where: { compressed.contains($0.type) }) else { return bytes }
        var kept = Array(bytes.prefix(8))
        kept.reserveCapacity(bytes.count)
        for chunk in PNGChunks(ByteView(bytes[...])) where !compressed.contains(chunk.type) { kept += chunk.whole }
        return kept
    }
}

/// Chunks of a RIFF file (WebP) in order.
struct RIFFChunks: Sequence, IteratorProtocol {
    private let view: ByteView
    private var offset: Int

    init(_ view: ByteView, from offset: Int = 12) {
        self.view = view
        self.offset = offset
    }

    mutating func next() -> (type: String, content: ArraySlice<UInt8>)? {
        guard let type = view.tag(offset), let length = view.number(offset + 4, bytes: 4, bigEndian: false) else { return nil }
        defer { offset += 8 + length + length % 2 }
        return (type, view.slice(offset + 8, length))
    }
}

/// The first frame of an animated WebP, as a file of its own, which FFmpeg 5 can decode.
struct WebPFrame {
    let file: [UInt8]
    /// Place on the canvas.
    let x: Int
    let y: Int

    /// Nil if the file is no animation.
    init?(firstOf bytes: [UInt8]) {
        guard let frame = RIFFChunks(ByteView(bytes[...])).first(where: { $0.type == "ANMF" }) else { return nil }
        let header = ByteView(frame.content)
        guard let x = header.number(0, bytes: 3, bigEndian: false), let y = header.number(3, bytes: 3, bigEndian: false),
            let width = header.number(6, bytes: 3, bigEndian: false), let height = header.number(9, bytes: 3, bigEndian: false)
        else { return nil }
        self.x = 2 * x
        self.y = 2 * y
        let content = header.slice(16, header.count - 16)
        let hasAlpha = ByteView(content).tag(0) == "ALPH"
        func little(_ value: Int, _ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }
        var body = Array("WEBP".utf8)
        if hasAlpha {  // an alpha chunk needs the extended header
            body += Array("VP8X".utf8) + little(10, 4) + [0x10, 0, 0, 0] + little(width, 3) + little(height, 3)
        }
        body += content
        file = Array("RIFF".utf8) + little(body.count, 4) + body
    }
}
