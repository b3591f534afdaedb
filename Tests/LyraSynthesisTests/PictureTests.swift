// Pictures show what the answers say: seen in pixels, not in the scene that drew them.
import Foundation
import LyraMedia
import Testing

@testable import LyraSynthesis

struct PictureTests {
    private func draw(_ scene: any Scene, _ seed: Int = 0) throws -> RGBImage {
        var random = SeededRandom(1, "draw", seed)
        let canvas = try Canvas()
        scene.draw(canvas, &random)
        return try canvas.image()
    }

    /// The named colour that a pixel is nearest to; nil for paper.
    private func colour(_ image: RGBImage, _ x: Int, _ y: Int) -> Colour? {
        let at = (y * image.width + x) * 3
        let pixel = (0..<3).map { Double(image.pixels[at + $0]) / 255 }
        func distance(_ c: (Double, Double, Double)) -> Double {
            pow(pixel[0] - c.0, 2) + pow(pixel[1] - c.1, 2) + pow(pixel[2] - c.2, 2)
        }
        let nearest = Colour.allCases.min { distance($0.rgb) < distance($1.rgb) } ?? .red
        let paper = Colour.papers.map(distance).min() ?? 9
        return paper < distance(nearest.rgb) ? nil : nearest
    }

    private func counts(_ image: RGBImage, _ xs: Range<Int>, _ ys: Range<Int>) -> [Colour: Int] {
        var counts: [Colour: Int] = [:]
        for y in ys { for x in xs { if let colour = colour(image, x, y) { counts[colour, default: 0] += 1 } } }
        return counts
    }

    /// Each of the nine places holds the colour that the scene says, or none; big shapes cover more than small ones.
    @Test func shapesAreWhereTheyAreSaidToBe() throws {
        var areas: [Bool: [Int]] = [:]
        for index in 0..<40 {
            var random = SeededRandom(6, index)
            let scene = index % 2 == 0 ? ShapeScene(mixed: &random) : ShapeScene(counting: &random)
            let image = try draw(scene, index)
            #expect((image.width, image.height) == (224, 224))
            for place in 0..<9 {
                let x = place % 3 * 75, y = place / 3 * 75
                let found = counts(image, x..<min(x + 74, 224), y..<min(y + 74, 224)).max { $0.value < $1.value }
                let shape = scene.shapes.first { $0.place == place }
                // A grey background is nearer to grey than any paper is to a light shade.
                guard let shape else {
                    #expect((found?.value ?? 0) < 60, "item \(index), place \(place)")
                    continue
                }
                #expect(found?.key == shape.colour, "item \(index), place \(place): \(shape)")
                if shape.kind == .square || shape.kind == .circle { areas[shape.isBig, default: []].append(found?.value ?? 0) }
            }
        }
        #expect(try #require(areas[true]?.min()) > 2 * (try #require(areas[false]?.max())))
    }

    /// Regions lie where their colour is, and text has its letters.
    @Test func regionsSayWhatIsWhere() throws {
        for index in 0..<30 {
            var random = SeededRandom(9, index), noise = SeededRandom(9, "draw", index)
            let scene = ShapeScene(mixed: &random), canvas = try Canvas()
            scene.draw(canvas, &noise)
            let image = try canvas.image()
            #expect(canvas.regions.map { $0.labels.prefix(3).joined(separator: " ") } == scene.shapes.map(\.fullName))
            for region in canvas.regions {
                let box = region.box.map { Int($0) }
                let found = counts(image, max(0, box[0])..<min(224, box[2]), max(0, box[1])..<min(224, box[3])).max { $0.value < $1.value }
                #expect(found?.key.rawValue == region.labels[1], "item \(index)")
            }
        }
        let canvas = try Canvas()
        canvas.fill((1, 1, 1))
        canvas.set((0, 0, 0))
        canvas.font(.plain, size: 30)
        canvas.text("Go 42", at: 10, 50)
        let letters = canvas.regions
        #expect(letters.map(\.labels) == [["letter g"], ["letter o"], ["letter 4"], ["letter 2"]])
        #expect(zip(letters, letters.dropFirst()).allSatisfy { $0.box[2] <= $1.box[0] + 0.2 })
        let image = try canvas.image()
        for letter in letters {
            let ink = (Int(letter.box[1])..<Int(letter.box[3])).contains { y in
                (Int(letter.box[0])..<Int(letter.box[2])).contains { x in image.pixels[(y * 224 + x) * 3] < 100 }
            }
            #expect(ink)
        }
    }

    @Test func pagesAreFullOfWordsAndAskForThem() throws {
        var words = 0, after = 0
        for index in 0..<40 {
            var random = SeededRandom(11, index), noise = SeededRandom(11, "draw", index)
            let scene = PageScene(&random), canvas = try Canvas()
            scene.draw(canvas, &noise)
            _ = try canvas.image()
            let written = canvas.regions.filter { !$0.labels[0].hasPrefix(Region.letter) }
            words += written.count
            #expect(written.count == scene.words.count && Set(scene.words).count == scene.words.count, "item \(index)")
            #expect(canvas.regions.allSatisfy { $0.box[0] >= 0 && $0.box[2] <= 226 && $0.box[1] >= 0 && $0.box[3] <= 226 }, "item \(index)")
            // Drawn in reading order.
            #expect(written.map(\.labels[0]) == scene.words, "item \(index)")
            #expect(written.filter { $0.labels[1] == scene.colour.rawValue }.count == 1, "item \(index)")
            for _ in 0..<10 {
                let question = scene.question(.train, &random), answer = question.accepted[0]
                switch question.kind {
                case "text" where answer.contains(" "): #expect(answer == scene.words.joined(separator: " ").lowercased())
                case "text":
                    let place = try #require(scene.words.firstIndex { $0.lowercased() == answer })
                    let asked = question.text.split { !$0.isLetter && !$0.isNumber }.map(String.init)
                    guard asked.contains("after") || asked.contains("before"), let named = scene.words.firstIndex(where: asked.contains) else { break }
                    after += 1
                    #expect(place == named + (asked.contains("after") ? 1 : -1), "\(question)")
                default: break
                }
            }
        }
        #expect(words > 40 * 8 && after > 20)
    }

