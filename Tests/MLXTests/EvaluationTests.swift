// Computing arrays: from several threads, failing, and counting memory.
import Foundation
import MLX
import Testing

/// Arrays may move between threads one after another, which the compiler cannot see.
private struct Moved: @unchecked Sendable {
    let array: MLXArray
}

private func onNewThread<T: Sendable>(_ body: @escaping @Sendable () -> T) async -> T {
    await withCheckedContinuation { continuation in
        Thread { continuation.resume(returning: body()) }.start()
    }
}

@Suite struct EvaluationTests {
    @Test func arraysAreBuiltAndComputedOnSeveralThreads() async {
        var moved = Moved(array: MLXArray.ones([16, 16]))
        for _ in 0..<6 {
            let input = moved
            moved = await onNewThread {
                let step = matmul(input.array, MLXArray.eye(16)) + sum(input.array) * 0
                return Moved(array: step)
            }
            let built = moved
            _ = await onNewThread { eval(built.array) }
        }
        #expect(moved.array.sum().item(Float.self) == 256)
        let last = moved
        let random = await onNewThread { softmax(last.array, axis: -1).sum().item(Float.self) }
        #expect(abs(random - 16) < 1e-4)
    }

    /// `exit` destroys MLX's allocator and queues; threads that compute and let go of arrays meanwhile do no harm.
    @Test func exitWhileOtherThreadsCompute() async {
        for _ in 0..<3 {
            await #expect(processExitsWith: .success) {
                for _ in 0..<4 {
                    Thread {
                        while true { eval((0..<20).map { MLXArray.ones([$0 + 1, 100]) + MLXArray.arange(100) }) }
                    }.start()
                }
                Thread.sleep(forTimeInterval: 0.1)
                exit(0)
            }
        }
    }

    @Test func threadsComputeTheirOwnArraysAtOnce() async {
        let shared = Moved(array: MLXArray.arange(1000, dtype: .float32))
        eval(shared.array)
        let sums = await withTaskGroup(of: Float.self) { group in
            for task in 0..<8 {
                group.addTask {
                    var total = MLXArray(0.0)
                    for _ in 0..<50 { total = total + (shared.array * Float(task)).max() }
                    return total.item(Float.self)
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(sums.sorted() == (0..<8).map { Float($0) * 999 * 50 })
    }

    /// The stream must outlive the thread that happened to make it.
    @Test func theThreadThatCameFirstMayEnd() async {
        await #expect(processExitsWith: .success) {
            let first = await onNewThread { MLXArray([1, 2, 3]).sum().item(Int.self) }
            try await Task.sleep(for: .milliseconds(20))
            let second = await onNewThread { (MLXArray([1, 2, 3]) * 2).sum().item(Int.self) }
            exit(first == 6 && second == 12 ? 0 : 1)
        }
    }

    @Test func asyncEvalComputesLater() {
        let a = MLXArray.ones([10]) * 2
        asyncEval(a)
        #expect(a.sum().item(Float.self) == 20)
    }

    @Test func memoryIsCounted() {
        Memory.resetPeakMemory()
        let before = Memory.activeMemory
        let a = MLXArray.ones([1 << 20])
        let b = a + 1
        eval(b)
        let after = Memory.activeMemory
        #expect(after >= before + (3 << 20))  // 4 MiB, but other tests run beside
        #expect(Memory.peakMemory >= after)
        withExtendedLifetime(b) {}
        let limit = Memory.cacheLimit
        Memory.cacheLimit = 0
        #expect(Memory.cacheLimit == 0)
        Memory.cacheLimit = limit
        #expect(Memory.cacheLimit == limit)
        Memory.clearCache()
    }
}
