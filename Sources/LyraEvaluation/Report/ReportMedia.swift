// Media of items, small enough to lie within the report itself.
import Foundation
import LyraMedia

enum ReportMedia {
    private static let largestSide = 420
    private static let longestSound = 60.0
    private static let smallFile = 200 << 10

    /// The medium as HTML; words where it cannot be shown.
    static func html(_ medium: ItemRecord.Medium) -> String {
        let name = HTML.escape((medium.path as NSString).lastPathComponent)
        do {
            switch medium.kind {
            case .image: return "<img alt=\"\(name)\" title=\"\(name)\" src=\"\(try picture(medium.path))\">"
            case .video: return try filmstrip(medium.path, name)
            case .speech: return "<figure class=\"sound\">\(try sound(medium.path))<figcaption>\(name)</figcaption></figure>"
            case .made: return "<p class=\"muted\">\(HTML.escape(medium.path))</p>"
            }
        } catch {
            return "<p class=\"muted\">\(name): \(HTML.escape(error.localizedDescription))</p>"
        }
    }

    private static func picture(_ path: String) throws -> String {
        let kinds = ["png": "png", "jpg": "jpeg", "jpeg": "jpeg", "webp": "webp", "gif": "gif"]
        let size = (try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int) ?? nil
        if let kind = kinds[(path as NSString).pathExtension.lowercased()], let size, size <= smallFile,
            let data = FileManager.default.contents(atPath: path)
        {
            return "data:image/\(kind);base64,\(data.base64EncodedString())"
        }
        return try encoded(small(try ImageReader.read(.file(path)), side: largestSide))
    }

    private static func small(_ image: RGBImage, side: Int) -> RGBImage {
        let scale = Double(side) / Double(max(image.width, image.height))
        guard scale < 1 else { return image }
        return image.resizedAntialiased(
            width: max(1, Int(Double(image.width) * scale)), height: max(1, Int(Double(image.height) * scale)))
    }

    private static func encoded(_ image: RGBImage) throws -> String {
        "data:image/png;base64,\(Data(try image.pngData()).base64EncodedString())"
    }

    /// Four frames beside each other.
    private static func filmstrip(_ path: String, _ name: String) throws -> String {
        let reader = try VideoReader(.file(path)), count = reader.info.frameCount
        let places = Array(Set((0..<4).map { $0 * max(0, count - 1) / 3 })).sorted()
        let frames = try reader.frames(at: places) { small($0, side: 180) }
        let images = try frames.map { "<img alt=\"\" src=\"\(try encoded($0))\">" }.joined()
        return "<figure class=\"film\">\(images)<figcaption>\(name), \(NumberText.duration(reader.info.duration))</figcaption></figure>"
    }

    /// A player; of long recordings the beginning.
    static func sound(_ path: String) throws -> String {
        let reader = try AudioReader(.file(path)), limit = Int(longestSound) * 16_000
        var samples: [Float] = []
        while samples.count < limit, case let piece = try reader.read(maximumCount: min(1 << 16, limit - samples.count)), !piece.isEmpty {
            samples += piece
        }
        let encoder = try AudioEncoder(format: .mp3, sampleRate: 16_000, bitRate: 24_000)
        let bytes = try encoder.append(samples) + encoder.finish()
        let isCut = samples.count >= limit && (reader.estimatedDuration ?? 0) > longestSound + 1
        return "<audio controls preload=\"none\" src=\"data:audio/mpeg;base64,\(Data(bytes).base64EncodedString())\"></audio>"
            + (isCut ? "<span class=\"muted\">first \(Int(longestSound)) s of \(NumberText.duration(reader.estimatedDuration ?? 0))</span>" : "")
    }
}
