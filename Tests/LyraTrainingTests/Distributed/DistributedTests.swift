// Communication, gradient sums, sharded optimiser state and tensor-parallel layers, each by real processes on this machine.
import Foundation
@testable import LyraTraining
import MLX
import Testing

/// Arrays of these shapes, by seed.
private func normals(_ shapes: [String: [Int]], _ seed: UInt64) -> [String: MLXArray] {
    Dictionary(uniqueKeysWithValues: shapes.sorted { $0.key < $1.key }.enumerated().map { i, entry in
        (entry.key, normal(entry.value, seed &* 100 &+ UInt64(i)))
    })
}

@Suite(.serialized) struct DistributedTests {
    @Test func collectiveOperations() async throws {
        let places = try Place.ring(3)
        await withTaskGroup(of: Void.self) { tasks in
            for place in places {
                tasks.addTask {
                    await #expect(processExitsWith: .success) { [place = place as Place] in
                        let group = try place.join()
                        #expect(group.rank == place.rank && group.size == 3)
                        let own = MLXArray([Float(place.rank), 10, -Float(place.rank)], [3])
                        #expect(group.allSum(own).asArray(Float.self) == [3, 30, -3])
                        #expect(group.allMax(own).asArray(Float.self) == [2, 10, 0])
                        #expect(group.allMin(own).asArray(Float.self) == [0, 10, -2])
                        #expect(group.allGather(own[0..<1]).asArray(Float.self) == [0, 1, 2])
                        // Once around.
                        if place.rank == 0 {
                            try checkedEval(group.send(own + 1, to: 1))
                        } else if place.rank == 1 {
                            #expect(try group.recv(shape: [3], dtype: .float32, from: 0).asArray(Float.self) == [1, 11, 1])
                        }
                        #expect(throws: MLXError.self) { try group.split(color: place.rank) }  // a ring cannot
                        // Types, and an array that is not contiguous.
                        #expect(group.allSum(own.asType(.bfloat16)).asType(.float32).asArray(Float.self) == [3, 30, -3])
                        #expect(group.allSum(MLXArray([Int32(place.rank), 2], [2])).asArray(Int32.self) == [3, 6])
                        let wide = stacked([own, own * 2], axis: 1)
                        #expect(group.allSum(wide.transposed()).asArray(Float.self) == [3, 30, -3, 6, 60, -6])
                    }
                }
            }
        }
    }

    @Test func gradientsAreSummedInBuckets() async throws {
        let places = try Place.ring()
        await withTaskGroup(of: Void.self) { tasks in
            for place in places {
                tasks.addTask {
                    await #expect(processExitsWith: .success) { [place = place as Place] in
                        let group = try place.join()
                        func gradients(_ rank: Int) -> [MLXArray] {
                            [[40], [3, 5], [], [300], [2, 2, 2]].enumerated().map { i, shape in
                                let array = normal(shape, UInt64(10 * rank + i))
                                return i == 4 ? array.asType(.bfloat16) : array
                            }
                        }
                        let expected = zip(gradients(0), gradients(1)).map { $0 + $1 }
                        // Buckets of one array, of some, of all of a type.
                        for bytes in [1, 300, 1 << 20] {
                            let sums = try GradientReduction(group, bucketBytes: bytes).sum(gradients(place.rank))
                            for (sum, wanted) in zip(sums, expected) {
                                #expect(sum.dtype == wanted.dtype && largestDifference(sum, wanted) == 0)
                            }
                            let means = try GradientReduction(group, bucketBytes: bytes).mean(gradients(place.rank))
                            for (mean, wanted) in zip(means, expected).prefix(4) {
                                #expect(largestDifference(mean, wanted / 2) < 1e-6)
                            }
                        }
                    }
                }
            }
        }
    }

    @Test func bucketsHoldWhatFits() {
        let arrays: [(bytes: Int, type: DType)] = [
            (10, .float32), (20, .float32), (100, .float32), (5, .bfloat16), (5, .float32), (26, .float32),
        ]
        #expect(GradientReduction.buckets(arrays, limit: 30) == [0..<2, 2..<3, 3..<4, 4..<5, 5..<6])
        #expect(GradientReduction.buckets(arrays, limit: 1000) == [0..<3, 3..<4, 4..<6])
        #expect(GradientReduction.buckets([], limit: 30).isEmpty)
    }

    @Test func everyElementHasOneOwner() {
        let shapes: [(name: String, shape: [Int])] = [("a", [7]), ("b", [3, 5]), ("c", [1]), ("d", [40]), ("e", [2, 2])]
        for size in [1, 2, 3, 8] {
            for bytes in [4, 64, 1 << 20] {
                var owners: [String: [Int]] = [:]
                for rank in 0..<size {
                    for (name, range) in ShardedAdamW.buckets(shapes, rank: rank, size: size, bucketBytes: bytes).flatMap(\.pieces) {
                        owners[name, default: []] += range
                    }
                }
                for (name, shape) in shapes { #expect(owners[name]?.sorted() == Array(0..<shape.reduce(1, *)), "\(name) \(size)") }
            }
        }
    }

    @Test func processesShareMuonsWork() async throws {
        let places = try Place.ring()
        await withTaskGroup(of: Void.self) { tasks in
            for place in places {
                tasks.addTask {
                    await #expect(processExitsWith: .success) { [place = place as Place] in
                        let group = ProcessGroup(try place.join())
                        // Shapes of an odd number of matrices, of one, and of what is not a matrix.
                        let shapes = ["a": [8, 24], "b": [8, 24], "c": [8, 24], "d": [24, 8], "e": [24]]
                        var alone = Muon(rest: AdamW()), together = Muon(rest: AdamW(), group)
                        var (expected, actual) = (normals(shapes, 0), normals(shapes, 0))
                        for step in 1...3 {
                            try alone.update(&expected, normals(shapes, UInt64(step)), scale: 0.5) { _ in (1e-2, 0.1) }
                            try together.update(&actual, normals(shapes, UInt64(step)), scale: 0.5) { _ in (1e-2, 0.1) }
                            for name in shapes.keys {
                                let (a, e) = (try #require(actual[name]), try #require(expected[name]))
                                #expect(largestDifference(a, e) < 1e-4, "\(name) \(step)")
                            }
                        }
                    }
                }
            }
        }
    }

    @Test func aShardedOptimiserIsTheWholeOne() async throws {
        let places = try Place.ring()
        await withTaskGroup(of: Void.self) { tasks in
            for place in places {
                tasks.addTask {
                    await #expect(processExitsWith: .success) { [place = place as Place] in
                        let group = try place.join()
                        let shapes = ["a": [31], "b": [4, 9], "c": [1], "d": [50, 3]]
                        func rates(_ name: String) -> (learningRate: Double, weightDecay: Double) {
                            name == "b" ? (1e-2, 0.1) : (3e-3, 0)
                        }
                        var whole = AdamW(), sharded = ShardedAdamW(group, parameters: normals(shapes, 0), bucketBytes: 200)
                        var (expected, actual) = (normals(shapes, 0), normals(shapes, 0))
                        func compare(_ what: String) throws {
                            for name in shapes.keys {
                                let (a, e) = (try #require(actual[name]), try #require(expected[name]))
                                #expect(largestDifference(a, e) == 0, "\(name) \(what)")
                            }
                            let (a, e) = (try sharded.state(), whole.state())
                            #expect(a.updates == e.updates)
                            for name in shapes.keys {
                                #expect(largestDifference(try #require(a.first[name]), try #require(e.first[name])) == 0)
                                #expect(largestDifference(try #require(a.second[name]), try #require(e.second[name])) == 0)
                            }
                        }
                        for step in 1...3 {
                            try whole.update(&expected, normals(shapes, UInt64(step)), scale: 0.5, rates: rates)
                            try sharded.update(&actual, normals(shapes, UInt64(step)), scale: 0.5, rates: rates)
                            try compare("step \(step)")
                        }
                        // From a checkpoint.
                        sharded = ShardedAdamW(group, parameters: actual, bucketBytes: 1 << 20)
                        sharded.restore(whole.state())
                        try whole.update(&expected, normals(shapes, 9), scale: 1, rates: rates)
                        try sharded.update(&actual, normals(shapes, 9), scale: 1, rates: rates)
                        try compare("after restoring")
                    }
                }
            }
        }
    }

    /// x -> relu(x W1ᵀ + b1) W2ᵀ + b2 + x, twice, whole and spread over two processes.
    @Test func tensorParallelLayersAreTheWholeOnes() async throws {
        let places = try Place.ring()
        await withTaskGroup(of: Void.self) { tasks in
            for place in places {
                tasks.addTask {
                    await #expect(processExitsWith: .success) { [place = place as Place] in
                        let group = try place.join()
                        let shapes = [[5, 8], [12, 8], [12], [8, 12], [8]]
                        let arrays = shapes.enumerated().map { i, shape in normal(shape, UInt64(i)) * 0.5 }
                        let upstream = normal([5, 8], 99)
                        let whole = valueAndGrad(
                            { (a: [MLXArray]) -> [MLXArray] in
                                var x = a[0]
                                for _ in 0..<2 {
                                    let inner = Kernel.linear(x, weight: a[1], bias: a[2], activation: .relu)
                                    x = Kernel.linear(inner, weight: a[3], bias: a[4], residual: x)
                                }
                                return [(x * upstream).sum(), x]
                            }, argumentNumbers: Array(0..<5))(arrays)
                        func shares(_ a: [MLXArray]) throws -> [MLXArray] {
                            try [
                                a[0], TensorParallel.share(a[1], axis: 0, of: group), TensorParallel.share(a[2], axis: 0, of: group),
                                TensorParallel.share(a[3], axis: 1, of: group), a[4],
                            ]
                        }
                        let spread = valueAndGrad(
                            { (a: [MLXArray]) -> [MLXArray] in
                                var x = a[0]
                                for _ in 0..<2 {
                                    let column = ColumnParallelLinear(weight: a[1], bias: a[2], group: group)
                                    let row = RowParallelLinear(weight: a[3], bias: a[4], group: group)
                                    x = row(column(x, activation: .relu), residual: x)
                                }
                                return [(x * upstream).sum(), x]
                            }, argumentNumbers: Array(0..<5))(try shares(arrays))
                        try checkedEval(spread.0 + spread.1)
                        #expect(largestDifference(spread.0[1], whole.0[1]) < 1e-5)
                        for (i, (part, expected)) in zip(spread.1, try shares(whole.1)).enumerated() {
                            let largest = abs(expected).max().item(Float.self)
                            #expect(largestDifference(part, expected) < 1e-5 * largest, "gradient \(i)")
                        }
                        #expect(throws: TrainingError.self) { try TensorParallel.share(arrays[0], axis: 0, of: group) }
                    }
                }
            }
        }
    }

    @Test func aLostProcessIsAnErrorOfTheOthers() async throws {
        let places = try Place.ring()
        await withTaskGroup(of: Void.self) { tasks in
            for place in places {
                tasks.addTask {
                    await #expect(processExitsWith: .success) { [place = place as Place] in
                        let group = try place.join()
                        let array = MLXArray.ones([1 << 20])
                        #expect(try GradientReduction(group).sum([array])[0][5].item(Float.self) == 2)
                        if place.rank == 1 { exit(EXIT_SUCCESS) }
                        #expect(throws: MLXError.self) { try GradientReduction(group).sum([array]) }
                    }
                }
            }
        }
    }
}

