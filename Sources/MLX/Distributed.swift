// Processes that compute together.
import CMLX

/// Processes that exchange arrays, over MLX's own backends.
///
/// Operations are lazy like all others and run when they are computed, so all processes have to compute the same ones in
/// the same order. Compute them with ``checkedEval(_:)-(Collection<MLXArray>)``: it throws where a connection is lost.
public final class DistributedGroup: @unchecked Sendable {  // a group does not change, and MLX computes for one task at a time
    /// How processes talk.
    public enum Backend: String, Sendable, CaseIterable {
        /// The first of the others that a launcher has prepared.
        case any
        /// TCP between neighbours. `MLX_HOSTFILE` names a JSON list of every rank's addresses, `MLX_RANK` this one's place.
        case ring
        /// Open MPI, started by `mpirun`.
        case mpi
        /// NVIDIA GPUs, in MLX's CUDA build. `MLX_RANK`, `MLX_WORLD_SIZE`, `NCCL_HOST_IP` and `NCCL_PORT` say who is where.
        case nccl
    }

    private let handle: cmlx_group

    private init(owning handle: cmlx_group) { self.handle = handle }

    /// Joins all processes that a launcher started, and waits for them. Throws where there was no launcher. From then on
    /// this process ignores `SIGPIPE` unless it handles it, so that a lost connection is an error and not its end.
    public convenience init(_ backend: Backend = .any) throws(MLXError) {
        var out: cmlx_group?
        guard cmlx_group_join(backend.rawValue, &out) == 0, let out else { throw MLXError.last }
        self.init(owning: out)
    }

    deinit { cmlx_group_free(handle) }

    /// Closes the connections of groups that nobody holds any more. A process started by `mpirun` does so when its work has
    /// succeeded, before it ends: otherwise `mpirun` takes its end for a failure. Waits for the others.
    public static func leave() throws(MLXError) { try MLXError.check(cmlx_distributed_leave()) }

    /// Whether the backend can be used at all: MPI needs Open MPI's library, NCCL a CUDA build of MLX.
    public static func isAvailable(_ backend: Backend = .any) -> Bool { cmlx_distributed_is_available(backend.rawValue) }

    /// This process's place, from 0.
    public var rank: Int { Int(cmlx_group_rank(handle)) }
    /// How many processes there are.
    public var size: Int { Int(cmlx_group_size(handle)) }

    /// The processes that call this with the same colour, ordered by `key`, or as they are here. Not every backend can (the
    /// ring cannot).
    public func split(color: Int, key: Int = -1) throws(MLXError) -> DistributedGroup {
        var out: cmlx_group?
        guard cmlx_group_split(handle, int32(color), int32(key), &out) == 0, let out else { throw MLXError.last }
        return DistributedGroup(owning: out)
    }

    /// The sum over all processes, everywhere. Its gradient is that of the sum, taken as it is.
    public func allSum(_ array: MLXArray) -> MLXArray { collect(CMLX_ALL_SUM, array) }
    /// The largest of all processes, element by element.
    public func allMax(_ array: MLXArray) -> MLXArray { collect(CMLX_ALL_MAX, array) }
    /// The smallest of all processes, element by element.
    public func allMin(_ array: MLXArray) -> MLXArray { collect(CMLX_ALL_MIN, array) }
    /// The arrays of all processes, of one shape, joined along the first axis in the order of ranks.
    public func allGather(_ array: MLXArray) -> MLXArray { collect(CMLX_ALL_GATHER, array) }

    private func collect(_ operation: cmlx_collective, _ array: MLXArray) -> MLXArray {
        .make { cmlx_collect(operation, array.handle, handle, $0) }
    }

    /// The array, which is sent when it is computed. A ring sends to neighbours only.
    public func send(_ array: MLXArray, to rank: Int) throws(MLXError) -> MLXArray {
        try .throwing { cmlx_send(array.handle, int32(rank), handle, $0) }
    }

    /// What the process at `rank` sends.
    public func recv(shape: [Int], dtype: DType, from rank: Int) throws(MLXError) -> MLXArray {
        try .throwing { cmlx_receive(int32(shape), shape.count, dtype.c, int32(rank), handle, $0) }
    }
}
