// Several processes for one test: every one runs the body of an exit test and joins a ring on this machine.
import Foundation
@testable import LyraTraining
import MLX
import Testing

/// One process's place in a ring.
struct Place: Sendable, Codable {
    var rank: Int
    var hostfile: String

    /// Joins the ring, and ends the process should the others leave it waiting.
    func join() throws -> DistributedGroup {
        alarm(60)
        setenv("MLX_RANK", "\(rank)", 1)
        setenv("MLX_HOSTFILE", hostfile, 1)
        let group = try ProcessGroup.launched(environment: ["MLX_RANK": "\(rank)", "MLX_HOSTFILE": hostfile])
        return try #require(group.processes)
    }

    /// The places of `count` processes at ports that were free a moment ago.
    static func ring(_ count: Int = 2) throws -> [Place] {
        let sockets = try (0..<count).map { _ in try FreePort() }
        defer { withExtendedLifetime(sockets) {} }
        let hosts = sockets.map { ["127.0.0.1:\($0.port)"] }
        let path = NSTemporaryDirectory() + "lyra-ring-\(UUID().uuidString).json"
        try JSONEncoder().encode(hosts).write(to: URL(fileURLWithPath: path))
        return (0..<count).map { Place(rank: $0, hostfile: path) }
    }
}

/// A port that nobody uses, held while this lives.
final class FreePort {
    let port: Int
    private let socket: Int32

    init() throws {
        socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = socket
        let bound = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && getsockname(descriptor, $0, &length) == 0
            }
        }
        guard bound else {
            close(descriptor)
            throw POSIXError(.EADDRNOTAVAIL)
        }
        port = Int(UInt16(bigEndian: address.sin_port))
    }

    deinit { close(socket) }
}

/// Repeatable numbers that differ by `seed`.
func normal(_ shape: [Int], _ seed: UInt64) -> MLXArray { MLXRandom.normal(shape, key: MLXRandom.key(seed)) }

func largestDifference(_ a: MLXArray, _ b: MLXArray) -> Float {
    a.shape == b.shape ? abs(a - b).max().item(Float.self) : .infinity
}