@Suite struct LaunchTests {
    private func hostfile(_ text: String) throws -> String {
        let path = NSTemporaryDirectory() + "lyra-hosts-\(UUID().uuidString).json"
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        return path
    }

    @Test func launchersAreToldByTheirVariables() throws {
        let hosts = try hostfile(#"[["10.0.0.1:5000", "10.0.0.1:5001"], ["10.0.0.2:5000", "10.0.0.2:5001"]]"#)
        #expect(try ProcessGroup.backend([:]) == nil)
        #expect(try ProcessGroup.backend(["OMPI_COMM_WORLD_SIZE": "1"]) == nil)
        #expect(try ProcessGroup.backend(["OMPI_COMM_WORLD_SIZE": "2"]) == .mpi)
        #expect(try ProcessGroup.backend(["MLX_RANK": "1", "MLX_HOSTFILE": hosts]) == .ring)
        #expect(
            try ProcessGroup.backend(["MLX_RANK": "0", "MLX_WORLD_SIZE": "8", "NCCL_HOST_IP": "10.0.0.1", "NCCL_PORT": "1"])
                == .nccl)
        #expect(try ProcessGroup.backend(["MLX_RANK": "0", "MLX_HOSTFILE": hostfile(#"[["a:1"]]"#)]) == nil)
    }

    @Test func wrongVariablesAreNamed() throws {
        let hosts = try hostfile(#"[["10.0.0.1:5000"], ["10.0.0.2:5000"]]"#)
        #expect(throws: LaunchError.noHostfile) { try ProcessGroup.backend(["MLX_RANK": "0"]) }
        for rank in ["2", "-1", "first"] {
            #expect(throws: LaunchError.badRank(rank, processes: 2)) {
                try ProcessGroup.backend(["MLX_RANK": rank, "MLX_HOSTFILE": hosts])
            }
        }
        for text in ["", "{}", "[]", "[[]]", #"[["nowhere"]]"#, "[[1]]"] {
            let file = try hostfile(text)
            #expect(throws: LaunchError.badHostfile(file)) {
                try ProcessGroup.backend(["MLX_RANK": "0", "MLX_HOSTFILE": file])
            }
        }
        #expect(throws: LaunchError.badHostfile("/nowhere")) {
            try ProcessGroup.backend(["MLX_RANK": "0", "MLX_HOSTFILE": "/nowhere"])
        }
    }
}
