// The processes of a run: one, unless a launcher started several.
import Foundation
import LyraModel
import MLX

/// This process among those that train together.
public struct ProcessGroup: Sendable {
    public let rank: Int
    public let size: Int
    /// nil for a single one.
    public let processes: DistributedGroup?
    /// Whether this process writes files and talks.
    public var isFirst: Bool { rank == 0 }

    /// A single process.
    public init() { (rank, size, processes) = (0, 1, nil) }

    public init(_ processes: DistributedGroup) {
        (rank, size) = (processes.rank, processes.size)
        self.processes = size > 1 ? processes : nil
    }

    /// The processes that a launcher started with this one, once all are there; this one alone where there was no launcher.
    ///
    /// Launchers are told by the environment variables they set: `mpirun` of Open MPI, or MLX's own conventions
    /// (`MLX_RANK` with `MLX_HOSTFILE` for the ring, with `MLX_WORLD_SIZE` and `NCCL_HOST_IP` for NCCL).
    ///
    /// - Throws: ``LaunchError`` where these variables do not make sense, ``MLXError`` where processes do not meet.
    public static func launched(
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) throws -> ProcessGroup {
        guard let backend = try backend(environment) else { return ProcessGroup() }
        guard DistributedGroup.isAvailable(backend) else { throw LaunchError.unavailable(backend) }
        return ProcessGroup(try DistributedGroup(backend))
    }

    static func backend(_ environment: [String: String]) throws -> DistributedGroup.Backend? {
        if let rank = environment["MLX_RANK"] {
            if environment["NCCL_HOST_IP"] != nil, environment["MLX_WORLD_SIZE"] != nil { return .nccl }
            guard let file = environment["MLX_HOSTFILE"] else { throw LaunchError.noHostfile }
            guard let data = FileManager.default.contents(atPath: file),
                let hosts = try? JSONDecoder().decode([[String]].self, from: data), !hosts.isEmpty,
                hosts.allSatisfy({ !$0.isEmpty && $0.allSatisfy { $0.contains(":") } })
            else { throw LaunchError.badHostfile(file) }
            guard let number = Int(rank), hosts.indices.contains(number) else {
                throw LaunchError.badRank(rank, processes: hosts.count)
            }
            return hosts.count > 1 ? .ring : nil
        }
        if let size = environment["OMPI_COMM_WORLD_SIZE"].flatMap(Int.init), size > 1 { return .mpi }
        return nil
    }
}

/// Why processes cannot be joined.
public enum LaunchError: Error, LocalizedError, Equatable {
    case unavailable(DistributedGroup.Backend)
    case noHostfile
    case badHostfile(String)
    case badRank(String, processes: Int)

    public var errorDescription: String? {
        switch self {
        case .unavailable(.mpi): "mpirun started this process, but Open MPI's library is not there: install openmpi-bin"
        case .unavailable(let backend): "the launcher wants MLX's \(backend.rawValue) backend, which this MLX lacks"
        case .noHostfile: "MLX_RANK is set, but MLX_HOSTFILE is not; it names a JSON list of every rank's addresses"
        case .badHostfile(let file):
            "MLX_HOSTFILE \(file) is not a JSON list of every rank's addresses, like [[\"10.0.0.1:5000\"], [\"10.0.0.2:5000\"]]"
        case .badRank(let rank, let processes): "MLX_RANK is \(rank), but MLX_HOSTFILE names \(processes) processes, from 0"
        }
    }
}

extension ProcessGroup {
    /// - Throws: `ConfigurationError` unless all processes can have as many samples of a step.
    func checkShares(of batchSize: Int) throws {
        guard batchSize % size == 0 else {
            throw ConfigurationError.invalid(key: "batch_size", value: "\(batchSize)", expected: "a multiple of the \(size) processes")
        }
    }

    /// Before every step, by all processes.
    /// - Throws: `CancellationError` in all of them where one is to stop.
    func goOn() throws {
        var totals = StepTotals()
        totals.stops = Task.isCancelled ? 1 : 0
        if try sum(totals).stops > 0 { throw CancellationError() }
    }

    /// Sums of what the processes count.
    func sum(_ totals: StepTotals) throws -> StepTotals {
        guard let processes else { return totals }
        let paths: [WritableKeyPath<StepTotals, Int>] = [\.samples, \.tokens, \.targets, \.transcripts, \.units, \.evidence, \.stops]
        let sums = processes.allSum(MLXArray(paths.map { Int32(clamping: totals[keyPath: $0]) }, [paths.count]))
        try checkedEval(sums)
        var result = totals
        for (path, sum) in zip(paths, sums.asArray(Int32.self)) { result[keyPath: path] = Int(sum) }
        return result
    }

    /// The arrays' sums over processes, which all have as many of the same shapes.
    func sum(_ arrays: [MLXArray]) throws -> [MLXArray] {
        try processes.map { try GradientReduction($0).sum(arrays) } ?? arrays
    }

    /// Sums of what the processes find, each having divided by the totals of all.
    func sum(_ losses: StepLosses, _ gradients: [String: MLXArray]) throws -> (StepLosses, [String: MLXArray]) {
        guard let processes else { return (losses, gradients) }
        let names = gradients.keys.sorted()
        let parts = MLXArray(losses.values, [losses.values.count])
        var sums = try GradientReduction(processes).sum([parts] + names.compactMap { gradients[$0] })
        let values = sums.removeFirst().asArray(Float.self)
        return (StepLosses(values), Dictionary(uniqueKeysWithValues: zip(names, sums)))
    }
}
