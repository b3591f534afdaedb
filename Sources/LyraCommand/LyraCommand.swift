// The command line: its root, and how a run ends.
import ArgumentParser
import Foundation
import MLX

@main
struct LyraCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lyra",
        abstract: "Lyra sees, hears, answers and speaks.",
        discussion: """
            Ask about pictures, video and sound, in writing or by voice, and get the answer as text and as speech. \
            Everything runs on this machine, on a checkpoint in the layout of the Lyra release.

            The model is named with --model DIR, or once in the environment:
              export LYRA_MODEL=~/models/Lyra_Mini_3B

            Examples:
              lyra ask --image menu.jpg --text "What is the cheapest dish?"
              lyra ask --image menu.jpg --speech question.mp3 --speak answer.wav
              lyra transcribe lecture.m4a --format srt > lecture.srt
              lyra chat
              lyra inspect ~/models/Lyra_Mini_3B

            Text goes to standard output; messages and progress go to standard error. Exit codes:
              0    done
              1    failed
              64   wrong usage
              66   a model or an input file is missing
              130  interrupted (143 by a request to terminate)
              141  nobody reads the output any more
            """,
        version: "0.1.0",
        subcommands: [
            AskCommand.self, ChatCommand.self, TranscribeCommand.self, InspectCommand.self, NewCommand.self, BenchCommand.self,
            TrainCommand.self, DataCommand.self, MergeCommand.self, AverageCommand.self, QuantizeCommand.self, CompareCommand.self, EvalCommand.self,
            ServeCommand.self,
        ])

    static func main() async {
        WorkerThreads.waitBriefly()
        Interrupts.install()
        let code = await run(Array(CommandLine.arguments.dropFirst()))
        Terminal.leave(code)
    }

    /// Parses and runs; returns the exit code.
    static func run(_ arguments: [String]) async -> Int32 {
        let work = Task { () async throws -> Void in
            var command = try parseAsRoot(arguments)
            _ = try Device.current
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        }
        Interrupts.onInterrupt { work.cancel() }
        do {
            try await work.value
            return Interrupts.wasInterrupted ? Interrupts.exitCode : ExitStatus.success
        } catch {
            return report(error)
        }
    }

    /// Says what went wrong, in one line where that is possible; returns the exit code.
    private static func report(_ error: any Error) -> Int32 {
        PartialFiles.shared.removeAll()
        Terminal.shared.clearProgress()
        if Interrupts.wasInterrupted || error is CancellationError { return Interrupts.exitCode }
        if error is OutputClosed { return ExitStatus.outputClosed }
        if let status = ExitStatus.of(error) {
            Terminal.shared.say("Error: \(error.localizedDescription)")
            return status
        }
        // What is left is the parser's: help, the version, or a wrong argument.
        let code = exitCode(for: error).rawValue
        let text = fullMessage(for: error)
        if code == 0 {
            try? Terminal.shared.write(text + "\n")
        } else {
            Terminal.shared.say(text)
        }
        return code
    }
}
