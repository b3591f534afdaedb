// Size and frame rules of Qwen2-VL's image and video processing, on plain numbers.
import Foundation

/// Height and width in pixels.
public struct PixelSize: Equatable, Sendable {
    public var height, width: Int
    public init(height: Int, width: Int) { (self.height, self.width) = (height, width) }
}

/// A picture or video no processing rule covers.
public enum ImageGeometryError: Error, LocalizedError, Equatable {
    case tooNarrow(width: Int, height: Int)
    case tooFewFrames(Int)

    public var errorDescription: String? {
        switch self {
        case .tooNarrow(let width, let height):
            "the picture is \(width) x \(height); an aspect ratio beyond 200 is not supported"
        case .tooFewFrames(let count): "the video has \(count) frames; at least 2 are needed"
        }
    }
}

public enum ImageGeometry {
    /// Longer sides are shrunk to this before anything else by the release (nearest neighbour).
    public static let releaseMaximumSide = 2880

    /// The size a picture is resized to: multiples of `factor`, area within the limits, aspect ratio kept as well as it goes.
    /// The rule is Qwen2-VL's `smart_resize`; halves round to even.
    public static func smartResize(_ size: PixelSize, factor: Int = 28, minimumPixels: Int, maximumPixels: Int) throws -> PixelSize {
        let (h, w) = (Double(size.height), Double(size.width))
        guard size.height > 0, size.width > 0, max(h, w) / min(h, w) <= 200 else {
            throw ImageGeometryError.tooNarrow(width: size.width, height: size.height)
        }
        let f = Double(factor)
        var height = max(f, (h / f).rounded(.toNearestOrEven) * f)
        var width = max(f, (w / f).rounded(.toNearestOrEven) * f)
        if height * width > Double(maximumPixels) {
            let beta = (h * w / Double(maximumPixels)).squareRoot()
            height = max(f, (h / beta / f).rounded(.down) * f)
            width = max(f, (w / beta / f).rounded(.down) * f)
        } else if height * width < Double(minimumPixels) {
            let beta = (Double(minimumPixels) / (h * w)).squareRoot()
            height = (h * beta / f).rounded(.up) * f
            width = (w * beta / f).rounded(.up) * f
        }
        return PixelSize(height: Int(height), width: Int(width))
    }

    /// What the release does to a picture before the processor sees it: sides over 2880 shrunk, sides under 28 widened,
    /// extreme aspect ratios squeezed; all by nearest neighbour. nil when nothing is to be done.
    public static func releasePreprocess(_ size: PixelSize) -> PixelSize? {
        var result = size
        let longest = max(result.width, result.height)
        if longest > releaseMaximumSide {
            let factor = Double(releaseMaximumSide) / Double(longest)
            result = PixelSize(height: Int(Double(result.height) * factor), width: Int(Double(result.width) * factor))
        }
        if min(result.width, result.height) < 28 {
            result = PixelSize(height: max(result.height, 28), width: max(result.width, 28))
        }
        if Double(result.width) / Double(result.height) > 200 { result.width = result.height * 180 }
        if Double(result.height) / Double(result.width) > 200 { result.height = result.width * 180 }
        return result == size ? nil : result
    }

    /// How many frames of a video are looked at: 2 a second, at least 4, at most `maximum` (default 768), even.
    public static func frameCount(total: Int, framesPerSecond: Double, maximum: Int? = nil) throws -> Int {
        guard total >= 2 else { throw ImageGeometryError.tooFewFrames(total) }
        let most = Double((maximum ?? min(768, total)) / 2 * 2)
        let rate = framesPerSecond > 0 && framesPerSecond.isFinite ? framesPerSecond : 2
        let wanted = min(max(Double(total) / rate * 2, 4), most)
        let even = Int((wanted / 2).rounded(.toNearestOrEven)) * 2
        return max(2, min(even, total / 2 * 2))
    }

    /// Evenly spaced frame numbers, first and last included, computed in float32 from both ends; halves round to even.
    public static func frameIndices(total: Int, count: Int) -> [Int] {
        guard count > 1 else { return [0] }
        let last = Float(total - 1), step = last / Float(count - 1)
        return (0..<count).map { i in
            let position = i < count / 2 ? step * Float(i) : last - step * Float(count - 1 - i)
            return Int(position.rounded(.toNearestOrEven))
        }
    }

    /// Pixels a frame may have so that the whole video stays within the release's limits.
    public static func maximumFramePixels(frames: Int, totalPixels: Int = 28 * 28 * 2048 * 32, minimumPixels: Int = 28 * 28 * 4) -> Int {
        max(min(768 * 28 * 28, totalPixels / frames * 2), Int(Double(minimumPixels) * 1.05))
    }
}
