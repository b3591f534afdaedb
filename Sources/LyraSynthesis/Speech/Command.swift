// Runs a speech synthesiser's program and waits for it.
import Foundation

/// Speech that could not be made.
public enum SpeechSynthesisError: Error, LocalizedError, Equatable {
    /// Debian packages that bring what is missing.
    case missing(packages: [String])
    case failed(program: String, reason: String)
    case silent(voice: String, text: String)

    public var errorDescription: String? {
        switch self {
        case .missing(let packages):
            "speech needs programs that are not installed; install them first: apt-get install \(packages.joined(separator: " "))"
        case .failed(let program, let reason): "\(program) failed: \(reason)"
        case .silent(let voice, let text): "the voice \(voice) said nothing for \"\(text)\""
        }
    }
}

enum Command {
    /// Runs a program of `/usr/bin` or elsewhere on `PATH`, without input, its output thrown away but for what it says about
    /// errors. Blocks the thread.
    static func run(_ program: String, _ arguments: [String]) throws(SpeechSynthesisError) {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
        let words = ([program] + arguments).map { strdup($0) }
        defer { for word in words { free(word) } }
        var process: pid_t = 0
        let result = posix_spawnp(&process, program, &actions, nil, words + [nil], environ)
        guard result == 0 else { throw .failed(program: program, reason: String(cString: strerror(result))) }
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0 {
            guard errno == EINTR else { throw .failed(program: program, reason: String(cString: strerror(errno))) }
        }
        guard status & 0x7F == 0 else { throw .failed(program: program, reason: "it was ended by signal \(status & 0x7F)") }
        guard status >> 8 & 0xFF == 0 else { throw .failed(program: program, reason: "exit code \(status >> 8 & 0xFF)") }
    }

    /// Whether a program is on `PATH`.
    static func exists(_ program: String) -> Bool {
        (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin").split(separator: ":").contains {
            access("\($0)/\(program)", X_OK) == 0
        }
    }
}
