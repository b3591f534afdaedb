// Pictures of which is known what they show where, from data files: "image" and "regions" of an item.
import Foundation
import Lyra
import LyraMedia
import LyraModel

/// A picture in the size that the vision tower sees, and what is in each of its tokens.
struct LabelledPicture: Sendable {
    var picture: RGBImage
    /// Labels by token, row by row: none where there is nothing, nil where there is only a bit of something.
    var labels: [[Int]?]
}

/// The labelled pictures of several data files, numbered through. Other keys of their items do not matter.
struct LabelledPictures: Sendable {
    private struct Part: Sendable {
        let file: DataFile
        let folders: MediaFolders
        let first: Int
    }

    private struct Stored: Decodable {
        struct Region: Decodable {
            var box: [Double]
            var labels: [String]
        }
        var id: String?
        var image: String?
        var regions: [Region]?
    }

    private let parts: [Part]
    private let media: MediaPreparation
    let count: Int
    /// All labels there are, in alphabetical order.
    let labels: [String]
    /// What the labels of regions are made of.
    private let numbers: [String: [Int]]

    /// Goes through the files once, for their labels.
    /// - Parameters:
    ///   - labels: those to be used instead; others are left out.
    ///   - parts: what a region's label is made of, each part a label of its own.
    /// - Throws: ``DataFileError``, ``BadSample``.
    init(
        _ sources: [DataSource], _ media: MediaPreparation, labels known: [String]? = nil, parts split: (String) -> [String] = { [$0] }
    ) throws {
        var parts: [Part] = [], count = 0
        for source in sources {
            let file = try DataFile(source.path)
            parts.append(Part(file: file, folders: MediaFolders(source), first: count))
            count += file.count
        }
        guard count > 0 else { throw DataFileError.noSamples(paths: sources.map(\.path)) }
        (self.parts, self.media, self.count) = (parts, media, count)
        var found: Set<String> = []
        for part in parts {
            for place in 0..<part.file.count { found.formUnion(try Self.stored(part, place).regions?.flatMap(\.labels) ?? []) }
        }
        let made = found.map { ($0, split($0)) }
        labels = known ?? Set(made.flatMap(\.1)).sorted()
        let places = Dictionary(uniqueKeysWithValues: zip(labels, 0...))
        numbers = Dictionary(uniqueKeysWithValues: made.map { ($0, $1.compactMap { places[$0] }) })
    }

    private static func stored(_ part: Part, _ place: Int) throws -> Stored {
        let stored: Stored
        do { stored = try JSONDecoder().decode(Stored.self, from: Data(part.file.bytes(place))) } catch let error as DecodingError {
            throw part.file.bad(place, id: nil, SampleFault(.wrongKey, error.summary))
        }
        for (number, region) in (stored.regions ?? []).enumerated() {
            let box = region.box
            guard box.count == 4, box.allSatisfy(\.isFinite), box[0] <= box[2], box[1] <= box[3] else {
                throw part.file.bad(
                    place, id: stored.id,
                    SampleFault(.wrongKey, key: "regions[\(number)].box", "expected left, top, right and bottom in pixels"))
            }
        }
        return stored
    }

    /// - Parameter side: pixels of a token.
    /// - Throws: ``BadSample`` if the item has no picture with regions, or its file is not one.
    func item(_ index: Int, side: Int) throws -> LabelledPicture {
        guard let part = parts.last(where: { $0.first <= index }) else { throw DataFileError.noSamples(paths: []) }
        let place = index - part.first, stored = try Self.stored(part, place)
        guard let image = stored.image, let regions = stored.regions else {
            throw part.file.bad(place, id: stored.id, SampleFault(.wrongKey, key: "regions", "the item has no picture with regions"))
        }
        let source = MediaSource.file(MediaFolders.join(part.folders.pictures, image)), picture: RGBImage, size: (width: Int, height: Int)
        do {
            size = try ImageReader.size(of: source)
            picture = try media.image(source) { throw SampleFault(.damaged, key: "image", "\(source.description): \($0)") }
        } catch let error as SampleFault {
            throw part.file.bad(place, id: stored.id, error)
        } catch {
            throw part.file.bad(place, id: stored.id, SampleFault(.unreadable, key: "image", error.localizedDescription))
        }
        let columns = picture.width / side, rows = picture.height / side
        let scale = (x: Double(columns) / Double(size.width), y: Double(rows) / Double(size.height))
        var labels = [Set<Int>](repeating: [], count: rows * columns), touched = [Bool](repeating: false, count: rows * columns)
        for region in regions {
            let numbers = region.labels.flatMap { self.numbers[$0] ?? [] }
            let (left, right) = (region.box[0] * scale.x, region.box[2] * scale.x)
            let (top, bottom) = (region.box[1] * scale.y, region.box[3] * scale.y)
            let held = Self.tokens(top, bottom, rows).flatMap { row in Self.tokens(left, right, columns).map { row * columns + $0 } }
            // In reading order, each label as many tokens as another, or each token as many labels.
            for (place, token) in held.enumerated() {
                let first = place * numbers.count / held.count, last = max(first + 1, (place + 1) * numbers.count / held.count)
                labels[token].formUnion(numbers[first..<min(last, numbers.count)])
            }
            for row in Self.touched(top, bottom, rows) {
                for column in Self.touched(left, right, columns) { touched[row * columns + column] = true }
            }
        }
        return LabelledPicture(picture: picture, labels: zip(labels, touched).map { $0.isEmpty && $1 ? nil : $0.sorted() })
    }

    /// Tokens of a row or column that a stretch takes any part of.
    private static func touched(_ low: Double, _ high: Double, _ count: Int) -> Range<Int> {
        let first = max(0, min(Double(count), low.rounded(.down))), last = max(first, min(Double(count), high.rounded(.up)))
        return Int(first)..<Int(last)
    }

    /// Tokens of a row or column that a stretch takes a good part of, or that hold a good part of it; in units of tokens.
    static func tokens(_ low: Double, _ high: Double, _ count: Int) -> [Int] {
        guard high > 0, low < Double(count) else { return [] }
        let first = Int(max(0, low.rounded(.down))), last = Int(min(Double(count - 1), high.rounded(.down)))
        return (first...max(first, last)).filter { token in
            let shared = min(high, Double(token + 1)) - max(low, Double(token))
            return shared >= 0.4 * min(1, high - low)
        }
    }
}
