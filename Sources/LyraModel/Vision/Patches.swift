// Pixels -> normalised patches in the order the vision tower expects them.
import MLX

/// Grid of patches before merging: frames pairs, rows, columns.
public struct PatchGrid: Equatable, Sendable {
    public var time, height, width: Int
    public init(time: Int, height: Int, width: Int) { (self.time, self.height, self.width) = (time, height, width) }
    public var count: Int { time * height * width }
    /// The grid of tokens after `merge` x `merge` patches became one.
    public func merged(_ merge: Int) -> PatchGrid { PatchGrid(time: time, height: height / merge, width: width / merge) }
}

/// Flattened patches of one picture or video.
public struct Patches {
    /// [grid.count, channels * temporalPatch * patch * patch], float32
    public let values: MLXArray
    public let grid: PatchGrid

    public init(values: MLXArray, grid: PatchGrid) { (self.values, self.grid) = (values, grid) }

    /// frames: row-major RGB bytes, all of `size`, whose sides are multiples of patch * merge. A picture is one frame; it
    /// and an odd last frame are repeated to fill the temporal patch.
    public init(frames: [[UInt8]], size: PixelSize, vision: VisionConfiguration, processor: ImageProcessorConfiguration) {
        let patch = vision.patchSize, merge = vision.mergeSize, depth = vision.temporalPatchSize
        let grid = PatchGrid(
            time: (frames.count + depth - 1) / depth, height: size.height / patch, width: size.width / patch)
        let channels = 3, width = size.width
        // Normalisation by table: value / 255 - mean over deviation.
        let table: [[Float]] = (0..<channels).map { c in
            (0..<256).map { (Float($0) * Float(1.0 / 255.0) - processor.mean[c]) / processor.standardDeviation[c] }
        }
        let perPatch = vision.patchValues
        let values = [Float](unsafeUninitializedCapacity: grid.count * perPatch) { out, count in
            var o = 0
            for t in 0..<grid.time {
                for blockRow in 0..<(grid.height / merge) {
                    for blockColumn in 0..<(grid.width / merge) {
                        for inner in 0..<(merge * merge) {
                            let row = (blockRow * merge + inner / merge) * patch
                            let column = (blockColumn * merge + inner % merge) * patch
                            for channel in 0..<channels {
                                let lookup = table[channel]
                                for d in 0..<depth {
                                    let frame = frames[min(t * depth + d, frames.count - 1)]
                                    for y in 0..<patch {
                                        var i = ((row + y) * width + column) * channels + channel
                                        for _ in 0..<patch {
                                            out[o] = lookup[Int(frame[i])]
                                            o += 1
                                            i += channels
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
            count = o
        }
        self.values = MLXArray(values, [grid.count, perPatch])
        self.grid = grid
    }
}
