// The machine a benchmark ran on, and what it can do at most.
import Foundation
import LyraModel
import MLX

enum Machine {
    static var threads: Int { ProcessInfo.processInfo.activeProcessorCount }

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

    /// Bytes a second that all processors together read from memory: the best of several passes over a block much larger
    /// than the caches.
    static func readBandwidth(bytes: Int = 1 << 30, passes: Int = 5) -> Double {
        typealias Lane = SIMD16<UInt64>
        let count = bytes / MemoryLayout<Lane>.stride, workers = threads
        let block = UnsafeMutableBufferPointer<Lane>.allocate(capacity: count)
        defer { block.deallocate() }
        let share = (count + workers - 1) / workers
        let shared = SendableBlock(lanes: UnsafeBufferPointer(block))
        // Each worker touches its own part first, so that memory lies near it.
        DispatchQueue.concurrentPerform(iterations: workers) { worker in
            let range = (worker * share)..<min(count, (worker + 1) * share)
            for i in range { UnsafeMutableBufferPointer(mutating: shared.lanes)[i] = Lane(repeating: UInt64(i)) }
        }
        var best = 0.0
        for _ in 0..<passes {
            let began = ContinuousClock.now
            DispatchQueue.concurrentPerform(iterations: workers) { worker in
                let range = (worker * share)..<min(count, (worker + 1) * share)
                var a = Lane(), b = Lane(), c = Lane(), d = Lane()
                for i in stride(from: range.lowerBound, to: range.upperBound - 3, by: 4) {
                    a &+= shared.lanes[i]
                    b &+= shared.lanes[i + 1]
                    c &+= shared.lanes[i + 2]
                    d &+= shared.lanes[i + 3]
                }
                shared.keep((a &+ b &+ c &+ d).wrappedSum())
            }
            best = max(best, Double(bytes) / ((ContinuousClock.now - began) / .seconds(1)))
        }
        return best
    }

    /// Workers read disjoint parts of the block, or write them before anybody reads.
    private struct SendableBlock: @unchecked Sendable {
        let lanes: UnsafeBufferPointer<SIMD16<UInt64>>
        /// Keeps the optimiser from dropping the sum.
        @inline(never) func keep(_ sum: UInt64) { withExtendedLifetime(sum) {} }
    }

    /// FLOPs a second of a large square product in the given type: the best of several.
    static func matrixProduct(_ precision: Precision, size: Int = 4096, passes: Int = 4) -> Double {
        let x = MLXArray.full([size, size], values: 0.5, dtype: precision.dtype)
        let w = MLXArray.full([size, size], values: 0.25, dtype: precision.dtype)
        eval(x, w)
        var best = 0.0
        for _ in 0..<passes {
            let began = ContinuousClock.now
            Kernel.linear(x, weight: w).eval()
            best = max(best, 2 * Double(size) * Double(size) * Double(size) / ((ContinuousClock.now - began) / .seconds(1)))
        }
        return best
    }
}
