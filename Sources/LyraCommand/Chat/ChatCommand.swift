// lyra chat: a conversation at the terminal, or from a pipe.
import ArgumentParser
import Foundation
import Lyra

struct ChatCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "chat",
        abstract: "Talk with the model, turn by turn.",
        discussion: """
            \(ChatLine.helpText)

            Examples:
              lyra chat --model Lyra_Mini_3B
              printf '/image menu.jpg\\nWhat is on it?\\n' | lyra chat --speak reply.mp3

            From a pipe, replies are printed one after another, and a line that cannot be used ends the run.
            """)

    @OptionGroup(title: "Model") var model: ModelOptions

    @Option(help: ArgumentHelp("The system prompt. Default: You are a helpful assistant.", valueName: "text"))
    var system: String?

    @OptionGroup(title: "Reply") var reply: ReplyFlags

    @Option(help: ArgumentHelp("Speak replies into this file; later ones get numbers.", valueName: "file"))
    var speak: String?

    func run() async throws {
        Log.start(verbose: model.verbose)
        try reply.check()
        let (_, configuration) = try model.resolve(needs: speak == nil ? [] : .speech)
        let options = try reply.options(layers: configuration.layers)
        let (lyra, _) = try await model.open()
        let session = ChatSession(
            lyra: lyra, layers: configuration.layers, system: system, options: options,
            isInteractive: isatty(STDIN_FILENO) == 1)
        if let speak { try session.setSpeech(speak) }
        try await session.run(InputLines.make())
    }
}
