// Whole runs by two processes: the losses of one process at the same batch size, however they are started.
import Foundation
import LyraMedia
import LyraModel
@testable import LyraTraining
import MLX
import Testing

@Suite(.serialized) struct DistributedRunTests {
    /// Samples of two kinds, so that processes compute different graphs; the last step leaves one without a sample.
    private func configuration(_ run: TemporaryRun, output: String) throws -> TrainingConfiguration {
        var configuration = try run.configuration(.imageText, count: 7, epochs: 2)
        configuration.data.append(DataSource(try run.writeData(.speechText, 6)))
        (configuration.batchSize, configuration.output) = (4, run.path + "/" + output)
        configuration.regulariser.weight = 0.5
        return configuration
    }

    private func losses(_ output: String) throws -> [StepMetrics] {
        try String(contentsOfFile: output + "/metrics.jsonl", encoding: .utf8).split(separator: "\n")
            .map { try JSONDecoder().decode(StepMetrics.self, from: Data($0.utf8)) }
    }

    private func expectEqual(_ actual: String, _ expected: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
        let (a, e) = (try losses(actual), try losses(expected))
        #expect(a.count == 8 && e.count == 8, sourceLocation: sourceLocation)
        for (a, e) in zip(a, e) {
            // Sums in another order: the noise grows from step to step.
            let tolerance = 1e-5 * Float(1 << a.step)
            for (x, y) in [
                (a.losses.total, e.losses.total), (a.losses.answer, e.losses.answer),
                (a.losses.regulariser, e.losses.regulariser), (Float(a.gradientNorm), Float(e.gradientNorm)),
            ] {
                #expect(abs(x - y) <= tolerance * abs(y), "step \(a.step)", sourceLocation: sourceLocation)
            }
            #expect(a.samples == e.samples && a.tokens == e.tokens, sourceLocation: sourceLocation)
        }
    }

    @Test func twoProcessesTrainAsOne() async throws {
        let run = try TemporaryRun()
        defer { run.remove() }
        let alone = try configuration(run, output: "alone")
        _ = try await Trainer(alone, resume: false).run()
        for sharded in [false, true] {
            var together = alone
            (together.output, together.shardsOptimizer) = (run.path + "/together-\(sharded)", sharded)
            try await train(together, resume: false)
            try expectEqual(together.output, alone.output)
        }
        // Interrupted and resumed, one process goes on with what two have written, and two with what one has.
        var first = alone
        (first.output, first.shardsOptimizer, first.checkpointEvery) = (run.path + "/resumed", true, 3)
        try await train(first, resume: false)
        let folder = first.output + "/checkpoints"
        for name in try FileManager.default.contentsOfDirectory(atPath: folder) where !name.hasSuffix("3") {
            try FileManager.default.removeItem(atPath: folder + "/" + name)
        }
        try await train(first, resume: true)
        try expectEqual(first.output, alone.output)
    }