    /// All that a description tells of a picture is to be read in its regions, so that a vision tower can learn to say it.
    @Test(arguments: SceneKind.allCases) func regionsTellWhatThereIs(kind: SceneKind) throws {
        let frame: Set = [
            "a", "an", "and", "at", "bar", "called", "chart", "for", "from", "grid", "in", "it", "large", "list", "map", "number", "of", "on", "pie", "says",
            "shows", "small", "that", "the", "to", "with", "word",
        ]
        for index in 0..<30 {
            var random = SeededRandom(13, "\(kind)", index)
            let scene = kind.scene(.train, &random), canvas = try Canvas()
            scene.draw(canvas, &random)
            let said = Set(canvas.regions.flatMap(\.labels).map { $0.lowercased() })
            let told = scene.description.lowercased().split { $0 == " " || $0 == "," || $0 == "-" }.map(String.init)
            for word in told where !frame.contains(word) {
                #expect(said.contains(word) || word.allSatisfy { $0.isNumber && said.contains("\($0)") }, "\(scene.description): \(word)")
            }
        }
    }

    @Test func theFrontShapeCoversTheOther() throws {
        for index in 0..<20 {
            var random = SeededRandom(7, index)
            let scene = OverlapScene(&random)
            let found = counts(try draw(scene, index), 60..<164, 60..<164)
            #expect(found[scene.front.colour, default: 0] > 500 && found[scene.back.colour, default: 0] > 300)
            #expect(Question.accepts(scene, "front", index))
        }
    }

    @Test func barsAreAsHighAsTheyAreSaidToBe() throws {
        for index in 0..<20 {
            var random = SeededRandom(8, index)
            let chart = BarChart(&random)
            let image = try draw(chart, index)
            let left = chart.showsValues ? 14.0 : 32.0, slot = (218 - left) / Double(chart.bars.count)
            for (number, bar) in chart.bars.enumerated() {
                let x = Int(left + slot * (Double(number) + 0.5) - slot * 0.2)
                let height = (20..<190).count { colour(image, x, $0) == bar.colour }
                #expect(abs(Double(height) / 17 - Double(bar.value)) < 0.4, "chart \(index), \(bar): \(height)")
            }
        }
    }

    /// The same numbers draw the same picture, other numbers another.
    @Test func drawingIsDeterministic() throws {
        for kind in SceneKind.allCases {
            var a = SeededRandom(9, "\(kind)"), b = SeededRandom(9, "\(kind)")
            let scene = kind.scene(.train, &a), same = kind.scene(.train, &b)
            #expect(scene.content == same.content)
            #expect(try draw(scene) == draw(same))
            #expect(try draw(scene, 1) != draw(scene, 2))
        }
    }

    @Test func videosShowTheirEvent() throws {
        var moved = 0
        for index in 0..<30 {
            var random = SeededRandom(10, index)
            let scene = VideoScene.random(.train, &random)
            let frames = try scene.frames(&random).map { try $0.image() }
            #expect(frames.count == 16 && frames[0].width == 112)
            // Outlines of other shapes can look black: a moving shape is looked for where it alone is.
            var columns = 0..<112, rows = 0..<112
            if case .moves(let direction) = scene.event {
                let lane = direction.step.x != 0 ? scene.shape.place / 3 : scene.shape.place % 3
                let range = (lane * 112 / 3)..<((lane + 1) * 112 / 3)
                if direction.step.x != 0 { rows = range } else { columns = range }
            }
            /// Pixels of the shape's first colour, and their middle.
            func blob(_ image: RGBImage) -> (count: Int, x: Double, y: Double) {
                var count = 0, sx = 0, sy = 0
                for y in rows { for x in columns where colour(image, x, y) == scene.shape.colour { (count, sx, sy) = (count + 1, sx + x, sy + y) } }
                return (count, Double(sx) / Double(max(1, count)), Double(sy) / Double(max(1, count)))
            }
            let (first, last) = (blob(frames[0]), blob(frames[15]))
            switch scene.event {
            case .moves(let direction):
                moved += 1
                #expect(abs(last.x - first.x - direction.step.x * 80) < 5, "\(scene.content)")
                #expect(abs(last.y - first.y - direction.step.y * 80) < 5, "\(scene.content)")
            case .turns: #expect(first.count > 60 && last.count * 2 < first.count, "\(scene.content)")
            case .appears: #expect(first.count < 20 && last.count > 60, "\(scene.content)")
            case .disappears: #expect(first.count > 60 && last.count < 20, "\(scene.content)")
            case .grows: #expect(last.count > 2 * first.count, "\(scene.content)")
            case .shrinks: #expect(first.count > 2 * last.count, "\(scene.content)")
            }
        }
        #expect(moved > 5)
    }
}

extension Question {
    /// Whether a scene's questions of a kind name the front or the back shape, as they ask.
    fileprivate static func accepts(_ scene: OverlapScene, _ kind: String, _ seed: Int) -> Bool {
        var random = SeededRandom(11, seed)
        return (0..<20).allSatisfy { _ in
            let question = scene.question(.train, &random)
            guard question.kind == kind, !question.text.contains(" of ") else { return true }
            let shape = question.text.contains("behind") ? scene.back : scene.front
            return question.accepted[0] == "the \(shape.kind)"
        }
    }
}
