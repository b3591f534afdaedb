// The state of a chat, and what its lines do.
import Foundation
import Lyra
import LyraMedia
import LyraModel
import Synchronization

final class ChatSession {
    private let lyra: Lyra
    private let layers: Int
    private let isInteractive: Bool
    private var system: String?
    private var options: ReplyOptions
    private var conversation: Conversation
    /// Media named since the last message.
    private var pending: [MediumArgument] = []
    private var transcript = ChatTranscript()
    private var speechFile: String?
    private var spokenReplies = 0
    private let interrupt = ChatInterrupt()

    init(lyra: Lyra, layers: Int, system: String?, options: ReplyOptions, isInteractive: Bool) {
        (self.lyra, self.layers, self.system, self.options) = (lyra, layers, system, options)
        self.isInteractive = isInteractive
        conversation = system.map { lyra.conversation(system: $0) } ?? lyra.conversation()
        transcript.system = system
    }

    func run(_ lines: AsyncStream<String>) async throws {
        if isInteractive {
            interrupt.install()
            Terminal.shared.say("Talking with \((lyra.location.model as NSString).lastPathComponent); /help tells more.")
        }
        defer { Interrupts.handle(nil) }
        prompt()
        for await line in lines {
            interrupt.reset()
            do {
                guard try await handle(ChatLine(line)) else { return }
            } catch let error where isInteractive && !(error is OutputClosed) && !(error is CancellationError) {
                Terminal.shared.say("Error: \(error.localizedDescription)")
            }
            prompt()
        }
        try Task.checkCancellation()
        // The end of a pipe sends what is still waiting, as an empty line would.
        if !isInteractive, !pending.isEmpty { try await send("") }
        if isInteractive { Terminal.shared.say("") }
    }

    private func prompt() {
        guard isInteractive, Terminal.shared.outputIsTerminal else { return }
        let media = pending.map { "[\(($0.path as NSString).lastPathComponent)] " }.joined()
        try? Terminal.shared.write("\(media)> ")
    }

    /// Does what a line says; false to leave.
    private func handle(_ line: ChatLine) async throws -> Bool {
        switch line {
        case .message(let text): if !text.isEmpty || !pending.isEmpty { try await send(text) }
        case .image(let path): try add(MediumArgument(kind: .image, path: path))
        case .video(let path): try add(MediumArgument(kind: .video, path: path))
        case .speech(let path): try add(MediumArgument(kind: .speech, path: path))
        case .speak(let path): try setSpeech(path)
        case .extract(let argument):
            try argument?.check()
            options.extractor = argument.map { ExtractorOptions(blocks: $0.blocks, keepRate: $0.keepRate, layers: layers) }
        case .system(let text):
            system = text
            begin()
        case .reset: begin()
        case .save(let path):
            try OutputFile.check(path)
            try OutputFile.write(try transcript.data(for: path), to: path)
            Terminal.shared.say("saved \(path)")
        case .help: Terminal.shared.say(ChatLine.helpText)
        case .quit: return false
        case .unknown(let reason): throw UsageError(reason)
        }
        return true
    }

    private func begin() {
        conversation = system.map { lyra.conversation(system: $0) } ?? lyra.conversation()
        pending = []
        transcript = ChatTranscript(system: system)
    }

    private func add(_ medium: MediumArgument) throws {
        guard medium.path != "-" else { throw UsageError("standard input is taken by the conversation; give a file") }
        try medium.check()
        pending.append(medium)
    }

    func setSpeech(_ path: String?) throws {
        if let path {
            guard AudioFormat(path: path) != nil else {
                throw UsageError("\(path) does not say which format to write; end it in .wav, .mp3, .opus or .flac")
            }
            try OutputFile.check(path)
        }
        (speechFile, spokenReplies) = (path, 0)
    }

    private func send(_ text: String) async throws {
        let media = pending
        pending = []
        let parts = try MediaArguments(media: media).parts() + (text.isEmpty ? [] : [.text(text)])
        var options = options
        options.speaks = speechFile != nil
        let speechPath = speechFile.map { Self.numbered($0, spokenReplies + 1) }
        let work = Task { [conversation, options, isInteractive] in
            try await ChatReply(conversation: conversation, isQuiet: !isInteractive).run(parts, options, speechPath: speechPath)
        }
        interrupt.begin { work.cancel() }
        defer { interrupt.end() }
        do {
            let (reply, spoken) = try await withTaskCancellationHandler { try await work.value } onCancel: { work.cancel() }
            if spoken { spokenReplies += 1 }
            transcript.add(media: media, text: text, reply: reply, speechFile: spoken ? speechPath : nil)
        } catch is CancellationError {
            try Task.checkCancellation()
            Terminal.shared.say("(stopped; the conversation goes on as if this had not been said)")
        }
    }

    /// "reply.wav", then "reply-2.wav", "reply-3.wav".
    static func numbered(_ path: String, _ number: Int) -> String {
        guard number > 1 else { return path }
        let url = URL(fileURLWithPath: path), plain = (path as NSString).deletingPathExtension
        return "\(plain)-\(number).\(url.pathExtension)"
    }
}

/// One reply of a chat, as it is printed.
struct ChatReply: Sendable {
    let conversation: Conversation
    let isQuiet: Bool

    func run(_ parts: [Part], _ options: ReplyOptions, speechPath: String?) async throws -> (Reply, spoken: Bool) {
        let progress = StageProgress()
        var speech = speechPath.map(SpeechFile.init)
        var reply: Reply?
        for try await event in conversation.reply(to: parts, options: options) {
            switch event {
            case .progress(let stage, let fraction): progress.update(stage, fraction)
            case .text(let delta): try Terminal.shared.write(reply: delta)
            case .audio(let chunk): try speech?.append(chunk)
            case .evidence: continue
            case .done(let finished): reply = finished
            }
        }
        Terminal.shared.clearProgress()
        try Task.checkCancellation()
        guard let reply else { throw CancellationError() }
        let spoken = try speech?.finish() ?? false
        try Terminal.shared.write("\n")
        if spoken, let speechPath, !isQuiet { Terminal.shared.say("(spoken: \(speechPath))") }
        return (reply, spoken)
    }
}

/// Ctrl-C in a chat: stops a reply in the making; at the prompt, or when pressed again, leaves.
final class ChatInterrupt: Sendable {
    private struct State {
        var cancel: (@Sendable () -> Void)?
        var presses = 0
    }
    private let state = Mutex(State())

    func install() {
        Interrupts.handle { [self] in
            let (cancel, presses) = state.withLock { state in
                state.presses += 1
                return (state.cancel, state.presses)
            }
            guard presses == 1 else { return false }
            if let cancel { cancel() } else { Terminal.shared.say("(Ctrl-C once more, or /quit, leaves)") }
            return true
        }
    }

    func begin(_ cancel: @escaping @Sendable () -> Void) { state.withLock { $0.cancel = cancel } }
    func end() { state.withLock { $0.cancel = nil } }
    /// A new line was typed.
    func reset() { state.withLock { $0.presses = 0 } }
}
