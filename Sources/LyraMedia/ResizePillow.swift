// Resizing as Pillow does it, bit for bit: separable filter, coefficients in fixed point, 8 bits between the passes.

/// For every output position: where its window in the input begins, and the window's weights.
struct ResizeWindows<Weight> {
    let starts: [Int]
    let counts: [Int]
    /// `stride` weights an output position, of which `counts` are used.
    let weights: [Weight]
    let stride: Int
}

/// Keys' cubic with a = -0.5.
private func bicubic(_ distance: Double) -> Double {
    let x = abs(distance)
    if x < 1 { return (1.5 * x - 2.5) * x * x + 1 }
    if x < 2 { return (((x - 5) * x + 8) * x - 4) * -0.5 }
    return 0
}

extension RGBImage {
    /// Bicubic resizing, equal to the `resize((width, height), BICUBIC)` of Pillow up to version 12: when shrinking, the
    /// filter widens so that all pixels count. (Version 13 rounds in another order when only the height shrinks much.)
    /// - Parameters: `width`, `height` of the result, at least 1.
    public func resized(width newWidth: Int, height newHeight: Int) -> RGBImage {
        precondition(newWidth > 0 && newHeight > 0, "a picture needs at least one pixel")
        var image = self
        if newWidth != width { image = image.resizedHorizontally(fixedWindows(from: width, to: newWidth)) }
        if newHeight != height { image = image.resizedVertically(fixedWindows(from: height, to: newHeight)) }
        return image
    }

    private static var precision: Int32 { 22 }

    private func fixedWindows(from input: Int, to output: Int) -> ResizeWindows<Int32> {
        let scale = Double(input) / Double(output), stretch = max(scale, 1), support = 2 * stretch
        let stride = Int(support.rounded(.up)) * 2 + 1
        var starts = [Int](repeating: 0, count: output), counts = starts
        var weights = [Int32](repeating: 0, count: output * stride)
        var window = [Double](repeating: 0, count: stride)
        for position in 0..<output {
            let center = (Double(position) + 0.5) * scale
            let start = max(0, Int(center - support + 0.5)), end = min(input, Int(center + support + 0.5))
            var sum = 0.0
            for i in 0..<(end - start) {
                window[i] = bicubic((Double(start + i) - center + 0.5) * (1 / stretch))
                sum += window[i]
            }
            for i in 0..<(end - start) {
                let weight = (sum != 0 ? window[i] / sum : window[i]) * Double(1 << Self.precision)
                weights[position * stride + i] = Int32(weight < 0 ? weight - 0.5 : weight + 0.5)
            }
            starts[position] = start
            counts[position] = end - start
        }
        return ResizeWindows(starts: starts, counts: counts, weights: weights, stride: stride)
    }

    private func resizedHorizontally(_ windows: ResizeWindows<Int32>) -> RGBImage {
        let newWidth = windows.starts.count
        return RGBImage(width: newWidth, height: height) { out in
            pixels.withUnsafeBufferPointer { input in
                windows.weights.withUnsafeBufferPointer { weights in
                    for y in 0..<height {
                        let row = y * width * 3
                        var target = y * newWidth * 3
                        for x in 0..<newWidth {
                            var from = row + windows.starts[x] * 3
                            var red = Self.half, green = Self.half, blue = Self.half
                            let first = x * windows.stride
                            for i in first..<(first + windows.counts[x]) {
                                let weight = weights[i]
                                red &+= Int32(input[from]) &* weight
                                green &+= Int32(input[from &+ 1]) &* weight
                                blue &+= Int32(input[from &+ 2]) &* weight
                                from &+= 3
                            }
                            out[target] = Self.clipped(red)
                            out[target &+ 1] = Self.clipped(green)
                            out[target &+ 2] = Self.clipped(blue)
                            target &+= 3
                        }
                    }
                }
            }
        }
    }

    private func resizedVertically(_ windows: ResizeWindows<Int32>) -> RGBImage {
        let newHeight = windows.starts.count, stride = width * 3
        var sums = [Int32](repeating: 0, count: stride)
        return RGBImage(width: width, height: newHeight) { out in
            pixels.withUnsafeBufferPointer { input in
                sums.withUnsafeMutableBufferPointer { sums in
                    for y in 0..<newHeight {
                        sums.update(repeating: Self.half)
                        for i in 0..<windows.counts[y] {
                            let weight = windows.weights[y * windows.stride + i]
                            let row = UnsafeBufferPointer(rebasing: input[((windows.starts[y] + i) * stride)...].prefix(stride))
                            for x in 0..<stride { sums[x] &+= Int32(row[x]) &* weight }
                        }
                        let line = UnsafeMutableBufferPointer(rebasing: out[(y * stride)..<((y + 1) * stride)])
                        for x in 0..<stride { line[x] = Self.clipped(sums[x]) }
                    }
                }
            }
        }
    }

    private static var half: Int32 { 1 << (precision - 1) }

    @inline(__always)
    private static func clipped(_ sum: Int32) -> UInt8 { UInt8(truncatingIfNeeded: min(255, max(0, sum >> precision))) }

    /// The nearest pixel of each place, equal to Pillow's `resize((width, height), NEAREST)`.
    public func resizedNearest(width newWidth: Int, height newHeight: Int) -> RGBImage {
        precondition(newWidth > 0 && newHeight > 0, "a picture needs at least one pixel")
        // Positions are added up rather than multiplied out, since rounding decides at halves.
        func positions(from input: Int, to output: Int) -> [Int] {
            let step = Double(input) / Double(output)
            var place = step * 0.5
            return (0..<output).map { _ in
                defer { place += step }
                return min(input - 1, Int(place))
            }
        }
        let columns = positions(from: width, to: newWidth), rows = positions(from: height, to: newHeight)
        return RGBImage(width: newWidth, height: newHeight) { out in
            pixels.withUnsafeBufferPointer { input in
                var target = 0
                for row in rows {
                    for column in columns {
                        let from = (row * width + column) * 3
                        out[target] = input[from]
                        out[target + 1] = input[from + 1]
                        out[target + 2] = input[from + 2]
                        target += 3
                    }
                }
            }
        }
    }
}