    /// Runs a configuration by two processes.
    private func train(_ configuration: TrainingConfiguration, resume: Bool) async throws {
        let file = configuration.output + ".json"
        try configuration.json().write(to: URL(fileURLWithPath: file))
        let places = try Place.ring()
        await withTaskGroup(of: Void.self) { tasks in
            for place in places {
                tasks.addTask {
                    await #expect(processExitsWith: .success) {
                        [place = place as Place, file = file as String, resume = resume as Bool] in
                        let group = ProcessGroup(try place.join())
                        alarm(300)
                        _ = try await Trainer(try .load(file), resume: resume, group: group).run()
                    }
                }
            }
        }
    }

    /// A network by itself: gradients are means over processes, which pictures of one size make those of one process.
    @Test func twoProcessesTrainAPartAsOne() async throws {
        let place = try PartRunTests.Place()
        defer { place.remove() }
        try place.writePictures("train", count: 30, seed: 3)
        func configuration(_ output: String) throws -> String {
            try place.write("\(output).json", """
                {"stage": "vision_tower", "model": "\(place.model)", "output": "\(output)", "data": [{"path": "train.jsonl"}],
                 "validation": [{"path": "train.jsonl"}], "batch_size": 8, "steps": 8, "learning_rate": 5e-3, "precision": "f32",
                 "validate_every": 4, "checkpoint_every": 3}
                """)
        }
        _ = try await PartTrainer.run(.visionTower, configuration("alone"), resume: false)
        let file = try configuration("together"), places = try Place.ring()
        await withTaskGroup(of: Void.self) { tasks in
            for process in places {
                tasks.addTask {
                    await #expect(processExitsWith: .success) { [process = process as Place, file = file as String] in
                        let group = ProcessGroup(try process.join())
                        alarm(300)
                        _ = try await PartTrainer.run(.visionTower, file, resume: false, group: group)
                        await #expect(throws: ConfigurationError.self) {
                            var odd = PartOverrides()
                            odd.batchSize = 3
                            _ = try await PartTrainer.run(.visionTower, file, overrides: odd, resume: true, group: group)
                        }
                    }
                }
            }
        }
        let (alone, together) = (try place.metrics("alone"), try place.metrics("together"))
        #expect(alone.count == 8 && together.map(\.step) == alone.map(\.step) && together.last?.validation != nil)
        for (a, b) in zip(alone, together) {
            let tolerance = 1e-5 * Double(1 << a.step)
            let (x, y) = (Double(a.losses["naming"] ?? 0), Double(b.losses["naming"] ?? 9))
            #expect(abs(x - y) <= tolerance * x && abs(a.gradientNorm - b.gradientNorm) <= tolerance * a.gradientNorm, "step \(a.step)")
        }
        #expect(FileManager.default.fileExists(atPath: place.path + "/together/vision_tower/model.safetensors"))
        // One process goes on with what two have written.
        try FileManager.default.removeItem(atPath: place.path + "/together/checkpoints/step-00000008")
        _ = try await PartTrainer.run(.visionTower, file, resume: true)
        #expect(try place.metrics("together").map(\.step) == Array(1...8))
    }

    @Test func aBatchThatCannotBeSharedIsRefused() async throws {
        let run = try TemporaryRun()
        defer { run.remove() }
        var configuration = try configuration(run, output: "odd")
        configuration.batchSize = 3
        let file = configuration.output + ".json"
        try configuration.json().write(to: URL(fileURLWithPath: file))
        let places = try Place.ring()
        await withTaskGroup(of: Void.self) { tasks in
            for place in places {
                tasks.addTask {
                    await #expect(processExitsWith: .success) { [place = place as Place, file = file as String] in
                        let group = ProcessGroup(try place.join())
                        await #expect(throws: ConfigurationError.self) { try await Trainer(.load(file), resume: false, group: group) }
                    }
                }
            }
        }
    }

    @Test func anInterruptStopsAllWithACheckpoint() async throws {
        let run = try TemporaryRun()
        defer { run.remove() }
        var configuration = try configuration(run, output: "stopped")
        configuration.epochs = 1_000
        try configuration.json().write(to: URL(fileURLWithPath: configuration.output + ".json"))
        let steps = try await interrupt(configuration.output)
        #expect(try losses(configuration.output).count == steps)

        let place = try PartRunTests.Place()
        defer { place.remove() }
        try place.writePictures("train", count: 30, seed: 3)
        _ = try place.write("part.json", """
            {"stage": "vision_tower", "model": "\(place.model)", "output": "part", "data": [{"path": "train.jsonl"}],
             "batch_size": 8, "steps": 4000, "learning_rate": 1e-3, "precision": "f32"}
            """)
        let last = try await interrupt(place.path + "/part")
        #expect(try place.metrics("part").count == last)
    }

    /// Runs OUTPUT.json by two processes of which the second is interrupted after the first step; gives the step of the only checkpoint.
    private func interrupt(_ output: String) async throws -> Int {
        let file = output + ".json", metrics = output + "/metrics.jsonl"
        let places = try Place.ring()
        let statuses = try await withThrowingTaskGroup(of: Int32.self) { tasks in
            for place in places {
                tasks.addTask {
                    try CommandLineProcess.run(
                        ["train", file], environment: ["MLX_RANK": "\(place.rank)", "MLX_HOSTFILE": place.hostfile]
                    ) { process in
                        guard place.rank == 1 else { return }
                        while (FileManager.default.contents(atPath: metrics) ?? Data()).isEmpty, process.isRunning { usleep(10_000) }
                        process.interrupt()
                    }.status
                }
            }
            return try await tasks.reduce(into: []) { $0.append($1) }
        }
        #expect(!statuses.contains(0))
        let checkpoints = try FileManager.default.contentsOfDirectory(atPath: output + "/checkpoints")
        let step = try #require(checkpoints.first?.split(separator: "-").last.flatMap { Int($0) })
        #expect(checkpoints.count == 1 && step < 4_000)
        return step
    }

    private static let mpirun = ["/usr/bin/mpirun", "/usr/local/bin/mpirun"].first {
        FileManager.default.isExecutableFile(atPath: $0)
    }

    @Test(.enabled(if: mpirun != nil, "there is no mpirun: apt-get install openmpi-bin")) func mpirunTrainsAsOne() async throws {
        let run = try TemporaryRun()
        defer { run.remove() }
        let alone = try configuration(run, output: "alone")
        _ = try await Trainer(alone, resume: false).run()
        var together = alone
        together.output = run.path + "/together"
        let file = together.output + ".json"
        try together.json().write(to: URL(fileURLWithPath: file))
        let result = try CommandLineProcess.run(
            ["train", file],
            launcher: [try #require(Self.mpirun), "-n", "2", "--oversubscribe", "--bind-to", "none", "--mca", "btl", "self,tcp"],
            environment: ["OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"])
        #expect(result.status == 0, "\(result.errors)")
        // Only the first process talks.
        #expect(result.output.split(separator: "\n").filter { $0.hasSuffix("metrics.jsonl") }.count == 1)
        try expectEqual(together.output, alone.output)
    }
}
