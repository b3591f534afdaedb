// Resizing as torchvision does it for video tensors: bicubic with antialias=True in 32-bit floats, rounded at the end.
// Differs from Pillow's by a level here and there, because nothing is rounded between the passes. torch's kernels are
// compiled to fused multiply-adds; where a sum ends near a half, only the same roundings give the same level.

/// a * b + c rounded once. The product of two floats is exact in a double, so that this is what a fused instruction
/// gives (up to a double rounding in 2^29), and unlike `addingProduct` it stays fast on processors of any age.
@inline(__always)
private func fused(_ a: Float, _ b: Float, _ c: Float) -> Float { Float(Double(a) * Double(b) + Double(c)) }

/// Keys' cubic with a = -0.5.
private func bicubic(_ distance: Float) -> Float {
    let x = abs(distance)
    if x < 1 { return fused(fused(1.5, x, -2.5) * x, x, 1) }
    if x < 2 { return fused(fused(x - 5, x, 8), x, -4) * -0.5 }
    return 0
}

extension RGBImage {
    /// Bicubic resizing, equal to torchvision's `resize(tensor, [height, width], BICUBIC, antialias=True)` on 8-bit
    /// tensors (round half to even, clamp to 0...255).
    public func resizedAntialiased(width newWidth: Int, height newHeight: Int) -> RGBImage {
        precondition(newWidth > 0 && newHeight > 0, "a picture needs at least one pixel")
        if newWidth == width && newHeight == height { return self }
        let columns = floatWindows(from: width, to: newWidth), rows = floatWindows(from: height, to: newHeight)
        let stride = newWidth * 3
        // Rows already narrowed that the current window needs; a ring, so that memory stays small.
        var ring = [Float](repeating: 0, count: rows.stride * stride)
        var sums = [Float](repeating: 0, count: stride)
        var next = 0  // first input row that is not in the ring yet
        return RGBImage(width: newWidth, height: newHeight) { out in
            pixels.withUnsafeBufferPointer { input in
                ring.withUnsafeMutableBufferPointer { ring in
                    sums.withUnsafeMutableBufferPointer { sums in
                        func line(_ row: Int) -> UnsafeMutableBufferPointer<Float> {
                            UnsafeMutableBufferPointer(rebasing: ring[((row % rows.stride) * stride)...].prefix(stride))
                        }
                        for y in 0..<newHeight {
                            let start = rows.starts[y], count = rows.counts[y]
                            while next < start + count {
                                let row = input[(next * width * 3)...].prefix(width * 3)
                                narrow(UnsafeBufferPointer(rebasing: row), columns, line(next))
                                next += 1
                            }
                            sums.update(repeating: 0)
                            for i in 0..<count {
                                let weight = rows.weights[y * rows.stride + i], row = line(start + i)
                                for x in 0..<stride { sums[x] = fused(row[x], weight, sums[x]) }
                            }
                            for x in 0..<stride {
                                out[y * stride + x] = UInt8(min(255, max(0, sums[x])).rounded(.toNearestOrEven))
                            }
                        }
                    }
                }
            }
        }
    }

    private func narrow(
        _ row: UnsafeBufferPointer<UInt8>, _ windows: ResizeWindows<Float>, _ out: UnsafeMutableBufferPointer<Float>
    ) {
        windows.weights.withUnsafeBufferPointer { weights in
            for x in 0..<windows.starts.count {
                var red: Float = 0, green: Float = 0, blue: Float = 0
                var from = windows.starts[x] * 3
                let first = x * windows.stride
                for i in first..<(first + windows.counts[x]) {
                    let weight = weights[i]
                    red = fused(Float(row[from]), weight, red)
                    green = fused(Float(row[from &+ 1]), weight, green)
                    blue = fused(Float(row[from &+ 2]), weight, blue)
                    from &+= 3
                }
                out[3 * x] = red
                out[3 * x + 1] = green
                out[3 * x + 2] = blue
            }
        }
    }

    private func floatWindows(from input: Int, to output: Int) -> ResizeWindows<Float> {
        let scale = Float(input) / Float(output), stretch = max(scale, 1), support = 2 * stretch
        let stride = Int(support.rounded(.up)) * 2 + 1
        var starts = [Int](repeating: 0, count: output), counts = starts
        var weights = [Float](repeating: 0, count: output * stride)
        for position in 0..<output {
            let center = scale * (Float(position) + 0.5)
            let start = max(0, Int(center - support + 0.5)), end = min(input, Int(center + support + 0.5))
            var sum: Float = 0
            for i in 0..<(end - start) {
                let weight = bicubic((Float(start + i) - center + 0.5) * (1 / stretch))
                weights[position * stride + i] = weight
                sum += weight
            }
            if sum != 0 { for i in 0..<(end - start) { weights[position * stride + i] /= sum } }
            starts[position] = start
            counts[position] = end - start
        }
        return ResizeWindows(starts: starts, counts: counts, weights: weights, stride: stride)
    }
}
