// The machine a benchmark ran on, and what it can do at most.
import Foundation
import LyraModel
import MLX

enum Machine {
    /// Threads that kernels run on.
    static var threads: Int {
        ProcessInfo.processInfo.environment["OMP_NUM_THREADS"].flatMap { Int($0) } ?? ProcessInfo.processInfo.activeProcessorCount
    }

    /// As the system names it.
    static var processor: String {
        let lines = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8))?.split(separator: "\n") ?? []
        let line = lines.first { $0.hasPrefix("model name") } ?? ""
        let name = line.split(separator: ":", maxSplits: 1).dropFirst().first?.trimmingCharacters(in: .whitespaces)
        return name ?? "unknown"
    }

    /// Most memory this process has had at once (VmHWM), in bytes.
    static var peakMemory: Int {
        let lines = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8))?.split(separator: "\n") ?? []
        let digits = lines.first { $0.hasPrefix("VmHWM:") }?.filter(\.isNumber) ?? ""
        return (Int(digits) ?? 0) * 1024
    }

    /// Begins the count of ``peakMemory`` anew, where the system allows it.
    static func resetPeakMemory() {
        try? Data("5".utf8).write(to: URL(fileURLWithPath: "/proc/self/clear_refs"))
    }

    /// Bytes a second that all processors together read from memory: the best of several passes over a block much larger
    /// than the caches.
    static func readBandwidth(bytes: Int = 1 << 30, passes: Int = 5) -> Double {
        let count = bytes / MemoryLayout<Lane>.stride, workers = threads
        let block = Block(count: count, workers: workers)
        // Each worker touches its own part first, so that memory lies near it.
        DispatchQueue.concurrentPerform(iterations: workers) { block.fill($0) }
        var best = 0.0, check: UInt64 = 0
        for _ in 0..<passes {
            let began = ContinuousClock.now
            DispatchQueue.concurrentPerform(iterations: workers) { block.sum($0) }
            best = max(best, Double(bytes) / ((ContinuousClock.now - began) / .seconds(1)))
            check &+= block.total
        }
        // The sums are used, so that no compiler leaves the reading out.
        return check == 0 ? 0 : best
    }

    /// Bytes a second that MLX's device reads from its memory, as the best of several sums.
    static func deviceReadBandwidth(bytes: Int = 1 << 30, passes: Int = 5) -> Double {
        let block = MLXArray.ones([bytes / MemoryLayout<Float>.size])
        block.eval()
        return (0..<passes).reduce(0) { best, _ in
            let began = ContinuousClock.now
            block.sum().eval()
            return max(best, Double(bytes) / ((ContinuousClock.now - began) / .seconds(1)))
        }
    }

    private typealias Lane = SIMD16<UInt64>

    /// Memory that workers fill and read, each its own part.
    private final class Block: @unchecked Sendable {  // parts and sums of different workers do not overlap
        private let lanes: UnsafeMutableBufferPointer<Lane>
        private let sums: UnsafeMutableBufferPointer<UInt64>
        private let share: Int

        init(count: Int, workers: Int) {
            lanes = .allocate(capacity: count)
            sums = .allocate(capacity: workers)
            share = (count + workers - 1) / workers
        }

        deinit {
            lanes.deallocate()
            sums.deallocate()
        }

        private func range(_ worker: Int) -> Range<Int> { (worker * share)..<min(lanes.count, (worker + 1) * share) }

        func fill(_ worker: Int) { for i in range(worker) { lanes[i] = Lane(repeating: UInt64(i) | 1) } }

        func sum(_ worker: Int) {
            let range = range(worker)
            var a = Lane(), b = Lane(), c = Lane(), d = Lane()
            for i in stride(from: range.lowerBound, to: range.upperBound - 3, by: 4) {
                a &+= lanes[i]
                b &+= lanes[i + 1]
                c &+= lanes[i + 2]
                d &+= lanes[i + 3]
            }
            sums[worker] = (a &+ b &+ c &+ d).wrappedSum() | 1
        }

        var total: UInt64 { sums.reduce(0, &+) }
    }

    /// FLOPs a second of a large square product in the given type: the best of several.
    static func matrixProduct(_ precision: Precision, size: Int = 4096, passes: Int = 4) -> Double {
        let x = MLXArray.full([size, size], values: 0.5, dtype: precision.dtype)
        let w = MLXArray.full([size, size], values: 0.25, dtype: precision.dtype)
        let map = Kernel.LinearMap(precision == .int8 ? .int8(Int8Matrix(w)) : .dense(w))
        Kernel.linear(x, map).eval()
        var best = 0.0
        for _ in 0..<passes {
            let began = ContinuousClock.now
            Kernel.linear(x, map).eval()
            best = max(best, 2 * Double(size) * Double(size) * Double(size) / ((ContinuousClock.now - began) / .seconds(1)))
        }
        return best
    }
}
