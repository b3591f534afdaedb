// How the kernels' threads wait for each other.
import Foundation

enum WorkerThreads {
    /// Loops a thread waits before it sleeps: about 50 microseconds, longer than the pauses between kernels.
    private static let spins = "5000"

    /// OpenMP's threads otherwise spin for milliseconds, which on a machine that has other work to do takes the processor
    /// from the very thread they wait for: replies become many times slower. libgomp reads the setting once, when it is
    /// loaded, so the program starts itself again with it. A setting made by the user stands.
    static func waitBriefly() {
        guard getenv("GOMP_SPINCOUNT") == nil, getenv("OMP_WAIT_POLICY") == nil else { return }
        setenv("GOMP_SPINCOUNT", spins, 1)
        // On failure the program simply goes on as it is.
        guard let path = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe") else { return }
        execv(path, CommandLine.unsafeArgv)
    }
}
